/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mimalloc's functions beside the standard ones: mimalloc.h. */
#include <mimalloc.h>
#include <stdlib.h>

#include "truth.h"

static mi_heap_t *heap;		/* as old as the process: it is a block itself */

__attribute__((constructor)) static void make_heap(void)
{
	heap = mi_heap_new();
}

static void allocate(void)
{
	void *p;

	p = mi_malloc(101); TAKE(p, 101);
	p = mi_malloc_small(102); TAKE(p, 102);
	p = mi_malloc_aligned(103, 128); TAKE(p, 103);
	p = mi_malloc_aligned_at(104, 128, 8); TAKE(p, 104);
	p = mi_mallocn(3, 35); TAKE(p, 105);
	p = mi_zalloc(106); TAKE(p, 106);
	p = mi_zalloc_small(107); TAKE(p, 107);
	p = mi_zalloc_aligned(108, 128); TAKE(p, 108);
	p = mi_calloc(2, 55); TAKE(p, 110);
	p = mi_calloc_aligned(3, 37, 128); TAKE(p, 111);
	p = mi_calloc_aligned_at(2, 56, 128, 8); TAKE(p, 112);
	if (!mi_posix_memalign(&p, 64, 113)) TAKE(p, 113);
	p = mi_memalign(64, 114); TAKE(p, 114);
	p = mi_aligned_alloc(64, 128); TAKE(p, 128);
	p = mi_valloc(116); TAKE(p, 116);
	p = mi_new(117); TAKE(p, 117);
	p = mi_new_aligned(118, 128); TAKE(p, 118);
	p = mi_new_nothrow(119); TAKE(p, 119);
	p = mi_new_aligned_nothrow(120, 128); TAKE(p, 120);
	p = mi_new_n(11, 11); TAKE(p, 121);
	p = mi_malloc(5000000); TAKE(p, 5000000);
	p = mi_heap_malloc(heap, 131); TAKE(p, 131);
	p = mi_heap_malloc_small(heap, 132); TAKE(p, 132);
	p = mi_heap_malloc_aligned(heap, 133, 128); TAKE(p, 133);
	p = mi_heap_mallocn(heap, 2, 67); TAKE(p, 134);
	p = mi_heap_zalloc(heap, 135); TAKE(p, 135);
	p = mi_heap_zalloc_aligned_at(heap, 136, 128, 8); TAKE(p, 136);
	p = mi_heap_calloc(heap, 1, 137); TAKE(p, 137);
	p = mi_heap_calloc_aligned(heap, 2, 69, 128); TAKE(p, 138);
}

static void reallocate(void)
{
	void *p, *q;

	p = mi_malloc(200); TAKE(p, 200);
	DROP(p); p = mi_realloc(p, 2001); TAKE(p, 2001);
	DROP(p); p = mi_reallocn(p, 2, 1001); TAKE(p, 2002);
	DROP(p); p = mi_reallocf(p, 20003); TAKE(p, 20003);
	DROP(p); p = mi_rezalloc(p, 30004); TAKE(p, 30004);
	DROP(p); p = mi_recalloc(p, 5, 8001); TAKE(p, 40005);
	DROP(p); p = mi_realloc_aligned(p, 50006, 128); TAKE(p, 50006);
	DROP(p); p = mi_rezalloc_aligned(p, 60007, 128); TAKE(p, 60007);
	DROP(p); p = mi_recalloc_aligned(p, 8, 8001, 128); TAKE(p, 64008);
	DROP(p); p = mi_reallocarray(p, 9, 8001); TAKE(p, 72009);
	DROP(p); p = mi_new_realloc(p, 80010); TAKE(p, 80010);
	DROP(p); p = mi_new_reallocn(p, 11, 8001); TAKE(p, 88011);
	DROP(p); p = mi_realloc(p, 12); TAKE(p, 12);
	p = mi_heap_malloc(heap, 13); TAKE(p, 13);
	DROP(p); p = mi_heap_realloc(heap, p, 3014); TAKE(p, 3014);
	DROP(p); p = mi_heap_reallocn(heap, p, 15, 301); TAKE(p, 4515);
	DROP(p); p = mi_heap_reallocf(heap, p, 16016); TAKE(p, 16016);
	DROP(p); p = mi_heap_rezalloc(heap, p, 17017); TAKE(p, 17017);
	DROP(p); p = mi_heap_recalloc(heap, p, 18, 1001); TAKE(p, 18018);
	DROP(p); p = mi_heap_realloc_aligned(heap, p, 19019, 128); TAKE(p, 19019);
	/* In place: granted and refused. */
	q = mi_malloc(1000); TAKE(q, 1000);
	DROP(q); q = mi_expand(q, 1010); TAKE(q, 1010);
	if (mi_expand(q, 1 << 20))
		abort();
	/* The old block goes, although there is no new one. */
	p = mi_malloc(300); TAKE(p, 300);
	DROP(p); p = mi_reallocf(p, (size_t)1 << 62); TAKE(p, 0);
	p = mi_malloc(301); TAKE(p, 301);
	if (mi_realloc(p, (size_t)1 << 62))
		abort();
}

static void release(void)
{
	void *p;

	p = mi_malloc(401); TAKE(p, 401);
	DROP(p); mi_free(p);
	p = mi_malloc(402); TAKE(p, 402);
	DROP(p); mi_free_size(p, 402);
	p = mi_malloc_aligned(403, 64); TAKE(p, 403);
	DROP(p); mi_free_aligned(p, 64);
	p = mi_malloc_aligned(404, 64); TAKE(p, 404);
	DROP(p); mi_free_size_aligned(p, 404, 64);
	p = mi_malloc(405); TAKE(p, 405);
	DROP(p); mi_cfree(p);
	p = mi_heap_malloc(heap, 406); TAKE(p, 406);
	DROP(p); free(p);
	p = malloc(407); TAKE(p, 407);
	DROP(p); mi_free(p);
}

static void functions(int argc, char **argv)
{
	allocate();
	reallocate();
	release();
}

/* What is left in them ends with them: of the one not seen, of the other moved to the thread's own. */
static void heaps(int argc, char **argv)
{
	mi_heap_t *destroyed = mi_heap_new(), *deleted = mi_heap_new();
	void *p;

	p = mi_heap_malloc(destroyed, 501); TAKE(p, 501);
	p = mi_heap_malloc(destroyed, 502); TAKE(p, 502);
	DROP(p); mi_free(p);
	p = mi_heap_malloc(deleted, 503); TAKE(p, 503);
	mi_heap_destroy(destroyed);
	mi_heap_delete(deleted);
	DROP(p); mi_free(p);
}

const struct scenario scenarios[] = {
	{ "functions", functions },
	{ "heaps", heaps },
	{},
};
