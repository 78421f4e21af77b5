// SPDX-License-Identifier: GPL-2.0-or-later
/* Probe placement: the truth is nm's, readelf's and objdump's, or assembled by hand. */
#include <errno.h>
#include <fcntl.h>
#include <gnu/libc-version.h>
#include <link.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "directory.h"
#include "probe/instruction.h"
#include "probe/probe.h"

#define LIBDIR "/lib/x86_64-linux-gnu/"

/* Compiles `source` (C, or assembly in asm()) into `path`, a file named `name`. */
static void compile(const char *name, const char *flags, const char *source, char path[128])
{
	char command[512];
	FILE *cc;

	snprintf(path, 128, "%s/%s", directory, name);
	snprintf(command, sizeof(command), "gcc -x c -O2 -o %s %s - 2>&1", path, flags);
	cc = popen(command, "w");
	assert_non_null(cc);
	fputs(source, cc);
	assert_int_equal(pclose(cc), 0);
}

static enum call_kind kind_of(const struct probe *probe)
{
	return probe->kind;
}

static int find_in(const char *path, struct probes *probes)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int err;

	assert_true(fd >= 0);
	err = probes__find(fd, path, NULL, probes);
	close(fd);
	return err;
}

static const struct probe *get_probe(const struct probes *probes, const char *symbol)
{
	for (size_t i = 0; i < probes->count; i++)
		if (!strcmp(probes->items[i].symbol, symbol) &&
		    kind_of(&probes->items[i]) != CALL_RETURNS)
			return &probes->items[i];
	return NULL;
}

static bool has_function(const struct probes *probes, uint64_t function)
{
	for (size_t i = 0; i < probes->count; i++)
		if (probes->items[i].function == function)
			return true;
	return false;
}

static bool has_library(const char *path)
{
	return access(path, R_OK) == 0;
}

/* What readelf says must be added to a code address to get the file offset. */
static uint64_t offset_from_address(const char *path)
{
	unsigned long offset, address;
	char command[256];
	FILE *readelf;

	snprintf(command, sizeof(command),
		 "readelf -lW %s | awk '$1 == \"LOAD\" && / R E /{print $2, $3}'", path);
	readelf = popen(command, "r");
	assert_non_null(readelf);
	assert_int_equal(fscanf(readelf, "%lx %lx", &offset, &address), 2);
	pclose(readelf);
	return offset - address;
}

#define STANDARD "malloc|calloc|realloc|reallocarray|reallocf|free|cfree|posix_memalign|" \
		 "aligned_alloc|memalign|valloc|pvalloc|free_sized|free_aligned_sized|" \
		 "__libc_(malloc|calloc|realloc|free|cfree|memalign|valloc|pvalloc)"
/* Whole families: whoever adds a function to an allocator learns it here. */
#define OPERATORS "_Zn[wa]m.*|_Zd[la]Pv.*"
#define JEMALLOC "[mrxd]allocx|sdallocx"
#define TCMALLOC "tc_(malloc|malloc_skip_new_handler|calloc|realloc|memalign|posix_memalign|" \
		 "valloc|pvalloc|free|free_sized|cfree|new.*|delete.*)"
#define MIMALLOC "mi_(new(_n|_aligned|_nothrow|_aligned_nothrow)?|heap_alloc_new(_n)?|cfree|" \
		 "heap_destroy|" \
		 "expand|posix_memalign|memalign|aligned_alloc|valloc|pvalloc|" \
		 "(heap_)?(malloc|zalloc|calloc|realloc|rezalloc|recalloc|free)[a-z_]*)"
#define NO_ALLOCATION "mi_malloc_(|usable_|good_)size|mi_reallocarr"

static size_t count_calls(const struct probes *probes)
{
	size_t n = 0;

	for (size_t i = 0; i < probes->count; i++)
		n += kind_of(&probes->items[i]) != CALL_RETURNS;
	return n;
}

