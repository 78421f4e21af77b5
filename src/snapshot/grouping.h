/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The groups of one or two snapshots, before they are ordered. From one round of snapshots to the
 * next is kept what the traces of a process add to each group: while nothing happens in a process,
 * snapshots share its traces.
 */
#ifndef MT_SNAPSHOT_GROUPING_H
#define MT_SNAPSHOT_GROUPING_H

#include "snapshot/hash.h"
#include "snapshot/members.h"
#include "snapshot/places.h"
#include "snapshot/statistics.h"

struct sum {
	uint64_t size, count, alloc_size, alloc_count, peak_size, peak_count, temporary;
	uint64_t usable_size, oldest_ns;
	bool usable_unknown;	/* of some block */
	double size_variance, count_variance;
};

struct group {
	UT_hash_handle hh;
	struct sum now, before;
	uint64_t *histogram;	/* of `now`, if asked for */
	struct frame_place *places; /* of a traceback's frames, where its members agree */
	struct members members;
	uint64_t round;		/* that it was last in */
	uint64_t shares;	/* number of the shares that it last was among, ... */
	size_t share;		/* ... and which one it is of these */
	uint32_t nframes;
	/* The stop reason, then pointers to the frames; or to one process_entry, or a string. */
	uintptr_t key[];
};

struct grouping {
	struct statistics_opts opts;
	struct names *names;	/* whose strings the frames point to */
	struct wrappers wrappers;
	struct frames frames;
	struct places *places;
	struct process_entry *processes;
	struct group *groups;
	struct shares *shares;	/* by traces */
	uint64_t nshares;	/* that were ever worked out */
	uint64_t round;
	uintptr_t *key;		/* of the group in question */
	struct frame_place *key_places; /* of its frames, in a traceback */
	size_t key_room;
	struct sum filtered;	/* of what is added to `now`: left out by filters */
};

struct grouping *grouping__new(struct names *names, const struct statistics_opts *opts);
void grouping__free(struct grouping *grouping);	/* takes NULL */

/* A new round: neither snapshot has been added; `old` may be NULL. */
void grouping__begin(struct grouping *grouping, const struct snapshot *snapshot,
		     const struct snapshot *old, bool by_module);
/* The traces of `snapshot` are to be in the groups: in `before` or in `now`. */
int grouping__add(struct grouping *grouping, const struct snapshot *snapshot, bool before);
/* Now they are. */
int grouping__end(struct grouping *grouping);

/* By process or cgroup; NULL: not known. */
static inline const void *group__owner(const struct group *group)
{
	return *(const void *const *)(group->key + 1);
}

static inline const struct stat_frame *const *group__frames(const struct group *group)
{
	return (const struct stat_frame *const *)(group->key + 1);
}

#endif
