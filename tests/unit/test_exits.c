// SPDX-License-Identifier: GPL-2.0-or-later
/* The ways out of functions that can throw: assembled by hand, so that all of them are known. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "directory.h"
#include "probe/probe.h"

/* A function with unwind information. */
#define FUNCTION(name, body)                                                                       \
	".globl " name ";.type " name ",@function;" name ":.cfi_startproc;" body                   \
	";.cfi_endproc;.size " name ",.-" name ";"

/* A library with a malloc and `code`. */
static void find_probes(const char *code, struct probes *probes)
{
	char path[128], command[256];
	FILE *cc;
	int fd;

	snprintf(path, sizeof(path), "%s/code", directory);
	snprintf(command, sizeof(command), "gcc -x c -O2 -fno-builtin -shared -fPIC -o %s - 2>&1",
		 path);
	cc = popen(command, "w");
	assert_non_null(cc);
	fprintf(cc, "void *malloc(long n) { return (void *)n; } __asm__(\".text;%s\");", code);
	assert_int_equal(pclose(cc), 0);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(probes__find(fd, "code", NULL, probes), 0);
	close(fd);
}

/* The library's malloc has one, too. */
static bool is_exit(const struct probe *probe)
{
	return probe->kind == CALL_RETURNS && strcmp(probe->symbol, "malloc");
}

static size_t count_exits(const struct probes *probes)
{
	size_t n = 0;

	for (size_t i = 0; i < probes->count; i++)
		n += is_exit(&probes->items[i]);
	return n;
}

static void check_ways_out(const char *code, size_t exits, bool all)
{
	struct probes probes;

	find_probes(code, &probes);
	assert_int_equal(count_exits(&probes), exits);
	assert_int_equal(!probes.unseen, all);
	probes__free(&probes);
}

static void test_returns(void **state)
{
	check_ways_out(FUNCTION("_Znwm", "ret"), 1, true);
	check_ways_out(FUNCTION("_Znwm", "call x@plt;ret") FUNCTION("x", "ret"), 1, true);
	check_ways_out(FUNCTION("_Znwm", "ud2"), 0, true);
	/* a call that does not return ends it; what is behind is another function */
	check_ways_out(FUNCTION("_Znwm", "call abort@plt") FUNCTION("x", "ret"), 0, true);
	/* a jump into another function, to one through the PLT, to one that is looked up itself */
	check_ways_out(FUNCTION("_Znwm", "jmp 2f") FUNCTION("x", "nop;ret;2: nop;ret"), 1, true);
	check_ways_out(FUNCTION("_Znwm", "jmp x@plt") FUNCTION("x", "nop;ret"), 1, true);
	check_ways_out(FUNCTION("_Znwm", "jmp *x@GOTPCREL(%rip)") FUNCTION("x", "ret"), 1, true);
	/* to another that is probed: its call is seen itself */
	check_ways_out(FUNCTION("_Znwm", "jmp malloc@plt"), 0, true);
	check_ways_out(FUNCTION("_Znam", "jmp _Znwm@plt") FUNCTION("_Znwm", "ret"), 1, true);
	/* both lead to the same */
	check_ways_out(FUNCTION("_Znam", "jmp x@plt") FUNCTION("_Znwm", "jmp x@plt")
		       FUNCTION("x", "ret"), 1, true);
	/* round and round */
	check_ways_out(FUNCTION("_Znwm", "1: dec %rdi;jne 1b;jmp 1b"), 0, true);
	/* nobody knows where to */
	check_ways_out(FUNCTION("_Znwm", "test %rdi,%rdi;je 1f;ret;1: jmp *%rax"), 1, false);
	check_ways_out(FUNCTION("_Znwm", "jmp elsewhere@plt"), 0, false);
}

#define CALLS "call x@plt;"	/* behind the probe of the entry */
#define X FUNCTION("x", "ret")

enum { O, NO, B, AE, E, NE, BE, A, S, NS, P, NP, L, GE, LE, G };	/* conditions as in opcodes */
#define ON(condition) (CONDITION_FIRST + (condition))
#define AT_RETURN MAKE_EXIT(IN_AX, CONDITION_NONE, 0, 0, 0)