/* Every function that nm lists under one of `names` has its probe, and there are no others. */
static void compare_with_nm(const char *path, const char *flags, const char *names,
			    const struct probes *probes)
{
	uint64_t seen[128], to_offset = offset_from_address(path);
	unsigned long address;
	char command[1024];
	size_t nseen = 0;
	FILE *nm;

	snprintf(command, sizeof(command),
		 "nm %s --defined-only %s | grep -E ' [TtWw] (%s)(@|$)' |"
		 "grep -vE ' (" NO_ALLOCATION ")(@|$)'", flags, path, names);
	nm = popen(command, "r");
	assert_non_null(nm);
	while (fscanf(nm, "%lx %*[^\n]", &address) == 1) {
		size_t i = 0;

		while (i < nseen && seen[i] != address)
			i++;
		seen[i] = address;
		nseen += i == nseen;
		assert_true(nseen < 128);
		if (!has_function(probes, address + to_offset))
			fail_msg("%s: no probe for the function at %#lx", path, address);
	}
	pclose(nm);
	assert_true(nseen > 0);
	assert_int_equal(count_calls(probes), nseen);
}

static FILE *disassemble(const char *path, uint64_t start, uint64_t stop)
{
	char command[512];
	FILE *objdump;

	snprintf(command, sizeof(command),
		 "objdump -d --no-show-raw-insn --start-address=%#lx --stop-address=%#lx %s",
		 start, stop, path);
	objdump = popen(command, "r");
	assert_non_null(objdump);
	return objdump;
}

/* objdump agrees that an instruction begins there, and that it is of an emulated kind. */
static void compare_with_objdump(const char *path, const struct probe *probe)
{
	uint64_t to_offset = offset_from_address(path);
	FILE *objdump = disassemble(path, probe->function - to_offset,
				    probe->offset - to_offset + 16);
	char line[256], mnemonic[32] = "", operand[64] = "";
	bool found = false;
	unsigned long address;

	while (!found && fgets(line, sizeof(line), objdump)) {
		if (sscanf(line, " %lx: %31s %63s", &address, mnemonic, operand) < 2)
			continue;
		found = address + to_offset == probe->offset;
		/* On the way there the stack pointer stays and nothing branches off. */
		if (!found) {
			assert_null(strstr(line, "rsp"));
			assert_true(strncmp(mnemonic, "push", 4) && mnemonic[0] != 'j');
		}
	}
	pclose(objdump);
	assert_true(found);
	if (probe->emulated)
		assert_true(mnemonic[0] == 'j' || !strcmp(mnemonic, "nop") ||
			    (!strcmp(mnemonic, "push") && operand[0] == '%'));
	else
		assert_int_equal(probe->offset, probe->function);
}

/* A return, or a jump that the kernel emulates. */
static void check_exit(const char *path, const struct probe *probe)
{
	uint64_t address = probe->offset - offset_from_address(path);
	FILE *objdump = disassemble(path, address, address + 16);
	char line[256] = "", mnemonic[32] = "";

	while (!*mnemonic && fgets(line, sizeof(line), objdump))
		sscanf(line, " %*x: %31s", mnemonic);
	while (fgets(line, sizeof(line), objdump))
		;
	pclose(objdump);
	if (probe->emulated)
		assert_int_equal(mnemonic[0], 'j');
	else
		assert_string_equal(mnemonic, "ret");
}

/* Has a symbol that a return probe is put on: no exception may pass. */
static void check_return_probe(const struct probe *probe)
{
	assert_null(strstr(probe->symbol, "St9nothrow_t") ? NULL : strstr(probe->symbol, "_Znwm"));
	assert_null(strstr(probe->symbol, "St9nothrow_t") ? NULL : strstr(probe->symbol, "_Znam"));
}

