/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From the kernel's books to a snapshot. */
#ifndef MT_BOOKS_H
#define MT_BOOKS_H

#include "collect/processes.h"
#include "collect/tables.h"
#include "snapshot/snapshot.h"

struct books;

struct books *books__new(struct tables *tables, struct names *names);
void books__free(struct books *books);

/*
 * Adds the processes and their traces to the snapshot, and fills its totals and losses. Costs what
 * changed: a site's stack is looked up when it is first seen. min_age_ns: blocks younger than
 * that are left out of size and count of the traces.
 */
int books__read(struct books *books, struct traced *const *processes, size_t nprocesses,
		uint64_t min_age_ns, struct snapshot *snapshot);

#endif
