/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An allocator that gives what nobody has: sizes that no address space holds, and sums that go round. */
#include <string.h>

#include "truth.h"

#define TIMES 65536	/* of 2^46 bytes: 2^62 */

static char arena[1 << 20];
static size_t used;

FRAME void *malloc(size_t size)
{
	static uintptr_t made_up = 1ULL << 44;

	if (size > sizeof(arena) - used)
		return (void *)(made_up += 4096);
	used += (size + 15) & ~15ULL;
	return arena + used - ((size + 15) & ~15ULL);
}

FRAME void free(void *p)
{
	__asm__ volatile("" ::"r"(p) : "memory");
}

void *calloc(size_t n, size_t size)
{
	return malloc(n * size);	/* the arena is zeroed */
}

void *realloc(void *p, size_t size)
{
	void *new = malloc(size);

	return p && size <= sizeof(arena) ? memcpy(new, p, size) : new;
}

size_t malloc_usable_size(void *p)
{
	return 0;	/* truth.c asks */
}

static void *volatile last;
static volatile size_t size;	/* the compiler would know better */

static FRAME void run(int argc, char **argv)
{
	for (size_t i = 0; i < 10; i++)
		last = malloc(100), TAKE(last, 100);
	size = 1ULL << 45;
	last = malloc(size), TAKE(last, 1ULL << 45);
	size = 1ULL << 63;
	last = malloc(size);
	for (size_t i = 0; i < 12; i++) {
		size = 1ULL << 62;
		last = malloc(size);
	}
	for (size_t i = 0; i < TIMES + 100; i++) {
		size = 1ULL << 46;
		last = malloc(size);
		if (i < TIMES)
			truth_take(__FILE__, __LINE__ - 2, (uintptr_t)last, 1ULL << 46), DROP(last);
		free(last);
	}
}

const struct scenario scenarios[] = {
	{ "run", run },
	{ NULL, NULL },
};