static void check_file(const char *path, const char *nm_flags, const char *allocator,
		       const char *names)
{
	struct probes probes;

	assert_int_equal(find_in(path, &probes), 0);
	assert_non_null(probes.allocator);
	assert_string_equal(probes.allocator, allocator);
	assert_null(probes.unseen);
	if (names)
		compare_with_nm(path, nm_flags, names, &probes);
	else
		assert_int_equal(probes.count, 0);
	for (size_t i = 0; i < probes.count; i++) {
		const struct probe *probe = &probes.items[i];

		assert_true(probe->instruction[0]);
		if (kind_of(probe) == CALL_RETURNS)
			check_exit(path, probe);
		else
			compare_with_objdump(path, probe);
		if (kind_of(probe) == CALL_ALLOCATES)
			check_return_probe(probe);
	}
	probes__free(&probes);
}

static void test_glibc(void **state)
{
	const char *path = LIBDIR "libc.so.6";
	struct probes probes;
	const struct probe *probe;

	check_file(path, "-D", "glibc", STANDARD);
	assert_int_equal(find_in(path, &probes), 0);
	probe = get_probe(&probes, "malloc");
	assert_non_null(probe);
	assert_int_equal(probe->cookie, MAKE_CALL(CALL_ALLOCATES, IN_DI, IN_NONE, IN_NONE) |
					CALL_CHUNK_HEADS);
	assert_true(probe->emulated);
	probe = get_probe(&probes, "free");
	assert_non_null(probe);
	assert_int_equal(probe->cookie, MAKE_CALL(CALL_FREES, IN_NONE, IN_NONE, IN_DI) |
					CALL_CHUNK_HEADS);
	assert_true(probe->emulated);
	/* Debian 12's: test %rdi,%rdi is single-stepped, the je after it is not. */
	if (!strcmp(gnu_get_libc_version(), "2.36"))
		assert_int_equal(probe->offset, probe->function + 3);
	assert_null(get_probe(&probes, "cfree"));
	probes__free(&probes);
}

static void test_other_allocators(void **state)
{
	static const struct {
		const char *path, *allocator, *names;
	} files[] = {
		{ "/lib/ld-musl-x86_64.so.1", "musl", STANDARD },
		{ LIBDIR "libjemalloc.so.2", "jemalloc", STANDARD "|" OPERATORS "|" JEMALLOC },
		{ LIBDIR "libtcmalloc.so.4", "tcmalloc", STANDARD "|" OPERATORS "|" TCMALLOC },
		{ LIBDIR "libtcmalloc_minimal.so.4", "tcmalloc",
		  STANDARD "|" OPERATORS "|" TCMALLOC },
		{ LIBDIR "libtcmalloc_debug.so.4", "tcmalloc",
		  STANDARD "|" OPERATORS "|" TCMALLOC },
		{ LIBDIR "libmimalloc.so.2", "mimalloc", STANDARD "|" OPERATORS "|" MIMALLOC },
		{ LIBDIR "libasan.so.8", "sanitizer", NULL },
	};

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		if (has_library(files[i].path))
			check_file(files[i].path, "-D", files[i].allocator, files[i].names);
		else
			print_message("not installed, left out: %s\n", files[i].path);
	}
}

static const char user[] = "#include <stdlib.h>\n"
			   "int main(int c, char **v) { void *p = malloc(c); free(p); return !p; }";

static void test_static_executables(void **state)
{
	char path[128];

	compile("static", "-static", user, path);
	check_file(path, "", "glibc", STANDARD);
	compile("static-pie", "-static-pie", user, path);
	check_file(path, "", "glibc", STANDARD);
	/* Another allocator beside it, under names of its own, does not make malloc that one's. */
	compile("static-beside", "-static",
		"#include <stdlib.h>\nvoid *je_malloc(size_t n) { return malloc(n) + 1; }\n"
		"void je_free(void *p) { free((char *)p - 1); }\n"
		"void *(*volatile f)(size_t) = je_malloc; int main(void) { return !f(1); }", path);
	check_file(path, "", "glibc", STANDARD "|je_malloc|je_free");
}

static void check_none(const char *path)
{
	struct probes probes;

	assert_int_equal(find_in(path, &probes), 0);
	assert_int_equal(probes.count, 0);
	assert_null(probes.items);
	assert_null(probes.allocator);
	probes__free(&probes);
}

