/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tracemalloc's statistics over a snapshot: group, order, compare. */
#ifndef MT_STATISTICS_H
#define MT_STATISTICS_H

#include "snapshot/snapshot.h"

enum group_by {
	GROUP_BY_LINE = 0,	/* lineno */
	GROUP_BY_FILE,		/* filename */
	GROUP_BY_FUNCTION,
	GROUP_BY_TRACEBACK,
	GROUP_BY_LIBRARY,	/* module */
};

/* A frame as a report shows it: one location may be several, for inlined functions. */
struct stat_frame {
	const char *function, *file;	/* NULL: not known */
	uint32_t line;			/* 0: not known */
	bool inlined;
	const char *module;		/* NULL: not known */
	uint64_t offset;
};

struct statistic {
	uint64_t size, count;
	int64_t size_diff, count_diff;	/* against the snapshot compared with; 0 without one */
	uint64_t alloc_size, alloc_count;
	/* The group's key: one frame (with function and file NULL as the grouping has it), or for
	 * GROUP_BY_TRACEBACK all of them, most recent call first. Owned by the statistics. */
	struct stat_frame *frames;
	uint32_t nframes;
	uint8_t stop;			/* enum stop_reason; traceback only */
};

struct statistics {
	struct statistic *items;
	size_t count;
};

struct statistics_opts {
	enum group_by group_by;
	/* Functions that are only a way to the allocator: line, file and function go to the first
	 * frame outside them. fnmatch patterns, NULL-terminated; NULL: none. */
	const char *const *wrappers;
	uint64_t min_size;	/* bytes: leave out smaller groups */
};

/*
 * Statistics of `snapshot`, with differences against `old` where that is not NULL. Without `old`
 * ordered as tracemalloc orders them: size, count, traceback, biggest first; so also with `old`,
 * where groups that are gone stay with size 0 and their negative difference. The caller frees.
 */
int statistics__new(const struct snapshot *snapshot, const struct snapshot *old,
		    const struct statistics_opts *opts, struct statistics **statistics);
void statistics__free(struct statistics *statistics);	/* takes NULL */

/* The wrappers known from the start: malloc's relatives, operator new, strdup, g_malloc, ... */
extern const char *const statistics_default_wrappers[];

#endif
