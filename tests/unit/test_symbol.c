// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The truth is binutils' addr2line; eu-addr2line for libc, where binutils gives some lines of
 * included files to the including one; llvm-symbolizer for clang's DWARF 5, where binutils 2.40
 * misses inlined functions and eu-addr2line 0.188 misses the .debug_aranges that clang does not
 * write. The addresses come from nm. Where we answer something else on purpose (truth.h evens it
 * out):
 * - Beyond the end of a symbol binutils names the symbol before; we name none.
 * - For functions without lines binutils takes a file from the symbol table ("crtstuff.c:?").
 * - C functions have their source's name (getaddrinfo), not the assembler's (__GI_getaddrinfo).
 * - Copies and parts of a function have its name, without " [clone .cold]".
 * - A static C++ function has its qualified name, "a::f(int)", where binutils says "f".
 */
#include "symbol/truth.h"

#include <elf.h>
#include <sys/auxv.h>
#include <sys/stat.h>

#include "directory.h"
#include "needs.h"
#include "symbol/demangle.h"
#include "symbol/intervals.h"

#define ADDR2LINE "addr2line -a -f -i -C -e"
#define SOURCES "tests/unit/symbol"

/* A path in the test's directory; good until the fourth call after it. */
static const char *at(const char *name)
{
	static char paths[4][128];
	static unsigned int next;

	next = (next + 1) % 4;
	snprintf(paths[next], sizeof(paths[next]), "%s/%s", directory, name);
	return paths[next];
}

static void build(const char *compiler, const char *source, const char *output)
{
	run("%s $(realpath " SOURCES "/%s) -o %s", compiler, source, at(output));
}

static void expect_same(const char *name, const char *tool, size_t step)
{
	expect(at(name), "", tool, at(name), step);
}

static bool has(const char *text, const char *part)
{
	return strstr(text, part);
}

/* ---- names from DWARF ---- */

static void test_c(void **state)
{
	static const char *const compilers[] = {
		"gcc -O2 -g -gdwarf-4",		"gcc -O2 -g -gdwarf-5",
		"gcc -O2 -g -gz",		"gcc -O2 -g -no-pie",
		"gcc -O2 -g -gdwarf-4 -gz=zlib-gnu", "gcc -O0 -g",
		"clang -O2 -g -gdwarf-4",
	};

	for (size_t i = 0; i < sizeof(compilers) / sizeof(compilers[0]); i++) {
		build(compilers[i], "inlines.c", "c");
		expect_same("c", ADDR2LINE, 1);
	}
}

static void test_inlined_frames_of_c(void **state)
{
	struct addresses addresses;
	bool found = false;
	char **texts;

	build("gcc -O2 -g", "inlines.c", "c");
	addresses = addresses_of(at("c"), "", 1);
	texts = ours(at("c"), "", &addresses);
	for (size_t i = 0; i < addresses.count; i++)
		/* malloc's line, then the lines of the calls of innermost, middle and outer. */
		found |= !strncmp(texts[i], "innermost /", 11) && has(texts[i], "inlines.c:8\n") &&
			 has(texts[i], "\nmiddle /") && has(texts[i], "inlines.c:17\n") &&
			 has(texts[i], "\nouter /") && has(texts[i], "inlines.c:25\n") &&
			 has(texts[i], "\nexported /") && has(texts[i], "inlines.c:34\n");
	assert_true(found);
	free_texts(texts, addresses.count);
	free(addresses.items);
}

/* Outside of the code of the function that it is in, with no address asked for in that. */
static void test_function_in_function(void **state)
{
	uint64_t address;
	char *text;

	build("gcc -O0 -g", "inlines.c", "c");
	address = address_of(at("c"), "inside.0");
	text = name_of(at("c"), "", address);
	assert_int_equal(strncmp(text, "inside /", 8), 0);
	assert_non_null(strstr(text, "inlines.c:51\n"));
	free(text);
}