static void test_no_allocator(void **state)
{
	char path[128];

	/* A reference, also one with an address of its own in the executable's PLT. */
	compile("user", "", user, path);
	check_none(path);
	compile("pointer", "-no-pie -fno-pie",
		"#include <stdlib.h>\nint main(int c, char **v) { return (long)malloc == c; }",
		path);
	check_none(path);
	compile("static-function", "-fno-builtin",
		"static __attribute__((noinline, used)) char *malloc(long n) { return (char *)n; }"
		"int main(void) { return 0; }", path);
	check_none(path);
	compile("no-malloc", "-fno-builtin -shared", "void free(void *p) {}", path);
	check_none(path);
	compile("data", "-fno-builtin -shared", "long malloc = 1, free = 2;", path);
	check_none(path);
	compile("ifunc", "-fno-builtin -shared -fPIC",
		"static void *m(long n) { return 0; }\nstatic void *r(void) { return m; }\n"
		"void *malloc(long) __attribute__((ifunc(\"r\")));", path);
	check_none(path);
	compile("dynamic-linker", "-fno-builtin -shared -fPIC",
		"int _rtld_global = 1; void *malloc(long n) { return 0; }", path);
	check_none(path);
	check_none("/lib64/ld-linux-x86-64.so.2");
}

static void check_unknown(const char *path, size_t count)
{
	struct probes probes;

	assert_int_equal(find_in(path, &probes), 0);
	assert_int_equal(probes.count, count);
	assert_string_equal(probes.allocator, "unknown");
	probes__free(&probes);
}

static void test_unknown_allocator(void **state)
{
	char path[128];

	compile("own", "-fno-builtin -shared -fPIC",
		"void *malloc(long n) { return (void *)n; } void free(void *p) {}\n"
		"void free_sized(void *p, long n) { __asm__ volatile(\"nop; nop\"); }", path);
	check_unknown(path, 4);
	/* Only in .symtab: an executable does not export its functions. */
	compile("executable", "-fno-builtin",
		"void *malloc(long n) { return (void *)n; } int main(void) { return 0; }", path);
	check_unknown(path, 2);
	/* A browser's allocator serves those who call glibc's by its own name, and C++. */
	compile("browser", "-fno-builtin -shared -fPIC",
		"void *malloc(long n) { return (void *)n; } void free(void *p) {}\n"
		"void *__libc_malloc(long) __attribute__((alias(\"malloc\")));\n"
		"void *_Znwm(long n) { return (char *)n + 1; }", path);
	check_file(path, "-D", "unknown", "malloc|free|_Znwm");
}

/* Without its malloc, under names that begin in any way, with no more than a program of Rust needs. */
static void test_own_names(void **state)
{
	struct probes probes;
	char path[128];

	compile("je", "-shared -fPIC", "void *je_malloc(long n) { return 0; } void je_free(void *p) {}",
		path);
	check_file(path, "-D", "jemalloc", "je_malloc|je_free");
	compile("prefix", "-shared -fPIC",
		"int mydb_mallctl(char *name) { return 0; }\n"
		"void *mydb_malloc(long n) { return (void *)n; }\n"
		"void *mydb_mallocx(long n, int f) { return (char *)n + f; }\n"
		"void mydb_sdallocx(void *p, long n, int f) { __asm__ volatile(\"nop\"); }\n"
		"void other_mallocx(void) {} int _Z7mallctl, _Z7mallocx;", path);
	check_file(path, "-D", "jemalloc", "mydb_(malloc|mallocx|sdallocx)");
	compile("no-prefix", "-shared -fPIC", "void *mydb_mallocx(long n) { return 0; }\n"
		"void *mydb_malloc(long n) { return 0; }", path);
	assert_int_equal(find_in(path, &probes), 0);
	assert_int_equal(probes.count, 0);
	probes__free(&probes);
	compile("mi", "-shared -fPIC",
		"void *mi_malloc_aligned(long n, long a) { return (char *)n + a; }\n"
		"void *mi_zalloc_aligned(long n, long a) { return (char *)n - a; }\n"
		"void *mi_realloc_aligned(void *p, long n, long a) { return (char *)n + a + 1; }\n"
		"void mi_free(void *p) {}", path);
	check_file(path, "-D", "mimalloc", "mi_((m|z|re)alloc_aligned|free)");
}

