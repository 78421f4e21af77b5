/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Small blocks and huge ones, nested calls and calls that jump: what a sample must be right about. */
#include <stdlib.h>

#include "truth.h"

#define SMALL 200000
#define HUGE_BLOCKS 12
#define TIMES 20000

static void *volatile last;

static FRAME void small(void)
{
	for (size_t i = 0; i < SMALL; i++)
		last = malloc(16), TAKE(last, 16);
}

static FRAME void huge(void)
{
	for (size_t i = 0; i < HUGE_BLOCKS; i++)
		last = malloc(32 << 20), TAKE(last, 32 << 20);
}

/* Half of them are freed again. */
static FRAME void mixed(void)
{
	for (size_t i = 0; i < SMALL; i++) {
		last = malloc(i % 5000), TAKE(last, i % 5000);
		if (i % 2)
			DROP(last), free(last);
	}
}

/* realloc of nothing jumps to malloc, strdup calls it: each is one allocation. */
static FRAME void grown(void)
{
	for (size_t i = 0; i < TIMES; i++) {
		void *p;

		p = realloc(NULL, 1000), TAKE(p, 1000);
		last = p;
		DROP(p), p = realloc(p, 9000), TAKE(p, 9000);
		last = p;
	}
}

static FRAME void aligned(void)
{
	for (size_t i = 0; i < TIMES; i++)
		last = aligned_alloc(16, 2048), TAKE(last, 2048);
}

static void samples(int argc, char **argv)
{
	small();
	huge();
	mixed();
	grown();
	aligned();
}

const struct scenario scenarios[] = {
	{ "samples", samples },
	{ NULL, NULL },
};