/* binutils falls for it; what is left is byte for byte the program without the function. */
static void test_dropped_function(void **state)
{
	static const char *const compilers[] = {
		"gcc -O2 -g -gdwarf-5 -fuse-ld=bfd", "gcc -O2 -g -gdwarf-4 -fuse-ld=bfd -no-pie",
		/* The text segment is at address 0. */
		"gcc -O2 -g -fuse-ld=bfd -Wl,-z,noseparate-code", "gcc -O2 -g -fuse-ld=gold",
	};

	for (size_t i = 0; i < sizeof(compilers) / sizeof(compilers[0]); i++) {
		char command[256];

		snprintf(command, sizeof(command), "%s -ffunction-sections -Wl,--gc-sections",
			 compilers[i]);
		build(command, "inlines.c", "without");
		strcat(command, " -DWITH_DROPPED");
		build(command, "inlines.c", "c");
		expect(at("c"), "", ADDR2LINE, at("without"), 1);
	}
}

/* Of functions that the linker made one the name and the line are of the same one. */
static void test_folded_functions(void **state)
{
	char *text;
	int line;

	build("gcc -O2 -g -fno-ipa-icf -ffunction-sections -fuse-ld=gold "
	      "-Wl,--icf=all", "folded.c", "c");
	assert_int_equal(address_of(at("c"), "second"), address_of(at("c"), "third"));
	text = name_of(at("c"), "", address_of(at("c"), "second"));
	line = strrchr(text, ':') ? atoi(strrchr(text, ':') + 1) : 0;
	if (!strncmp(text, "second /", 8))
		assert_in_range(line, 12, 15);
	else
		assert_true(!strncmp(text, "third /", 7) && line >= 17 && line <= 20);
	free(text);
}

static void test_cxx(void **state)
{
	static const char *const compilers[] = {
		"g++ -O2 -g -gdwarf-4",
		"g++ -O2 -g -gdwarf-5",
		"g++ -O2 -g -gz",
		"clang++ -O2 -g -gdwarf-4",
	};

	for (size_t i = 0; i < sizeof(compilers) / sizeof(compilers[0]); i++) {
		build(compilers[i], "inlines.cc", "cc");
		expect_same("cc", ADDR2LINE, 3);
	}
}

static void test_clang_dwarf_5(void **state)
{
	needs("llvm-symbolizer");
	build("clang -O2 -g -gdwarf-5", "inlines.c", "c5");
	expect_same("c5", "llvm-symbolizer --addresses -f -i --output-style=GNU --obj", 1);
}

static void test_rust(void **state)
{
	needs("rustc");
	build("rustc -O -g", "inlines.rs", "rs");
	expect_same("rs", ADDR2LINE, 151);
	build("rustc -O -g -C symbol-mangling-version=v0", "inlines.rs", "rs0");
	expect_same("rs0", ADDR2LINE, 151);
}

static void test_libc(void **state)
{
	const char *libc = realpath("/lib/x86_64-linux-gnu/libc.so.6", NULL);
	struct addresses addresses;
	size_t same = 0, lines = 0;
	char **theirs, **texts;

	needs("eu-addr2line");
	if (!libc)
		skip();
	addresses = addresses_of(libc, "-D", 1499);
	theirs = truth("eu-addr2line -a -f -i -C -e", libc, &addresses);
	texts = ours(libc, "", &addresses);
	for (size_t i = 0; i < addresses.count; i++) {
		const char *our_place = strrchr(texts[i], ':');
		const char *their_place = strrchr(theirs[i], ':');

		/* Which of several names for one address, and comp_dir "./malloc", is taste. */
		if (strcmp(our_place, their_place))
			fail_msg("0x%lx:\n%sbut eu-addr2line:\n%s", addresses.items[i], texts[i],
				 theirs[i]);
		same += !strncmp(texts[i], theirs[i], strcspn(texts[i], " "));
		lines += !!strcmp(our_place, ":0\n");
	}
	print_message("libc: %zu addresses, %zu names alike, %zu lines\n", addresses.count, same,
		      lines);
	assert_true(same >= addresses.count * 9 / 10);
	free_texts(texts, addresses.count);
	free_texts(theirs, addresses.count);
	free(addresses.items);
	free((char *)libc);
}