/* Return probes move with a goroutine's stack; C code in a Go program has another. */
static void test_go(void **state)
{
	struct probes probes;
	char path[128];

	compile("go", "-fno-builtin -shared -fPIC",
		"void *malloc(long n) { return (void *)n; }\n"
		"__asm__(\".globl runtime.text;runtime.text:\" \".globl calloc; .type calloc,@function;"
		"calloc: nop; ret; .globl runtime.etext; runtime.etext:\");", path);
	assert_int_equal(find_in(path, &probes), 0);
	assert_non_null(get_probe(&probes, "malloc"));
	assert_null(get_probe(&probes, "calloc"));
	probes__free(&probes);
}

static void test_endbr64(void **state)
{
	const struct probe *probe;
	struct probes probes;
	char path[128];

	compile("endbr64", "-fno-builtin -shared -fPIC -fcf-protection=full",
		"void *real(void *); void *malloc(void *n) { return (char *)real(n) + 1; }", path);
	assert_int_equal(find_in(path, &probes), 0);
	probe = get_probe(&probes, "malloc");
	assert_non_null(probe);
	assert_false(probe->emulated && probe->offset == probe->function);
	compare_with_objdump(path, probe);
	probes__free(&probes);
}

/* ---- functions assembled by hand ---- */

struct hand_made {
	const char *what;
	uint8_t bytes[24];
	size_t size;
	unsigned int nargs;
	size_t offset;
	bool emulated;
	enum call_register last;	/* where the last argument is then; 0: where it was */
};

