// SPDX-License-Identifier: GPL-2.0-or-later
#include "symbol/intervals.h"

#include <errno.h>
#include <stdlib.h>

int intervals__add(struct intervals *intervals, uint64_t start, uint64_t end, uint32_t value)
{
	/* Room doubles whenever the count is a power of two. */
	if (!(intervals->count & (intervals->count - 1))) {
		size_t room = intervals->count ? 2 * intervals->count : 1;
		struct interval *items = reallocarray(intervals->items, room, sizeof(*items));

		if (!items)
			return -ENOMEM;
		intervals->items = items;
	}
	intervals->items[intervals->count++] = (struct interval){ start, end, value };
	return 0;
}

static int outer_first(const void *a, const void *b)
{
	const struct interval *x = a, *y = b;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	if (x->end != y->end)
		return x->end > y->end ? -1 : 1;
	return x->value < y->value ? -1 : x->value > y->value;
}

int intervals__sort(struct intervals *intervals)
{
	if (!intervals->count)
		return 0;
	qsort(intervals->items, intervals->count, sizeof(*intervals->items), outer_first);
	intervals->open = calloc(intervals->count, sizeof(*intervals->open));
	return intervals->open ? 0 : -ENOMEM;
}

const struct interval *intervals__find(struct intervals *intervals, uint64_t address)
{
	const struct interval *items = intervals->items;

	while (intervals->next < intervals->count && items[intervals->next].start <= address)
		intervals->open[intervals->nopen++] = intervals->next++;
	/* What has ended can go for good, as addresses only rise; what it hid may still be open. */
	while (intervals->nopen && items[intervals->open[intervals->nopen - 1]].end <= address)
		intervals->nopen--;
	return intervals->nopen ? &items[intervals->open[intervals->nopen - 1]] : NULL;
}

void intervals__release(struct intervals *intervals)
{
	free(intervals->items);
	free(intervals->open);
	*intervals = (struct intervals){};
}
