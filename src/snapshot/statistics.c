// SPDX-License-Identifier: GPL-2.0-or-later
#include "snapshot/statistics.h"

#include <errno.h>
#include <math.h>
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
	if (!d)
		d = compare_strings(a->build_id, b->build_id, "");
	return d ? d : COMPARE(a->copy, b->copy);
}

static int compare_processes(const struct snapshot_process *a, const struct snapshot_process *b)
{
	int d = a && b ? COMPARE(a->pid, b->pid) : COMPARE(!b, !a);

	return d || !a || !b ? d : COMPARE(a->id, b->id);
}

/* As Python's Traceback: oldest frame first. */
static int compare_tracebacks(const struct statistic *a, const struct statistic *b)
{
	uint32_t n = a->nframes < b->nframes ? a->nframes : b->nframes;
	int d;

	for (uint32_t i = 1; i <= n; i++) {
		d = compare_frames(a->frames[a->nframes - i], b->frames[b->nframes - i]);
		if (d)
			return d;
	}
	if (a->nframes != b->nframes)
		return COMPARE(a->nframes, b->nframes);
	if (a->stop != b->stop)
		return COMPARE(a->stop, b->stop);
	d = compare_strings(a->cgroup, b->cgroup, "");
	return d ? d : compare_processes(a->process, b->process);
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

static int process_by_size(const void *x, const void *y)
{
	const struct stat_process *a = x, *b = y;
	int d = COMPARE(b->process->size, a->process->size);

	if (!d)
		d = COMPARE(b->process->count, a->process->count);
	return d ? d : compare_processes(a->process, b->process);
}

static int process_by_difference(const void *x, const void *y)
{
	const struct stat_process *a = x, *b = y;
	int d = COMPARE(llabs(b->size_diff), llabs(a->size_diff));

	return d ? d : process_by_size(x, y);
}

static void statistic__set_group(struct statistic *item, const struct group *group,
				 enum group_by group_by)
{
	const void *owner = group__owner(group);
	const struct process_entry *process = owner;

	switch (group_by) {
	case GROUP_BY_PROCESS:
		item->process = process ? process_entry__shown(process)->process : NULL;
		break;
	case GROUP_BY_CGROUP:
		item->cgroup = owner;
		break;
	default:
		item->frames = group__frames(group);
		item->places = group->places;
		item->nframes = group->nframes;
		item->stop = group->key[0];
	}
}

static void statistic__from_group(struct statistic *item, const struct group *group,
				  enum group_by group_by, bool compared)
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
		.size_error = sqrt(group->now.size_variance),
		.count_error = sqrt(group->now.count_variance),
		.histogram = group->histogram,
		.processes = group->members.items,
		.nprocesses = group->members.count,
	};
	statistic__set_group(item, group, group_by);
	if (compared) {
		item->size_diff = (int64_t)(group->now.size - group->before.size);
		item->count_diff = (int64_t)(group->now.count - group->before.count);
	}
}

/* Are there files of several processes to be told apart? */
static bool has_several(const struct snapshot *snapshot)
{
	return snapshot && (snapshot->many || snapshot->nprocesses > 1);
}

static int statistics__fill(struct statistics *statistics, bool compared)
{
	struct grouping *grouping = statistics->grouping;
	bool by_change = grouping->opts.order == ORDER_DIFFERENCE;

	free(statistics->items);
	free(statistics->processes);
	statistics->count = 0;
	statistics->items =
		calloc(HASH_COUNT(grouping->groups) + 1, sizeof(*statistics->items));
	statistics->processes =
		process_entries__list(grouping->processes, compared, &statistics->nprocesses);
	if (!statistics->items || !statistics->processes)
		return -ENOMEM;
	statistics->filtered_size = grouping->filtered.size;
	statistics->filtered_count = grouping->filtered.count;
	for (struct group *group = grouping->groups; group; group = group->hh.next)
		if (group->round == grouping->round)
			statistic__from_group(&statistics->items[statistics->count++], group,
					      grouping->opts.group_by, compared);
	qsort(statistics->items, statistics->count, sizeof(*statistics->items),
	      by_change ? by_difference : by_size);
	qsort(statistics->processes, statistics->nprocesses, sizeof(*statistics->processes),
	      by_change ? process_by_difference : process_by_size);
	return 0;
}

static int statistics__group(struct statistics *statistics, const struct snapshot *snapshot,
			     const struct snapshot *old)
{
	struct grouping *grouping = statistics->grouping;
	int err;

	grouping__begin(grouping, snapshot, old, has_several(snapshot) || has_several(old));
	err = grouping__add(grouping, snapshot, false);
	if (!err && old)
		err = grouping__add(grouping, old, true);
	if (!err)
		err = grouping__end(grouping);
	return err ? err : statistics__fill(statistics, old);
}

int statistics__update(const struct snapshot *snapshot, const struct snapshot *old,
		       const struct statistics_opts *opts, struct statistics **result)
{
	struct statistics *statistics = *result;
	int err;

	if (opts->cumulative && !group_by__is_frame(opts->group_by))
		return -EINVAL;
	if (!statistics)
		statistics = calloc(1, sizeof(*statistics));
	if (statistics && !statistics->grouping)
		statistics->grouping = grouping__new(snapshot->names, opts);
	err = statistics && statistics->grouping ?
		      statistics__group(statistics, snapshot, old) : -ENOMEM;
	if (err) {
		statistics__free(statistics);
		statistics = NULL;
	}
	*result = statistics;
	return err;
}

int statistics__new(const struct snapshot *snapshot, const struct snapshot *old,
		    const struct statistics_opts *opts, struct statistics **result)
{
	*result = NULL;
	return statistics__update(snapshot, old, opts, result);
}

void statistics__free(struct statistics *statistics)
{
	if (!statistics)
		return;
	grouping__free(statistics->grouping);
	free(statistics->items);
	free(statistics->processes);
	free(statistics);
}