static const struct hand_made hand_made[] = {
	{ "push %rbp", { 0x55, 0xc3 }, 2, 1, 0, true },
	{ "push %r12", { 0x41, 0x54, 0xc3 }, 3, 1, 0, true },
	{ "rex.w push %rbp; nop", { 0x48, 0x55, 0x90, 0xc3 }, 4, 1, 0, false },
	{ "data16 push %bp; nop", { 0x66, 0x55, 0x90, 0xc3 }, 4, 1, 0, false },
	{ "push $1; nop", { 0x6a, 0x01, 0x90, 0xc3 }, 4, 1, 0, false },
	{ "nop", { 0x90, 0xc3 }, 2, 1, 0, true },
	{ "data16 nop; nop", { 0x66, 0x90, 0x90, 0xc3 }, 4, 1, 2, true },
	{ "pause; nop", { 0xf3, 0x90, 0x90, 0xc3 }, 4, 1, 2, true },
	{ "xchg %r8,%rax; nop", { 0x49, 0x90, 0x90, 0xc3 }, 4, 1, 2, true },
	/* what newer kernels put a call in place of */
	{ "nopl 0(%rax,%rax); test %rdi,%rdi; ret", { 0x0f, 0x1f, 0x44, 0, 0, 0x48, 0x85, 0xff, 0xc3 },
	  9, 1, 5, false },
	{ "nopw 0(%rax,%rax); ret", { 0x2e, 0x66, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0, 0xc3 }, 11, 1, 10,
	  false },
	{ "nopl; nopl; ret", { 0x0f, 0x1f, 0x44, 0, 0, 0x0f, 0x1f, 0x44, 0, 0, 0xc3 }, 11, 1, 10,
	  false },
	{ "lea 0(%rsp),%rsp; ret", { 0x3e, 0x48, 0x8d, 0x64, 0x24, 0, 0xc3 }, 7, 1, 6, false },
	{ "endbr64; nopl; ret", { 0xf3, 0x0f, 0x1e, 0xfa, 0x0f, 0x1f, 0x44, 0, 0, 0xc3 }, 10, 1, 0,
	  false },
	{ "nopl 0(%rax,%rax); nop", { 0x0f, 0x1f, 0x44, 0, 0, 0x90, 0xc3 }, 7, 1, 5, true },
	{ "endbr64; push %rbx", { 0xf3, 0x0f, 0x1e, 0xfa, 0x53, 0xc3 }, 6, 1, 4, true },
	{ "test; je", { 0x48, 0x85, 0xff, 0x74, 0x01, 0xc3, 0xc3 }, 7, 1, 3, true },
	{ "test; je rel32", { 0x48, 0x85, 0xff, 0x0f, 0x84, 1, 0, 0, 0, 0xc3, 0xc3 }, 11, 1, 3,
	  true },
	{ "test; ds je; nop", { 0x48, 0x85, 0xff, 0x3e, 0x74, 0, 0x90, 0xc3 }, 8, 1, 0, false },
	{ "jmp rel32", { 0xe9, 0, 1, 0, 0 }, 5, 1, 0, true },
	{ "data16 jmp; nop", { 0x66, 0xe9, 0, 0, 0, 0, 0x90, 0xc3 }, 8, 1, 0, false },
	{ "jmp *(%rip); nop", { 0xff, 0x25, 0, 1, 0, 0, 0x90 }, 7, 1, 0, false },
	{ "call", { 0xe8, 0, 1, 0, 0, 0xc3 }, 6, 1, 0, true },
	{ "ret; nop", { 0xc3, 0x90 }, 2, 1, 0, false },
	{ "syscall; nop", { 0x0f, 0x05, 0x90, 0xc3 }, 4, 1, 0, false },
	/* mov %esi,%edi; push: the first argument is gone */
	{ "argument lost", { 0x89, 0xf7, 0x55, 0xc3 }, 4, 1, 0, false },
	{ "low byte lost", { 0x40, 0xb7, 0x01, 0x55, 0xc3 }, 5, 1, 0, false },
	/* mov %rdi,%rsi; push: matters to two arguments, not to one */
	{ "second argument lost", { 0x48, 0x89, 0xfe, 0x55, 0xc3 }, 5, 2, 0, false },
	{ "second argument unused", { 0x48, 0x89, 0xfe, 0x55, 0xc3 }, 5, 1, 3, true },
	/* mul %rdi writes rdx without naming it */
	{ "third argument lost", { 0x48, 0xf7, 0xe7, 0x55, 0xc3 }, 5, 3, 0, false },
	{ "third argument unused", { 0x48, 0xf7, 0xe7, 0x55, 0xc3 }, 5, 2, 3, true },
	/* mov %rdi,%rsi; mov (%rax),%rdi; push: a copy is left */
	{ "argument copied", { 0x48, 0x89, 0xfe, 0x48, 0x8b, 0x38, 0x55, 0xc3 }, 8, 1, 6, true,
	  IN_SI },
	/* mov %rsi,%rdx; mov %rdi,%rsi; mov %rax,%rdi; jmp: both have moved on */
	{ "arguments shifted", { 0x48, 0x89, 0xf2, 0x48, 0x89, 0xfe, 0x48, 0x89, 0xc7, 0xe9, 0, 1,
	  0, 0 }, 14, 2, 9, true, IN_DX },
	/* mov %rdi,%rsi; mov (%rax),%rdi; mov (%rax),%rsi; push: the copy is gone too */
	{ "copy lost", { 0x48, 0x89, 0xfe, 0x48, 0x8b, 0x38, 0x48, 0x8b, 0x30, 0x55, 0xc3 }, 11, 1,
	  0, false },
	/* mov %edi,%esi; mov (%rax),%rdi; push: half of it is none */
	{ "half a copy", { 0x89, 0xfe, 0x48, 0x8b, 0x38, 0x55, 0xc3 }, 7, 1, 0, false },
	/* sub $8,%rsp; nop and pop %rax; nop: the return address is elsewhere */
	{ "stack moved", { 0x48, 0x83, 0xec, 0x08, 0x90, 0xc3 }, 6, 1, 0, false },
	{ "stack popped", { 0x58, 0x90, 0xff, 0xe0 }, 4, 1, 0, false },
	/* xor %eax,%eax; 2: nop; dec %eax; jne 2b: the nop would fire at every turn */
	{ "loop", { 0x31, 0xc0, 0x90, 0xff, 0xc8, 0x75, 0xfb, 0xc3 }, 8, 1, 0, false },
	/* the same, but the turn begins behind the nop */
	{ "loop behind", { 0x31, 0xc0, 0x90, 0xff, 0xc8, 0x75, 0xfc, 0xc3 }, 8, 1, 2, true },
	/* test; je to itself */
	{ "its own target", { 0x48, 0x85, 0xff, 0x74, 0xfe, 0xc3 }, 6, 1, 0, false },
	/* mov; push; pop; jmp to the start: a call of its own wherever the probe is */
	{ "jump to start", { 0x89, 0xf8, 0x55, 0x5d, 0xeb, 0xfa }, 6, 1, 2, true },
	{ "end not decodable", { 0x89, 0xf8, 0x55, 0x06, 0xc3 }, 5, 1, 0, false },
	{ "cut short", { 0x89, 0xf8, 0x55, 0xe9, 0x00 }, 5, 1, 0, false },
	{ "start not decodable", { 0x06, 0x90 }, 2, 1, 0, false },
	{ "nothing", { 0 }, 0, 1, 0, false },
};

