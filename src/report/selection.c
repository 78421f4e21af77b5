// SPDX-License-Identifier: GPL-2.0-or-later
#include "report/selection.h"

#include <errno.h>
#include <stdlib.h>

#include "base/saturate.h"

/* What shrank counts with the size it had: else --min-size would hide the largest releases. */
static uint64_t largest_size(const struct statistic *item)
{
	return item->size_diff < 0 ? item->size - (uint64_t)item->size_diff : item->size;
}

static bool holds_nothing(const struct statistic *item)
{
	return !item->size && !item->count && !item->size_diff && !item->count_diff;
}

int selection__init(struct selection *selection, const struct snapshot *snapshot,
		    const struct snapshot *old, const struct report_opts *opts, bool freed,
		    struct statistics **kept)
{
	struct statistics *statistics;
	int err;

	*selection = (struct selection){};
	err = statistics__update(snapshot, old, &opts->statistics, kept);
	if (err)
		return err;
	statistics = *kept;
	selection->statistics = statistics;
	selection->items = calloc(statistics->count + 1, sizeof(*selection->items));
	if (!selection->items)
		return -ENOMEM;
	for (size_t i = 0; i < statistics->count; i++) {
		const struct statistic *item = &statistics->items[i];

		if (!freed && holds_nothing(item))
			continue;
		if ((!opts->top || selection->count < opts->top) &&
		    largest_size(item) >= opts->min_size) {
			selection->items[selection->count++] = item;
			continue;
		}
		selection->other_groups++;
		add_saturated(&selection->other_size, item->size);
		selection->other_count += item->count;
	}
	return 0;
}

void selection__release(struct selection *selection)
{
	free(selection->items);
}
