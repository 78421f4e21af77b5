/* SPDX-License-Identifier: GPL-2.0-or-later */
/* jemalloc's functions beside the standard ones: jemalloc(3), "Non-standard API". */
#include <jemalloc/jemalloc.h>
#include <stdlib.h>

#include "truth.h"

static void functions(int argc, char **argv)
{
	void *p, *q;
	size_t got;

	p = mallocx(101, 0); TAKE(p, 101);
	p = mallocx(102, MALLOCX_ALIGN(256) | MALLOCX_ZERO); TAKE(p, 102);
	p = mallocx(1000, MALLOCX_TCACHE_NONE); TAKE(p, 1000);
	DROP(p); p = rallocx(p, 100000, 0); TAKE(p, 100000);
	DROP(p); p = rallocx(p, 50, MALLOCX_ALIGN(128)); TAKE(p, 50);
	p = malloc(200); TAKE(p, 200);
	DROP(p); dallocx(p, 0);
	p = mallocx(201, 0); TAKE(p, 201);
	DROP(p); sdallocx(p, 201, 0);
	p = mallocx(202, 0); TAKE(p, 202);
	DROP(p); free(p);

	/* In place: refused, granted, and granted with something on top. */
	p = malloc(1000); TAKE(p, 1000);
	if (xallocx(p, 1 << 20, 0, 0) >= 1 << 20)
		abort();
	q = malloc(1000); TAKE(q, 1000);
	DROP(q); got = xallocx(q, 1010, 0, 0); TAKE(q, 1010);
	if (got < 1010)
		abort();
	q = malloc(1000); TAKE(q, 1000);
	DROP(q); got = xallocx(q, 1001, 1 << 30, 0); TAKE(q, got);
}

const struct scenario scenarios[] = {
	{ "functions", functions },
	{},
};