static void choose(const struct hand_made *function, bool whole, struct instruction *chosen)
{
	instruction__choose(&(struct function_code){
		.bytes = function->bytes,
		.size = function->size,
		.whole = whole,
		.address = 0x1000,
		.nargs = function->nargs,
	}, chosen);
}

static void test_hand_made(void **state)
{
	struct instruction chosen;

	for (size_t i = 0; i < sizeof(hand_made) / sizeof(hand_made[0]); i++) {
		choose(&hand_made[i], true, &chosen);
		if (chosen.offset != hand_made[i].offset ||
		    chosen.emulated != hand_made[i].emulated)
			fail_msg("%s: chosen +%zu (%s), emulated %d", hand_made[i].what,
				 chosen.offset, chosen.text, chosen.emulated);
		assert_int_equal(chosen.arguments[hand_made[i].nargs - 1],
				 hand_made[i].last ? hand_made[i].last : hand_made[i].nargs);
		/* Without its end, nothing but the first instruction can be trusted. */
		choose(&hand_made[i], false, &chosen);
		assert_int_equal(chosen.offset, 0);
		assert_int_equal(chosen.emulated,
				 hand_made[i].emulated && !hand_made[i].offset);
	}
}

static void test_text(void **state)
{
	static const struct hand_made je = { "", { 0x48, 0x85, 0xff, 0x74, 0x01, 0xc3, 0xc3 },
					     7, 1, 3, true };
	static const struct hand_made push = { "", { 0x41, 0x54, 0xc3 }, 3, 1, 0, true };
	static const struct hand_made bad = { "", { 0x06 }, 1, 1, 0, false };
	struct instruction chosen;

	choose(&je, true, &chosen);
	assert_string_equal(chosen.text, "jz 0x1006");
	choose(&push, true, &chosen);
	assert_string_equal(chosen.text, "push %r12");
	choose(&bad, true, &chosen);
	assert_string_equal(chosen.text, "(bad)");
}

/* ---- hostile files ---- */

static uint8_t *read_file(const char *path, size_t *size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	uint8_t *bytes;

	assert_int_equal(fstat(fd, &st), 0);
	bytes = malloc(st.st_size);
	assert_non_null(bytes);
	assert_int_equal(read(fd, bytes, st.st_size), st.st_size);
	close(fd);
	*size = st.st_size;
	return bytes;
}

