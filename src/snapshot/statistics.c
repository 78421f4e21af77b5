// SPDX-License-Identifier: GPL-2.0-or-later
#include "snapshot/statistics.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "snapshot/grouping.h"

const char *group_by__name(enum group_by group_by)
{
	static const char *const names[GROUP_BY_MAX] = {
		[GROUP_BY_LINE] = "line",
		[GROUP_BY_FILE] = "file",
		[GROUP_BY_FUNCTION] = "function",
		[GROUP_BY_TRACEBACK] = "traceback",
		[GROUP_BY_LIBRARY] = "library",
		[GROUP_BY_PROCESS] = "process",
		[GROUP_BY_CGROUP] = "cgroup",
	};

	return names[group_by];
}

#define COMPARE(a, b) (((a) > (b)) - ((a) < (b)))

/* Python compares strings by code points, which UTF-8 keeps in the order of its bytes. */
static int compare_strings(const char *a, const char *b, const char *unknown)
{
	return a == b ? 0 : strcmp(a ? a : unknown, b ? b : unknown);
}

/* As Python's Frame: file, line; then, to be determined, what Python does not know. */
static int compare_frames(const struct stat_frame *a, const struct stat_frame *b)
{
	int d;

	d = compare_strings(a->file, b->file, "<unknown>");
	if (!d)
		d = COMPARE(a->line, b->line);
	if (!d)
		d = compare_strings(a->function, b->function, "");
	if (!d)
		d = compare_strings(a->module, b->module, "");
	if (!d)
		d = COMPARE(a->offset, b->offset);
	return d;
}

/* As Python's Traceback: oldest frame first. */
static int compare_tracebacks(const struct statistic *a, const struct statistic *b)
{
	uint32_t n = a->nframes < b->nframes ? a->nframes : b->nframes;

	for (uint32_t i = 1; i <= n; i++) {
		int d = compare_frames(a->frames[a->nframes - i], b->frames[b->nframes - i]);

		if (d)
			return d;
	}
	if (a->nframes != b->nframes)
		return COMPARE(a->nframes, b->nframes);
	return COMPARE(a->stop, b->stop);
}

static int by_size(const void *x, const void *y)
{
	const struct statistic *a = x, *b = y;
	int d;

	d = COMPARE(b->size, a->size);
	if (!d)
		d = COMPARE(b->count, a->count);
	return d ? d : compare_tracebacks(b, a);
}

static int by_difference(const void *x, const void *y)
{
	const struct statistic *a = x, *b = y;
	int d;

	d = COMPARE(llabs(b->size_diff), llabs(a->size_diff));
	if (!d)
		d = COMPARE(b->size, a->size);
	if (!d)
		d = COMPARE(llabs(b->count_diff), llabs(a->count_diff));
	if (!d)
		d = COMPARE(b->count, a->count);
	return d ? d : compare_tracebacks(b, a);
}

static void statistic__from_group(struct statistic *item, const struct group *group, bool compared)
{
	*item = (struct statistic){
		.size = group->now.size,
		.count = group->now.count,
		.alloc_size = group->now.alloc_size,
		.alloc_count = group->now.alloc_count,
		.peak_size = group->now.peak_size,
		.peak_count = group->now.peak_count,
		.temporary = group->now.temporary,
		.usable_size = group->now.usable_unknown ? 0 : group->now.usable_size,
		.oldest_ns = group->now.oldest_ns,
		.histogram = group->histogram,
		.frames = group__frames(group),
		.places = group->places,
		.nframes = group->nframes,
		.stop = group->key[0],
	};
	if (compared) {
		item->size_diff = (int64_t)(group->now.size - group->before.size);
		item->count_diff = (int64_t)(group->now.count - group->before.count);
	}
}

int statistics__new(const struct snapshot *snapshot, const struct snapshot *old,
		    const struct statistics_opts *opts, struct statistics **result)
{
	struct statistics *statistics;
	struct group *group;
	int err = -ENOMEM;

	if (opts->cumulative && !group_by__is_frame(opts->group_by))
		return -EINVAL;
	statistics = calloc(1, sizeof(*statistics));
	if (!statistics)
		return -ENOMEM;
	statistics->grouping = grouping__new(snapshot->names, opts);
	if (!statistics->grouping)
		goto error;
	err = grouping__add(statistics->grouping, snapshot, false);
	if (!err && old)
		err = grouping__add(statistics->grouping, old, true);
	if (err)
		goto error;
	statistics->items = calloc(HASH_COUNT(statistics->grouping->groups) + 1,
				   sizeof(*statistics->items));
	if (!statistics->items) {
		err = -ENOMEM;
		goto error;
	}
	statistics->filtered_size = statistics->grouping->filtered.size;
	statistics->filtered_count = statistics->grouping->filtered.count;
	for (group = statistics->grouping->groups; group; group = group->hh.next)
		statistic__from_group(&statistics->items[statistics->count++], group, old);
	qsort(statistics->items, statistics->count, sizeof(*statistics->items),
	      opts->order == ORDER_DIFFERENCE ? by_difference : by_size);
	*result = statistics;
	return 0;

error:
	statistics__free(statistics);
	return err;
}

void statistics__free(struct statistics *statistics)
{
	if (!statistics)
		return;
	grouping__free(statistics->grouping);
	free(statistics->items);
	free(statistics);
}