static const struct {
	const char *code;
	uint64_t exits[2];	/* cookies, jumps to the place first; 0: no more */
} foreseen[] = {
	{ "push %rbx;" CALLS "test %rax,%rax;je 1f;pop %rbx;ret;1: ud2",
	  { MAKE_EXIT(IN_AX, ON(NE), 1, 0, 1) } },
	{ "push %rbx;" CALLS "test %rax,%rax;jne 1f;ud2;1: pop %rbx;ret",
	  { MAKE_EXIT(IN_AX, ON(NE), 1, 0, 1) } },
	{ "push %rbx;" CALLS "jmp 1f;nop;1: pop %rbx;ret",
	  { MAKE_EXIT(IN_AX, CONDITION_NONE, 1, 0, 1) } },
	/* the block is elsewhere by then */
	{ "push %rbp;push %rbx;" CALLS "cmp %rax,%rbx;jb 1f;mov %rbx,%rax;pop %rbx;pop %rbp;ret;"
	  "1: ud2", { MAKE_EXIT(IN_BX, ON(AE), 2, 1, 2) } },
	{ "push %r12;" CALLS "test %rax,%rax;js 1f;mov %r12,%rcx;mov %rcx,%rax;pop %r12;ret;1: ud2",
	  { MAKE_EXIT(IN_R12, ON(NS), 1, 0, 0) } },
	{ "sub $24,%rsp;" CALLS "test %rax,%rax;jg 1f;ud2;1: add $24,%rsp;ret",
	  { MAKE_EXIT(IN_AX, ON(G), 3, 0, 0) } },
	/* a register that is not the caller's matters only until it is popped */
	{ "push %rbx;" CALLS "test %rax,%rax;jo 1f;mov (%rax),%rbx;addq $1,(%rbx);pop %rbx;ret;"
	  "1: ud2", { MAKE_EXIT(IN_AX, ON(NO), 1, 0, 1) } },
	/* two ways to one return */
	{ "push %rbx;" CALLS "test %rax,%rax;je 1f;2: pop %rbx;ret;1:" CALLS "jmp 2b",
	  { MAKE_EXIT(IN_AX, CONDITION_NONE, 1, 0, 1),
	    MAKE_EXIT(IN_AX, ON(NE), 1, 0, 1) } },
	/* not to be foreseen: what a call returns, what is loaded or computed, another stack */
	{ "push %rbx;" CALLS "pop %rbx;ret", { AT_RETURN } },
	{ "push %rbx;" CALLS "test %rax,%rax;je 1f;mov (%rbx),%rax;pop %rbx;ret;1: ud2",
	  { AT_RETURN } },
	{ "push %rbx;" CALLS "test %rax,%rax;je 1f;cmove %rbx,%rax;pop %rbx;ret;1: ud2",
	  { AT_RETURN } },
	{ "push %rbx;" CALLS "test %rax,%rax;je 1f;mov %ebx,%eax;pop %rbx;ret;1: ud2",
	  { AT_RETURN } },
	{ "push %rbp;mov %rsp,%rbp;" CALLS "test %rax,%rax;je 1f;leave;ret;1: ud2",
	  { AT_RETURN } },
	{ CALLS "test %rax,%rax;je 1f;mov %rdi,%rbx;ret;1: ud2", { AT_RETURN } },
	/* on one of two ways */
	{ "push %rbx;" CALLS "test %rax,%rax;je 1f;" CALLS "1: pop %rbx;ret", { AT_RETURN } },
	/* the jump carries the probe of the entry */
	{ "test %rdi,%rdi;je 1f;ret;1: ud2", { AT_RETURN } },
};

static void test_foreseen(void **state)
{
	for (size_t i = 0; i < sizeof(foreseen) / sizeof(foreseen[0]); i++) {
		struct probes probes;
		char code[1024];
		size_t n = 0;

		snprintf(code, sizeof(code), FUNCTION("_Znwm", "%s") X, foreseen[i].code);
		find_probes(code, &probes);
		for (size_t j = 0; j < probes.count; j++) {
			const struct probe *probe = &probes.items[j];

			if (!is_exit(probe))
				continue;
			if (n == 2 || probe->cookie != foreseen[i].exits[n])
				fail_msg("%s: exit %zu is %s, %#lx", foreseen[i].code, n,
					 probe->instruction, probe->cookie);
			assert_int_equal(probe->emulated, probe->cookie != AT_RETURN);
			n++;
		}
		assert_int_equal(n, 1 + !!foreseen[i].exits[1]);
		probes__free(&probes);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_returns),
		cmocka_unit_test(test_foreseen),
	};

	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
