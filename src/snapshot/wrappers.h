/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Functions that are only a way to the allocator. */
#ifndef MT_SNAPSHOT_WRAPPERS_H
#define MT_SNAPSHOT_WRAPPERS_H

#include <stdbool.h>
#include <stddef.h>

#include "snapshot/statistics.h"

enum wrapper_match {
	WRAPPER_NONE = 0,
	WRAPPER_PLAIN,	/* passed over */
	WRAPPER_WITHIN,	/* with all that it calls */
};

enum wrapper_kind {
	WRAPPER_FUNCTION = 0,
	WRAPPER_PATH,	/* of a source file or of an executable or library */
	WRAPPER_CRATE,
};

struct wrapper {
	const char *pattern;
	size_t literal; /* bytes before the first wildcard: most names differ already there */
	enum wrapper_kind kind;
	enum wrapper_match match;
};

struct wrappers {
	struct wrapper *items;
	size_t count;
};

/*
 * Prepares NULL-terminated `patterns` (which stay the caller's; may be NULL): fnmatch patterns,
 * with a slash of paths, else of function names without return type. "within PATTERN" is a function
 * with all that it calls; "crate NAME" is what the Rust crate defines, by whichever mangling, by
 * trait in "<T as Trait>::f" and by the start of a name too long to demangle. 0 or -ENOMEM.
 */
int wrappers__init(struct wrappers *wrappers, const char *const *patterns);
void wrappers__release(struct wrappers *wrappers);

/* By function, file and module. What is NULL there is not known and matches nothing. */
enum wrapper_match wrappers__match(const struct wrappers *wrappers,
				   const struct stat_frame *frame);

/*
 * Where the qualified name begins in a demangled signature: behind the return type, which
 * demanglers put before functions made from templates ("void f<int>(int)").
 */
const char *wrappers__skip_return_type(const char *signature);

#endif
