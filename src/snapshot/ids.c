// SPDX-License-Identifier: GPL-2.0-or-later
#include "snapshot/ids.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"

#define NO_INDEX UINT32_MAX

int ids__add(struct ids *ids, uint64_t id, uint32_t index)
{
	if (array__make_room(&ids->items, ids->count, sizeof(*ids->items)))
		return -ENOMEM;
	ids->items[ids->count++] = (struct id){ .id = id, .index = index };
	return 0;
}

static int compare_ids(const void *x, const void *y)
{
	const struct id *a = x, *b = y;

	return (a->id > b->id) - (a->id < b->id);
}

static int ids__make_direct(struct ids *ids)
{
	uint64_t highest = ids->count ? ids->items[ids->count - 1].id : 0;

	if (highest / 4 > ids->count)
		return 0;
	ids->direct = malloc((highest + 1) * sizeof(*ids->direct));
	if (!ids->direct)
		return -ENOMEM;
	ids->ndirect = highest + 1;
	memset(ids->direct, 0xff, ids->ndirect * sizeof(*ids->direct));
	for (size_t i = 0; i < ids->count; i++)
		ids->direct[ids->items[i].id] = ids->items[i].index;
	return 0;
}

int ids__close(struct ids *ids)
{
	if (ids->count)
		qsort(ids->items, ids->count, sizeof(*ids->items), compare_ids);
	for (size_t i = 0; i < ids->count; i++)
		if (!ids->items[i].id || (i && ids->items[i].id == ids->items[i - 1].id))
			return -EINVAL;
	return ids__make_direct(ids);
}

bool ids__find(const struct ids *ids, uint64_t id, uint32_t *index)
{
	const struct id key = { .id = id }, *found;

	if (ids->direct) {
		*index = id < ids->ndirect ? ids->direct[id] : NO_INDEX;
		return *index != NO_INDEX;
	}
	if (!ids->count)
		return false;
	found = bsearch(&key, ids->items, ids->count, sizeof(key), compare_ids);
	if (found)
		*index = found->index;
	return found;
}

void ids__release(struct ids *ids)
{
	free(ids->items);
	free(ids->direct);
}