/* ---- separate debug files ---- */

/* Splits the program "whole" into root/bin/prog and root/bin/prog.debug. */
static void split_program(const char *link_options)
{
	char compiler[128];

	snprintf(compiler, sizeof(compiler), "gcc -O2 -g %s", link_options);
	build(compiler, "inlines.c", "whole");
	run("cd %s && rm -rf root && mkdir -p root/bin root/usr/lib/debug && "
	    "objcopy --only-keep-debug whole root/bin/prog.debug && cp whole root/bin/prog && "
	    "strip root/bin/prog", directory);
}

static void move_to_build_id(const char *file)
{
	run("cd %s && id=$(readelf -n %s 2>/dev/null | awk '/Build ID/ {print $3}') && "
	    "d=root/usr/lib/debug/.build-id/$(echo $id | cut -c-2) && mkdir -p $d && "
	    "mv %s $d/$(echo $id | cut -c3-).debug", directory, file, file);
}

static void expect_split(bool found)
{
	char *text;

	if (found) {
		expect(at("root/bin/prog"), at("root"), ADDR2LINE, at("whole"), 1);
		return;
	}
	text = name_of(at("root/bin/prog"), at("root"), address_of(at("whole"), "exported"));
	assert_string_equal(text, "?? ??:0\n");
	free(text);
}

static void test_build_id(void **state)
{
	split_program("-Wl,--build-id");
	expect_split(false);
	move_to_build_id("root/bin/prog.debug");
	expect_split(true);

	/* An absolute link is one below the root. */
	run("cd %s/root && mv usr/lib/debug/.build-id hidden && "
	    "ln -s /hidden usr/lib/debug/.build-id", directory);
	expect_split(true);

	/* Another program's file under our build id, and no file at all. */
	run("cd %s && gcc -g -Wl,--build-id=0x1234 -x c /dev/null -shared -o other && "
	    "cp other $(find root/hidden -name '*.debug')", directory);
	expect_split(false);
	run("cd %s && f=$(find root/hidden -name '*.debug') && rm $f && mkfifo $f", directory);
	expect_split(false);
}

static void test_debuglink(void **state)
{
	split_program("-Wl,--build-id=none");
	run("cd %s/root/bin && objcopy --add-gnu-debuglink=prog.debug prog", directory);
	expect_split(true);
	run("cd %s/root/bin && mkdir .debug && mv prog.debug .debug/", directory);
	expect_split(true);
	run("cd %s/root && mkdir -p usr/lib/debug/bin && "
	    "mv bin/.debug/prog.debug usr/lib/debug/bin/", directory);
	expect_split(true);
	/* The checksum is of all of the file. */
	run("echo >> %s/root/usr/lib/debug/bin/prog.debug", directory);
	expect_split(false);
}

static void test_dwz(void **state)
{
	needs("dwz");
	split_program("-Wl,--build-id -gdwarf-4");
	build("gcc -O2 -g -gdwarf-4 -Wl,--build-id -DANOTHER", "inlines.c", "another");
	run("cd %s && objcopy --only-keep-debug another another.debug && "
	    "dwz -m root/usr/lib/debug/shared -M /usr/lib/debug/shared "
	    "root/bin/prog.debug another.debug", directory);
	run("readelf -SW %s/root/bin/prog.debug 2>/dev/null | grep -q gnu_debugaltlink", directory);
	move_to_build_id("root/bin/prog.debug");
	expect_split(true);
	run("rm %s/root/usr/lib/debug/shared", directory);
	/* As gdb we take no DWARF whose shared part is missing; .symtab is there. */
	run("cd %s && strip -g -o nolines whole", directory);
	expect(at("root/bin/prog"), at("root"), ADDR2LINE, at("nolines"), 1);
}

/* ---- names from symbol tables ---- */

