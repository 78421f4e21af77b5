/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The processes of one or two snapshots, and those that have to do with a group. */
#ifndef MT_SNAPSHOT_MEMBERS_H
#define MT_SNAPSHOT_MEMBERS_H

#include "snapshot/statistics.h"

struct process_entry;

/*
 * The entry of a process, the same for both snapshots: by its number, or by pid and name where a
 * file gives no number. `comm` is interned in one place for both. NULL: no memory.
 */
struct process_entry *process_entry__get(struct process_entry **entries,
					 const struct snapshot_process *process, const char *comm);
/* Notes that it is in the newer or the older snapshot. */
void process_entry__set(struct process_entry *entry, const struct snapshot_process *process,
			bool before);
const struct stat_process *process_entry__shown(const struct process_entry *entry);
/* From now on they are in neither. How many have not been before. */
size_t process_entries__begin(struct process_entry *entries);
/* Those of the newer snapshot, compared with the older; the caller frees. NULL: no memory. */
struct stat_process *process_entries__list(struct process_entry *entries, bool compared,
					   size_t *count);
void process_entries__free(struct process_entry *entries);

/* What a process has to do with a group; only the highest rank that occurs is kept. */
enum member_rank {
	MEMBER_ALLOCATED = 0,	/* it has allocated there */
	MEMBER_HELD,		/* it held blocks when the older snapshot was taken */
	MEMBER_HOLDS,
};

struct members {
	const struct stat_process **items; /* by pid */
	size_t count;
	enum member_rank rank;
};

int members__add(struct members *members, const struct stat_process *process,
		 enum member_rank rank);	/* 0 or -ENOMEM */
void members__release(struct members *members);

#endif
