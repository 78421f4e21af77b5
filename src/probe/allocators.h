/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What there is to know of each allocator: a row of a table. */
#ifndef MT_PROBE_ALLOCATORS_H
#define MT_PROBE_ALLOCATORS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/types.h"

/* A function by the name of its symbol, and what a call of it does. */
struct function {
	const char *symbol;		/* NULL ends a list */
	__u32 call;		/* MAKE_CALL(), with numbers of arguments (1: the first) for registers */
};

/* malloc, calloc, ...: the C library's names. The first is malloc. */
extern const struct function standard_functions[];
/* C++'s operators. Of one code under several names, an earlier row's name is kept. */
extern const struct function cxx_operators[];
/* Which function may throw is said by the names "new" and "delete"; for other names than these. */
extern const struct function cxx_functions[];

struct allocator {
	const char *name;	/* NULL: the dynamic linker, whose malloc is for itself alone */
	const char *marker;	/* the symbol that gives it away */
	const char *also;	/* another that has to be there; NULL: the one is enough */
	bool is_malloc;		/* the marker is another name of its malloc: where malloc is other
				 * code, that is another allocator's */
	bool hidden;		/* the marker is not exported: a static PIE has it as a local symbol */
	/* Has operator new and delete of its own, which do not pass through its malloc. */
	bool has_operators;
	/* All its functions have names that begin so; it has no part in what is called malloc. */
	const char *prefix;
	const struct function *functions;	/* beside the standard ones, or NULL */
	__u32 flags;		/* to be said of each call: CALL_CHUNK_HEADS, CALL_PENDING */
	bool unfollowed;	/* known to keep books that our way of looking would disturb */
};

/* Before the standard names: what others may replace goes by these, too. */
#define LIBC_PREFIX "__libc_"

#define MAX_ALLOCATORS 24

/* jemalloc can be built with any prefix to all its names: two of these with the same tell. */
extern const char *const jemalloc_signs[];
extern const struct allocator prefixed_jemalloc;

/* Ends with a row without a marker: what defines malloc and is none of the others. The first row
 * that fits decides whose malloc is. */
extern const struct allocator allocators[];
extern const size_t nallocators;

#endif