static void test_symtab(void **state)
{
	char *text;

	build("gcc -O2 -g", "inlines.c", "c");
	run("strip -g %s", at("c"));
	expect_same("c", ADDR2LINE, 1);
	/* Without a size a label reaches to the next symbol; with one, to its end. */
	text = name_of(at("c"), "", address_of(at("c"), "bare_label") + 6);
	assert_string_equal(text, "bare_label ??:0\n");
	free(text);
	text = name_of(at("c"), "", address_of(at("c"), "sized_label") + 1);
	assert_string_equal(text, "sized_label ??:0\n");
	free(text);
	text = name_of(at("c"), "", address_of(at("c"), "sized_label") + 2);
	assert_string_equal(text, "?? ??:0\n");
	free(text);

	/* Nor beyond the end of its section. */
	text = name_of(at("c"), "", address_of(at("c"), "last_label"));
	assert_string_equal(text, "last_label ??:0\n");
	free(text);
	text = name_of(at("c"), "", address_of(at("c"), "last_label") + 1);
	assert_string_equal(text, "?? ??:0\n");
	free(text);

	build("g++ -O2", "inlines.cc", "cc");
	expect_same("cc", ADDR2LINE, 3);
}

static void test_dynsym(void **state)
{
	char *text;

	build("gcc -O2 -g -shared -fPIC", "inlines.c", "whole");
	run("cd %s && strip -o stripped whole", directory);
	text = name_of(at("stripped"), "", address_of(at("whole"), "exported") + 4);
	assert_string_equal(text, "exported ??:0\n");
	free(text);
	text = name_of(at("stripped"), "", address_of(at("whole"), "not_exported") + 4);
	assert_string_equal(text, "?? ??:0\n");
	free(text);
	/* What follows a label without a size may be what is not exported. */
	text = name_of(at("stripped"), "", address_of(at("whole"), "bare_label") + 6);
	assert_string_equal(text, "?? ??:0\n");
	free(text);
}

static void test_mini_debug_info(void **state)
{
	char *text;

	needs("xz");
	build("gcc -O2", "inlines.c", "whole");
	run("cd %s && strip -o mini whole && "
	    "objcopy -S --keep-symbol=not_exported whole symbols && "
	    "rm -f symbols.xz && xz symbols && "
	    "objcopy --add-section .gnu_debugdata=symbols.xz mini", directory);
	text = name_of(at("mini"), "", address_of(at("whole"), "not_exported") + 4);
	assert_string_equal(text, "not_exported ??:0\n");
	free(text);
}

static void test_vdso(void **state)
{
	const Elf64_Ehdr *image = (const void *)getauxval(AT_SYSINFO_EHDR);
	struct addresses addresses;
	char **texts;
	FILE *file;

	if (!image)
		skip();
	file = fopen(at("vdso"), "w");
	assert_int_equal(fwrite(image, image->e_shoff + image->e_shnum * sizeof(Elf64_Shdr), 1,
				file), 1);
	fclose(file);
	addresses = addresses_of(at("vdso"), "-D", 1);
	texts = ours(at("vdso"), "", &addresses);
	for (size_t i = 0; i < addresses.count; i++)
		if (!strncmp(texts[i], "?? ", 3))
			fail_msg("no name for 0x%lx", addresses.items[i]);
	free_texts(texts, addresses.count);
	free(addresses.items);
}

/* ---- damaged and hostile input ---- */

static char *read_whole(const char *path, size_t *size)
{
	FILE *file = fopen(path, "r");
	struct stat st;
	char *bytes;

	assert_non_null(file);
	assert_return_code(fstat(fileno(file), &st), 0);
	*size = st.st_size;
	bytes = malloc(*size);
	assert_non_null(bytes);
	assert_int_equal(fread(bytes, 1, *size, file), *size);
	fclose(file);
	return bytes;
}

