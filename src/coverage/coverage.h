/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Is what was tracked what made the processes grow? Compares the growth of their anonymous memory,
 * resident and swapped, with what their tracked allocations took at the most, and says why they
 * differ where that can be told.
 *
 * A process that was there when counting began starts from what it had then, a child of fork from
 * what it was given, a program from nothing.
 */
#ifndef MT_COVERAGE_H
#define MT_COVERAGE_H

#include "coverage/followed.h"
#include "snapshot/snapshot.h"

struct coverage;

/* What a child of fork had when it began, in bytes; 0: not known. */
typedef uint64_t size_at_fork_fn(void *context, pid_t pid);

/* Notes what the processes have now: to be called when counting begins, and anew when it begins
 * again. `followed` stays the caller's and outlives it. NULL: no memory. */
struct coverage *coverage__new(const struct followed *followed, size_at_fork_fn *size_at_fork,
			       void *context);
void coverage__free(struct coverage *coverage);	/* takes NULL */

/* Fills snapshot->coverage; its strings are interned. 0 or -ENOMEM. */
int coverage__measure(struct coverage *coverage, struct snapshot *snapshot);

#endif
