// SPDX-License-Identifier: GPL-2.0-or-later
/* What C code makes of scopes: nested inlining, cold parts, functions in functions, assembly. */
#include <stdio.h>
#include <stdlib.h>

static inline __attribute__((always_inline)) void *innermost(size_t size)
{
	void *p = malloc(size);

	if (!p)
		abort();
	return p;
}

static inline __attribute__((always_inline)) void *middle(size_t size)
{
	char *p = innermost(size + 1);

	p[size] = '\0';
	return p;
}

static inline __attribute__((always_inline)) void *outer(size_t size, int twice)
{
	void *p = middle(size);

	if (twice)
		free(innermost(2 * size));
	return p;
}

__attribute__((noinline)) void *exported(size_t size)
{
	return outer(size, size > 3);
}

static __attribute__((noinline)) int not_exported(const char *s)
{
	if (__builtin_expect(!s[0], 0)) {
		fprintf(stderr, "empty\n");
		abort();
	}
	return puts(s);
}

/* clang has no functions in functions. */
__attribute__((noinline)) int with_function_inside(int n)
{
#ifndef __clang__
	__attribute__((noinline)) int inside(int m)
	{
		return n * m + rand();
	}

	return inside(n) + inside(2 * n);
#else
	return n + rand();
#endif
}

/* A label without type and size, as hand-written assembly has it, and one with both. */
__asm__(".text\n"
	".globl bare_label\n"
	"bare_label:\n"
	"	nop\n"
	"	call rand@PLT\n"
	"	ret\n"
	".globl sized_label\n"
	".type sized_label, @function\n"
	"sized_label:\n"
	"	nop\n"
	"	ret\n"
	".size sized_label, . - sized_label\n"
	"	.skip 64, 0xcc\n"
	".section first_section, \"ax\"\n"
	".balign 64\n"
	"last_label:\n"
	"	ret\n"
	".section second_section, \"ax\"\n"
	".balign 64\n"
	"next_label:\n"
	"	ret\n"
	".text\n");

/* Dropped by --gc-sections; its DWARF stays, from address 0 to where others really are. */
#ifdef WITH_DROPPED
void dropped(void)
{
	__asm__ volatile(".rept 8192; .loc 1 1; nop; .endr");
	free(exported(1));
}
#endif

int main(int argc, char **argv)
{
	free(exported(argc));
	return not_exported(argv[0]) + with_function_inside(argc);
}
