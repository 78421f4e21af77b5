/* SPDX-License-Identifier: GPL-2.0-or-later */
/* gperftools' names for what it has: gperftools/tcmalloc.h. */
#include <gperftools/tcmalloc.h>
#include <stdlib.h>

#include "truth.h"

/* Made for C++, which alone sees them in the header. */
void *tc_new(size_t size);
void *tc_newarray(size_t size);
void tc_delete(void *p);
void tc_deletearray_sized(void *p, size_t size);

static void functions(int argc, char **argv)
{
	void *p;

	p = tc_malloc(101); TAKE(p, 101);
	p = tc_malloc_skip_new_handler(102); TAKE(p, 102);
	p = tc_calloc(3, 35); TAKE(p, 105);
	DROP(p); p = tc_realloc(p, 30000); TAKE(p, 30000);
	p = tc_memalign(256, 106); TAKE(p, 106);
	if (!tc_posix_memalign(&p, 64, 107)) TAKE(p, 107);
	p = tc_valloc(108); TAKE(p, 108);
	p = tc_pvalloc(109); TAKE(p, 109);
	p = tc_new(110); TAKE(p, 110);
	p = tc_malloc(201); TAKE(p, 201);
	DROP(p); tc_free(p);
	p = tc_malloc(202); TAKE(p, 202);
	DROP(p); tc_cfree(p);
	p = tc_malloc(203); TAKE(p, 203);
	DROP(p); tc_free_sized(p, 203);
	p = tc_new(204); TAKE(p, 204);
	DROP(p); tc_delete(p);
	p = tc_newarray(205); TAKE(p, 205);
	DROP(p); tc_deletearray_sized(p, 205);
}

const struct scenario scenarios[] = {
	{ "functions", functions },
	{},
};