static int find_in_bytes(const uint8_t *bytes, size_t size)
{
	int fd = memfd_create("test_probe", MFD_CLOEXEC);
	struct probes probes;
	int err;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, size), size);
	err = probes__find(fd, "memory", NULL, &probes);
	assert_true(err <= 0);
	if (err) {
		assert_null(probes.items);
		assert_null(probes.allocator);
	}
	probes__free(&probes);
	close(fd);
	return err;
}

static void test_not_for_us(void **state)
{
	uint8_t *bytes;
	char path[128];
	size_t size;

	assert_int_equal(find_in_bytes((const uint8_t *)"#!/bin/sh\n", 10), -ENOEXEC);
	assert_int_equal(find_in_bytes((const uint8_t *)"", 0), -ENOEXEC);
	compile("object.o", "-c", user, path);
	bytes = read_file(path, &size);
	assert_int_equal(find_in_bytes(bytes, size), -ENOEXEC);
	free(bytes);
	compile("machine", "", user, path);
	bytes = read_file(path, &size);
	assert_int_equal(find_in_bytes(bytes, size), 0);
	((ElfW(Ehdr) *)bytes)->e_machine = EM_AARCH64;
	assert_int_equal(find_in_bytes(bytes, size), -ENOEXEC);
	((ElfW(Ehdr) *)bytes)->e_machine = EM_X86_64;
	bytes[EI_CLASS] = ELFCLASS32;
	assert_int_equal(find_in_bytes(bytes, size), -ENOEXEC);
	free(bytes);
}

static void test_damaged(void **state)
{
	uint8_t *bytes, *damaged;
	char path[128];
	size_t size;

	compile("victim", "-fno-builtin -shared -fPIC",
		"void *malloc(long n) { return (void *)n; } void free(void *p) {}", path);
	bytes = read_file(path, &size);
	damaged = malloc(size);
	assert_non_null(damaged);
	for (size_t cut = 0; cut < size; cut += 97)
		find_in_bytes(bytes, cut);
	srandom(1);
	for (int round = 0; round < 2000; round++) {
		memcpy(damaged, bytes, size);
		for (int i = 0; i < 16; i++) {
			/* Mostly the headers at both ends: that is where the offsets are. */
			size_t at = random() % (round % 4 ? 1024 : size);

			damaged[round % 2 ? at % size : size - 1 - at % size] = random();
		}
		find_in_bytes(damaged, size);
	}
	free(damaged);
	free(bytes);
}

/* More versions of malloc than any allocator has: refused, not followed without bound. */
static void test_too_many(void **state)
{
	struct probes probes;
	char *source = NULL;
	char path[128];
	size_t size;
	FILE *out = open_memstream(&source, &size);

	assert_non_null(out);
	for (int i = 0; i < 600; i++)
		fprintf(out, "void *m%d(void) { return (void *)%d; }\n"
			"__asm__(\".symver m%d, malloc@V%d\");\n", i, i, i, i);
	fclose(out);
	snprintf(path, sizeof(path), "%s/versions", directory);
	out = fopen(path, "w");
	assert_non_null(out);
	for (int i = 0; i < 600; i++)
		fprintf(out, "V%d {};\n", i);
	fclose(out);
	snprintf(path, sizeof(path), "-shared -fPIC -Wl,--version-script=%s/versions", directory);
	compile("too-many", strdupa(path), source, path);
	assert_int_equal(find_in(path, &probes), -E2BIG);
	assert_null(probes.items);
	free(source);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_glibc),
		cmocka_unit_test(test_other_allocators),
		cmocka_unit_test(test_go),
		cmocka_unit_test(test_static_executables),
		cmocka_unit_test(test_no_allocator),
		cmocka_unit_test(test_unknown_allocator),
		cmocka_unit_test(test_own_names),
		cmocka_unit_test(test_endbr64),
		cmocka_unit_test(test_hand_made),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_not_for_us),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_too_many),
	};

	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
