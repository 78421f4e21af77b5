/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The allocator's entry points, one by one and by the million. */
#include <dirent.h>
#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <regex.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "truth.h"

/* C23; not in glibc before 2.41. */
extern void free_sized(void *p, size_t size) __attribute__((weak));
extern void free_aligned_sized(void *p, size_t alignment, size_t size) __attribute__((weak));

/* Hides a number from the compiler, which would warn about or optimise what follows from it. */
static size_t opaque(size_t n)
{
	__asm__ volatile("" : "+r"(n));
	return n;
}

/* ---- every entry point, one line each: one block stays, one is freed ---- */

static void let_go(void *p)
{
	DROP(p);
	free(p);
}

static void entry_points(int argc, char **argv)
{
	void *p, *q;

	for (int keep = 0; keep < 2; keep++) {
		void *b[16] = { NULL };
		int n = 0;

		p = malloc(101), TAKE(p, 101), b[n++] = p;
		p = malloc(opaque(0)), TAKE(p, 0), b[n++] = p;
		p = calloc(3, 103), TAKE(p, 309), b[n++] = p;
		p = calloc(opaque(0), 8), TAKE(p, 0), b[n++] = p;
		p = realloc(NULL, 107), TAKE(p, 107), b[n++] = p;
		p = reallocarray(NULL, 5, 109), TAKE(p, 545), b[n++] = p;
		p = posix_memalign(&q, 64, 113) ? NULL : q, TAKE(p, 113), b[n++] = p;
		p = posix_memalign(&q, 3, 127) ? NULL : q, TAKE(p, 127);	/* EINVAL */
		p = aligned_alloc(128, 256), TAKE(p, 256), b[n++] = p;
		p = memalign(4096, 131), TAKE(p, 131), b[n++] = p;
		p = memalign(8, 137), TAKE(p, 137), b[n++] = p;	/* jumps to malloc */
#ifdef __GLIBC__
		p = valloc(139), TAKE(p, 139), b[n++] = p;
		p = pvalloc(149), TAKE(p, 149), b[n++] = p;	/* a page; 149 were asked for */
#endif
		while (!keep && n)
			let_go(b[--n]);
	}
	free(NULL);
	p = malloc(151), TAKE(p, 151);
	DROP(p);
	if (free_sized)
		free_sized(p, 151);
	else
		free(p);
	p = aligned_alloc(32, 160), TAKE(p, 160);
	DROP(p);
	if (free_aligned_sized)
		free_aligned_sized(p, 32, 160);
	else
		free(p);
}

/* ---- realloc in all its moods, and calls that fail ---- */

static void *resize(void *p, size_t n)
{
	void *q;

	DROP(p);
	q = realloc(p, n), TAKE(q, n);
	return q;
}

static void reallocs(int argc, char **argv)
{
	const size_t huge = opaque(PTRDIFF_MAX), overflow = opaque(SIZE_MAX / 2 + 2);
	void *p, *wall;

	p = malloc(1000), TAKE(p, 1000);
	p = resize(p, 500);			/* stays */
	wall = malloc(1000), TAKE(wall, 1000);	/* in the way of growing */
	p = resize(p, 5000);			/* moves: malloc, free inside */
	p = resize(p, 1 << 20);			/* moves into a mapping of its own */
	p = resize(p, 64 << 20);		/* mremap */
	p = resize(p, 40);			/* out of the mapping again */
	if (realloc(p, huge) || reallocarray(p, overflow, 2))
		abort();			/* p must have survived both */
	wall = resize(wall, 2000);
	if (malloc(huge) || calloc(overflow, 2) || calloc(huge, 1) ||
	    aligned_alloc(64, huge) || memalign(4096, huge))
		abort();
	DROP(wall);
	wall = reallocarray(wall, 3, 77), TAKE(wall, 231);
	DROP(wall);
#pragma GCC diagnostic ignored "-Wunused-result"
	wall = realloc(wall, opaque(0)), TAKE(wall, 0);	/* glibc: frees; musl: a block of 0 bytes */

	p = memalign(1024, 3000), TAKE(p, 3000);
	p = resize(p, 6000);
	for (size_t n = 1; n < 3000; n++)	/* most stay, some move */
		p = resize(p, 6000 + 16 * n);
}

/* ---- blocks that libc itself allocates ---- */

/* Sizes that libc's documentation or interface tells. */
static void strings(int argc, char **argv)
{
	const char *text = "a string of libc's own making";
	char *p, *line = NULL;
	size_t room = 0;
	ssize_t length;
	FILE *in;

	p = strdup(text), TAKE(p, strlen(text) + 1);
	p = strndup(text, 8), TAKE(p, 9);
	length = asprintf(&p, "%s, printed: %d", text, argc), TAKE(p, length + 1);
	in = fmemopen((void *)(uintptr_t)text, strlen(text), "r");
	length = getline(&line, &room, in), TAKE(line, room);
	fclose(in);
}

static int compare(const void *a, const void *b)
{
	return *(const int *)a < *(const int *)b ? -1 : *(const int *)a > *(const int *)b;
}

/* Sizes that only libc knows: compare with another tool that watches the same run. */
static void inside_libc(int argc, char **argv)
{
	static int numbers[300000];
	char buffer[64], *wide;
	regex_t pattern;
	size_t size;
	FILE *f;

	f = fopen("/proc/self/status", "r");	/* never closed */
	if (!f || !fgets(buffer, sizeof(buffer), f))
		abort();
	for (size_t i = 0; i < 300000; i++)
		numbers[i] = (int)(i * 7919 % 300000);
	qsort(numbers, 300000, sizeof(int), compare);	/* merges in a block of its own */
	f = open_memstream(&wide, &size);
	for (int i = 0; i < 1000; i++)
		fprintf(f, "%d ", numbers[i]);
	fflush(f);
	if (!opendir("/proc") || !realpath("/proc/../proc", NULL) ||
	    regcomp(&pattern, "^([a-z]+)(one|two)*$", REG_EXTENDED))
		abort();
}

