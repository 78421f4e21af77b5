/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Functions that are only a way to the allocator. */
#ifndef MT_WRAPPERS_H
#define MT_WRAPPERS_H

#include <stdbool.h>
#include <stddef.h>

struct wrapper {
	const char *pattern;
	size_t literal; /* bytes before the first wildcard: most names differ already there */
	bool of_module; /* has a slash: the path of a library, not the name of a function */
};

struct wrappers {
	struct wrapper *items;
	size_t count;
};

/* Prepares NULL-terminated `patterns` (which stay the caller's; may be NULL). 0 or -ENOMEM. */
int wrappers__init(struct wrappers *wrappers, const char *const *patterns);
void wrappers__release(struct wrappers *wrappers);

/* Either name may be NULL: not known, matches nothing. */
bool wrappers__match(const struct wrappers *wrappers, const char *function, const char *module);

/*
 * Where the qualified name begins in a demangled signature: behind the return type, which
 * demanglers put before functions made from templates ("void f<int>(int)").
 */
const char *wrappers__skip_return_type(const char *signature);

#endif
