/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From the kernel's books to a snapshot. */
#ifndef MT_COLLECT_BOOKS_H
#define MT_COLLECT_BOOKS_H

#include "collect/modules.h"
#include "collect/tables.h"
#include "snapshot/snapshot.h"

struct books;

struct books *books__new(struct tables *tables, struct modules *modules, struct names *names,
			 struct roots *roots);
void books__free(struct books *books);

/* Forgets what was looked up: the tables were cleared. */
void books__clear(struct books *books);

struct books_opts {
	uint64_t min_age_ns;	/* blocks younger than that are left out of the traces' size, count */
	bool ages;		/* tell the age of the oldest block: looks at every live block */
	uint32_t only;		/* index of the only process to tell of; 0: all */
};

/*
 * Adds the processes and their traces to the snapshot, and fills its totals and losses. Costs what
 * changed: a site's stack is looked up when it is first seen.
 */
int books__read(struct books *books, const struct books_opts *opts, struct snapshot *snapshot);

/* Looks up, once, what /proc tells of the process with this index, which may be gone by the time
 * that it is reported. */
void books__meet(struct books *books, uint32_t index);
/* How the process sees files; NULL: not known. */
struct view *books__view(const struct books *books, uint32_t index);

/* The stack of a site, as an index of names' stacks; 0: none. */
int books__stack_of_site(struct books *books, uint32_t site, uint32_t *stack);

/* Marks what is known of the tracked allocations as in use, see names__begin_forgetting(). */
void books__use_names(struct books *books);

#endif