/* ---- big, many, and mixed ---- */

static void huge(int argc, char **argv)
{
	const size_t gib = 1UL << 30;
	void *p, *q;

	p = malloc(opaque(3 * gib)), TAKE(p, 3 * gib);
	q = calloc(opaque(5), gib), TAKE(q, 5 * gib);
	q = resize(q, opaque(6 * gib + 1));
}

static uint64_t random_state = 88172645463325252ULL;

static uint64_t random_next(void)	/* xorshift64, Marsaglia 2003 */
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	return random_state ^= random_state << 17;
}

/* 10 x 10 x 10 functions that call each other: path 372 is third3 > second7 > first2. */
typedef void *step_fn(unsigned int path, size_t size);
static step_fn *const first[], *const second[];

#define STEP(name, next)						\
	static FRAME void *name(unsigned int path, size_t size)	\
	{ void *p = next; NOT_A_TAIL_CALL(); return p; }
#define LEAF(name)							\
	static FRAME void *name(unsigned int path, size_t size)	\
	{ void *p = malloc(size); TAKE(p, size); return p; }

LEAF(first0)
LEAF(first1)
LEAF(first2)
LEAF(first3)
LEAF(first4)
LEAF(first5)
LEAF(first6)
LEAF(first7)
LEAF(first8)
LEAF(first9)
#define TO_FIRST first[path % 10](path, size)
STEP(second0, TO_FIRST)
STEP(second1, TO_FIRST)
STEP(second2, TO_FIRST)
STEP(second3, TO_FIRST)
STEP(second4, TO_FIRST)
STEP(second5, TO_FIRST)
STEP(second6, TO_FIRST)
STEP(second7, TO_FIRST)
STEP(second8, TO_FIRST)
STEP(second9, TO_FIRST)
#define TO_SECOND second[path / 10 % 10](path, size)
STEP(third0, TO_SECOND)
STEP(third1, TO_SECOND)
STEP(third2, TO_SECOND)
STEP(third3, TO_SECOND)
STEP(third4, TO_SECOND)
STEP(third5, TO_SECOND)
STEP(third6, TO_SECOND)
STEP(third7, TO_SECOND)
STEP(third8, TO_SECOND)
STEP(third9, TO_SECOND)

#define TEN(n) { n##0, n##1, n##2, n##3, n##4, n##5, n##6, n##7, n##8, n##9 }
static step_fn *const first[] = TEN(first), *const second[] = TEN(second);
static step_fn *const third[] = TEN(third);

/*
 * paths [BLOCKS]: that many blocks, 2,000,000 by default, over 1,000 call paths, then a random
 * half is freed. A block's size is 24 + 16 x (path % 7): a chunk of glibc's without padding.
 * Block i takes path i % 1000; what stays of each path is written as a line of its own.
 */
static void paths(int argc, char **argv)
{
	const size_t n = argc ? strtoul(argv[0], NULL, 10) : 2000000;
	static unsigned int counts[1000];
	static char text[1000 * 12];
	void **p = mmap(NULL, n * sizeof(*p), PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t freed = 0, used = 0;

	if (p == MAP_FAILED)
		abort();
	for (size_t i = 0; i < n; i++) {
		p[i] = third[i / 100 % 10]((unsigned int)(i % 1000), 24 + 16 * (i % 1000 % 7));
		counts[i % 1000]++;
	}
	while (freed < n / 2) {
		size_t i = random_next() % n;

		if (!p[i])
			continue;
		let_go(p[i]);
		p[i] = NULL;
		counts[i % 1000]--;
		freed++;
	}
	for (int i = 0; i < 1000; i++)
		used += (size_t)sprintf(text + used, "%s%u", i ? "," : "", counts[i]);
	truth_wait(text);
}

/* mixed [CALLS]: random calls on 4,096 places, the same ones in every run. */
static void mixed(int argc, char **argv)
{
	const size_t calls = argc ? strtoul(argv[0], NULL, 10) : 200000;
	static void *places[4096];

	for (size_t i = 0; i < calls; i++) {
		void **p = &places[random_next() % 4096];
		size_t n = random_next() % 2000 + 1;

		switch (random_next() % 4) {
		case 0:
			*p = resize(*p, n);
			break;
		case 1:
			let_go(*p);
			*p = malloc(n), TAKE(*p, n);
			break;
		case 2:
			let_go(*p);
			*p = calloc(n, 3), TAKE(*p, 3 * n);
			break;
		default:
			let_go(*p);
			*p = NULL;
		}
	}
}

/* ---- churn: blocks that live a moment, until a line comes ---- */

static void churn(int argc, char **argv)
{
	struct pollfd line = { .fd = 0, .events = POLLIN };
	void *volatile p;

	while (!poll(&line, 1, 0))
		for (size_t i = 0; i < 10000; i++)
			p = malloc(i), free(p);
	truth_wait("churned");
}

const struct scenario scenarios[] = {
	{ "entry_points", entry_points },
	{ "reallocs", reallocs },
	{ "strings", strings },
	{ "inside_libc", inside_libc },
	{ "huge", huge },
	{ "paths", paths },
	{ "mixed", mixed },
	{ "churn", churn },
	{ NULL, NULL },
};