static void name_bytes(const char *bytes, size_t size, const struct addresses *addresses)
{
	FILE *file = fopen(at("damaged"), "w");

	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, size, file), size);
	fclose(file);
	/* Whatever the names, there is an answer to every address. */
	free_texts(ours(at("damaged"), "", addresses), addresses->count);
}

static void damage(const char *name)
{
	struct addresses addresses = addresses_of(at(name), "", 5);
	size_t size;
	char *bytes = read_whole(at(name), &size), *copy = malloc(size);

	assert_non_null(copy);
	for (unsigned int i = 0; i < 64; i++)
		name_bytes(bytes, size * i / 64, &addresses);
	for (unsigned int seed = 0; seed < 200; seed++) {
		/* From a single flipped bit to a file full of holes. */
		unsigned int flips = 1U << seed % 11;

		srand(seed);
		memcpy(copy, bytes, size);
		for (unsigned int i = 0; i < flips; i++)
			copy[rand() % size] ^= 1 << rand() % 8;
		name_bytes(copy, size, &addresses);
	}
	free(copy);
	free(bytes);
	free(addresses.items);
}

static void test_damaged_files(void **state)
{
	build("gcc -O2 -g -gdwarf-5", "inlines.c", "c");
	damage("c");
	build("gcc -O2 -g -gdwarf-4", "inlines.c", "c");
	damage("c");
	build("gcc -O2 -g -gz", "inlines.c", "c");
	damage("c");
}

/* A pair of pairs of pairs: every step doubles the text. */
static void test_name_that_unfolds(void **state)
{
	char mangled[512] = "_Z1fSt4pairIiiE";
	char *text;

	for (unsigned int i = 0; i < 30; i++) {
		char last = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"[i];
		size_t length = strlen(mangled);

		snprintf(mangled + length, sizeof(mangled) - length, "S_IS%c_S%c_E", last, last);
		text = demangle(mangled);
		if (i < 3)
			assert_non_null(strstr(text, "std::pair<std::pair<"));
		if (i > 20)
			assert_string_equal(text, mangled);
		free(text);
	}
}

/* Templates of templates make names that libiberty refuses by itself; nesting costs it stack. */
static void test_long_names(void **state)
{
	char mangled[4098] = "_Z1f", *text;

	memset(mangled + 4, 'P', sizeof(mangled) - 5);
	text = demangle(mangled);
	assert_string_equal(text, mangled);
	free(text);
	mangled[4096] = '\0';
	assert_null(demangle(mangled));
	strcpy(mangled + 900, "i");
	text = demangle(mangled);
	assert_non_null(text);
	assert_memory_equal(text, "f(int**", 7);
	free(text);

	strcpy(mangled, "_Z1f");
	for (size_t i = 0; i < 1000; i++)
		strcat(mangled, "1A");
	text = demangle(mangled);
	assert_non_null(text);
	assert_memory_equal(text, "f(A, A, A, ", 11);
	free(text);
}

/* ---- the door ---- */

static void test_after_the_file_is_gone(void **state)
{
	struct roots *roots = roots__new();
	struct symbolizer *symbolizer = symbolizer__new(roots);
	struct names *names = names__new();
	uint32_t module, location, again;
	uint64_t offset;
	int fd;

	build("gcc -O2 -g", "inlines.c", "gone");
	offset = address_of(at("gone"), "exported") - code_distance(at("gone"));
	names__module(names, at("gone"), NULL, &module);
	fd = open(at("gone"), O_RDONLY);
	assert_return_code(symbolizer__add_module(symbolizer, module, fd, at("gone"), NULL), 0);
	close(fd);
	unlink(at("gone"));
	/* The same build in another container, which is gone first. */
	assert_return_code(symbolizer__add_module(symbolizer, module, -1, at("gone"), NULL), 0);
	symbolizer__drop_module(symbolizer, module);
	names__location(names, module, offset, true, &location);
	/* The address after a call that is the last of the function before. */
	names__location(names, module, offset, false, &again);
	assert_return_code(symbolizer__name_all(symbolizer, names), 0);
	assert_string_equal(names__get_location(names, location)->frames[0].function, "exported");
	assert_null(names__get_location(names, again)->frames[0].function);
	symbolizer__free(symbolizer);
	roots__free(roots);
	names__free(names);
}

