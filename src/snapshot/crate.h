/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which Rust crate a function is of, by its name. */
#ifndef MT_SNAPSHOT_CRATE_H
#define MT_SNAPSHOT_CRATE_H

#include <stdbool.h>
#include <stddef.h>

struct crate {
	const char *name;	/* within the function's name */
	size_t length;		/* 0: none, or not known */
};

struct crates {
	struct crate owner;	/* of the path, or of the trait in "<T as Trait>::f" */
	struct crate type;	/* the one that T or the type of "<T>::f" names */
	bool of_trait;		/* "<T as Trait>::f" */
};

/*
 * `name` (may be NULL) is demangled, or mangled if it was too long for that. C++ functions have no
 * crates. Manglings: RFC 2603 ("v0") and its predecessor, which looks like C++'s.
 */
struct crates crates__of(const char *name);

#endif
