/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tracemalloc's statistics over a snapshot: group, order, compare. */
#ifndef MT_SNAPSHOT_STATISTICS_H
#define MT_SNAPSHOT_STATISTICS_H

#include "snapshot/snapshot.h"

enum group_by {
	GROUP_BY_LINE = 0,	/* lineno */
	GROUP_BY_FILE,		/* filename */
	GROUP_BY_FUNCTION,
	GROUP_BY_TRACEBACK,
	GROUP_BY_LIBRARY,	/* module */
	GROUP_BY_PROCESS,
	GROUP_BY_CGROUP,
	GROUP_BY_MAX,
	GROUP_BY_ADDRESS = GROUP_BY_MAX, /* within a function: leaves of the tree report */
};

/* "line", "file", ...; as the option and the JSON name it. */
const char *group_by__name(enum group_by group_by);

/* A group is one frame, not a traceback or what has none. */
static inline bool group_by__is_frame(enum group_by group_by)
{
	return group_by != GROUP_BY_TRACEBACK && group_by != GROUP_BY_PROCESS &&
	       group_by != GROUP_BY_CGROUP;
}

enum statistics_order {
	ORDER_SIZE = 0,		/* as Snapshot.statistics: size, count, traceback */
	ORDER_DIFFERENCE,	/* as Snapshot.compare_to: |size_diff|, size, |count_diff|, count,
				 * traceback */
};

/* A frame as a report shows it: one location may be several, for inlined functions. */
struct stat_frame {
	const char *function, *file;	/* NULL: not known */
	uint32_t line;			/* 0: not known */
	bool inlined;
	const char *module;		/* NULL: not known */
	const char *build_id;		/* of the module; NULL: none, or not known */
	uint64_t copy;			/* see names__module_copy() */
	uint64_t offset;		/* in the module's file; 0: not known */
};

/* What frames that are equal in line do not share. */
struct frame_place {
	const char *module;		/* as in stat_frame */
	uint64_t offset;
};

struct stat_process {
	const struct snapshot_process *process;
	int64_t size_diff, count_diff;	/* as a statistic's */
};

/*
 * A group and what it holds. What makes a group:
 * line: file and line; where the file is not known, the place in the module.
 * file: the file; where it is not known, the module.
 * function: function and file (or module); where it has no name, the module.
 * library: the module.
 * traceback: all frames, and why the traceback ends.
 * process, cgroup: that.
 * With several processes, places in different modules are different, also where the source file
 * and line are the same; a module is known by its build id, without one by its path.
 * What is not part of the key is shown where all members of the group agree on it.
 */
struct statistic {
	uint64_t size, count;
	int64_t size_diff, count_diff;	/* against the snapshot compared with; 0 without one */
	uint64_t alloc_size, alloc_count;
	uint64_t peak_size, peak_count;	/* held at the process' peak */
	uint64_t temporary;		/* blocks freed before their thread allocated again */
	uint64_t usable_size;		/* what the allocator gave; 0: not known */
	uint64_t oldest_ns;		/* age of the oldest outstanding block; 0: not known */
	/* Standard errors of size and count; 0 where these are exact. */
	double size_error, count_error;
	const uint64_t *histogram;	/* outstanding blocks by size class; NULL: not asked for */
	const struct stat_frame *const *frames;	/* one; traceback: all, most recent call first */
	const struct frame_place *places; /* traceback: instead of the frames' own; see
					   * statistic__frame() */
	uint32_t nframes;		/* by process or cgroup: none */
	uint8_t stop;			/* enum stop_reason; traceback only */
	const struct snapshot_process *process; /* by process; NULL: not known */
	const char *cgroup;		/* by cgroup; NULL: not known */
	/* The processes that hold memory there; where none does, those that did in the snapshot
	 * compared with; else those that have allocated there. By pid. */
	const struct stat_process *const *processes;
	size_t nprocesses;
};

/* A frame of the statistic: where its members return to different places of a line, offset is 0,
 * and where the line is in several modules, module is NULL; of one file's paths it is the first in
 * alphabetical order. */
static inline struct stat_frame statistic__frame(const struct statistic *item, uint32_t i)
{
	struct stat_frame frame = *item->frames[i];

	if (item->places) {
		frame.module = item->places[i].module;
		frame.offset = item->places[i].offset;
	}
	return frame;
}

struct statistics {
	struct statistic *items;	/* biggest first */
	size_t count;
	struct stat_process *processes;	/* of `snapshot`, in the same order; not filtered */
	size_t nprocesses;
	uint64_t filtered_size, filtered_count;	/* of `snapshot`: what filters left out */
	struct grouping *grouping;	/* owns the frames */
};

/*
 * Which traces count: tracemalloc's Filter and DomainFilter. A trace must match one of the
 * inclusive filters, if there are any, and none of the others.
 */
struct filter {
	bool inclusive;
	const char *domain;	/* DomainFilter: the allocator's name; NULL: a filter of files */
	/* Of the frame that the line grouping takes, or of any frame (all_frames); "<unknown>"
	 * stands for a file that is not known. An fnmatch pattern without escapes. */
	const char *file;
	uint32_t line;		/* 0: any */
};

struct statistics_opts {
	enum group_by group_by;
	enum statistics_order order;
	/*
	 * Every frame of a traceback counts, not only the most recent: once each time it occurs,
	 * as tracemalloc does it. Wrappers play no part. -EINVAL where a group is no frame.
	 */
	bool cumulative;
	/*
	 * Only ways to the allocator: line, file, function and library go to the first frame
	 * outside them; where there is none, to the outermost frame whose line is known, else to
	 * the innermost. Patterns as in wrappers.h, NULL-terminated; NULL: none.
	 */
	const char *const *wrappers;
	const struct filter *filters;
	size_t nfilters;
	bool histogram;
	bool all_frames;	/* filters of files look at all frames of a traceback */
};

/*
 * Statistics of `snapshot`, with differences against `old` where that is not NULL; groups that are
 * gone stay with size 0 and their negative difference, groups of which all was freed with size 0
 * and what they allocated. If `old` has other names, its strings are
 * added to those of `snapshot`. The frames' strings live as long as these names, the
 * processes as long as the snapshots.
 */
int statistics__new(const struct snapshot *snapshot, const struct snapshot *old,
		    const struct statistics_opts *opts, struct statistics **statistics);
/*
 * The same of later snapshots, with the same names and options: what *statistics, where that is not
 * NULL, said before is replaced. Costs what changed since. On failure it is freed, and NULL.
 */
int statistics__update(const struct snapshot *snapshot, const struct snapshot *old,
		       const struct statistics_opts *opts, struct statistics **statistics);
void statistics__free(struct statistics *statistics);	/* takes NULL */

/* The wrappers known from the start: malloc's relatives, operator new, strdup, g_malloc, ... */
extern const char *const statistics_default_wrappers[];

#endif