static void test_unknown_places(void **state)
{
	struct roots *roots = roots__new();
	struct symbolizer *symbolizer = symbolizer__new(roots);
	static const struct names_frame frame = { .function = "kept" };
	struct names *names = names__new();
	uint32_t module, other, locations[5];
	int fd = open("/proc/self/exe", O_RDONLY), text = open(__FILE__, O_RDONLY);

	names__module(names, "exe", NULL, &module);
	names__module(names, "text", NULL, &other);
	assert_return_code(symbolizer__add_module(symbolizer, module, fd, "exe", NULL), 0);
	assert_return_code(symbolizer__add_module(symbolizer, other, text, "text", NULL), 0);
	names__location(names, 0, 4711, false, &locations[0]);
	names__location(names, module, UINT64_MAX, true, &locations[1]);
	names__location(names, module, 0, false, &locations[2]);
	names__location(names, other, 10, false, &locations[3]);
	names__location(names, module, 1234, false, &locations[4]);
	names__set_frames(names, locations[4], &frame, 1);
	assert_return_code(symbolizer__name_all(symbolizer, names), 0);
	for (size_t i = 0; i < 5; i++) {
		const struct names_location *location = names__get_location(names, locations[i]);

		assert_int_equal(location->nframes, 1);
		assert_null(location->frames[0].file);
		assert_int_equal(location->frames[0].line, 0);
		if (i < 4)
			assert_null(location->frames[0].function);
		else
			assert_string_equal(location->frames[0].function, "kept");
	}
	close(fd);
	close(text);
	symbolizer__free(symbolizer);
	roots__free(roots);
	names__free(names);
	symbolizer__free(NULL);
}

static void test_intervals(void **state)
{
	static const struct interval ranges[] = {
		{ 10, 50, 0 }, { 20, 30, 1 }, { 20, 30, 2 }, { 25, 40, 3 },
		{ 45, 60, 4 }, { 5, 11, 5 },  { 20, 28, 6 },
	};
	struct intervals intervals = {};

	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
		intervals__add(&intervals, ranges[i].start, ranges[i].end, ranges[i].value);
	assert_return_code(intervals__sort(&intervals), 0);
	for (uint64_t address = 0; address < 70; address++) {
		const struct interval *found = intervals__find(&intervals, address), *best = NULL;

		/* The one that starts last, then the shortest, then the one added last. */
		for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
			if (ranges[i].start <= address && address < ranges[i].end &&
			    (!best || ranges[i].start > best->start ||
			     (ranges[i].start == best->start && ranges[i].end <= best->end)))
				best = &ranges[i];
		assert_int_equal(!found, !best);
		if (best)
			assert_int_equal(found->value, best->value);
	}
	intervals__release(&intervals);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_c),
		cmocka_unit_test(test_inlined_frames_of_c),
		cmocka_unit_test(test_function_in_function),
		cmocka_unit_test(test_dropped_function),
		cmocka_unit_test(test_folded_functions),
		cmocka_unit_test(test_cxx),
		cmocka_unit_test(test_clang_dwarf_5),
		cmocka_unit_test(test_rust),
		cmocka_unit_test(test_libc),
		cmocka_unit_test(test_build_id),
		cmocka_unit_test(test_debuglink),
		cmocka_unit_test(test_dwz),
		cmocka_unit_test(test_symtab),
		cmocka_unit_test(test_dynsym),
		cmocka_unit_test(test_mini_debug_info),
		cmocka_unit_test(test_vdso),
		cmocka_unit_test(test_damaged_files),
		cmocka_unit_test(test_name_that_unfolds),
		cmocka_unit_test(test_long_names),
		cmocka_unit_test(test_after_the_file_is_gone),
		cmocka_unit_test(test_unknown_places),
		cmocka_unit_test(test_intervals),
	};

	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
