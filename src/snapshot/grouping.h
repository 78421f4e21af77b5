/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The groups of one or two snapshots, before they are ordered. */
#ifndef MT_GROUPING_H
#define MT_GROUPING_H

#include "snapshot/frames.h"
#include "snapshot/hash.h"
#include "snapshot/members.h"
#include "snapshot/statistics.h"
#include "snapshot/wrappers.h"

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
	uint32_t nframes;
	/* The stop reason, then pointers to the frames; or to one process_entry, or a string. */
	uintptr_t key[];
};

struct grouping {
	const struct statistics_opts *opts;
	struct names *names;	/* whose strings the frames point to */
	struct wrappers wrappers;
	struct frames frames;
	struct process_entry *processes;
	struct group *groups;
	struct sum filtered;	/* of what is added to `now`: left out by filters */
};

struct grouping *grouping__new(struct names *names, const struct statistics_opts *opts,
			       bool by_module);
void grouping__free(struct grouping *grouping);	/* takes NULL */

/* Adds the traces of `snapshot` to the groups: to `before` or to `now`. */
int grouping__add(struct grouping *grouping, const struct snapshot *snapshot, bool before);

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
