// SPDX-License-Identifier: GPL-2.0-or-later
#include "collect/regions.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>

struct regions {
	void *tree;		/* tsearch(3) */
};

/* Ranges that overlap are equal: so that a search for a range finds one that has part of it. */
static int compare_ranges(const void *a, const void *b)
{
	const struct region *x = a, *y = b;

	if (x->end <= y->start)
		return -1;
	return x->start >= y->end;
}

struct regions *regions__new(void)
{
	return calloc(1, sizeof(struct regions));
}

static void release_call(struct region_call *call)
{
	if (!--call->npieces)
		free(call);
}

static void free_region(void *data)
{
	struct region *region = data;

	release_call(region->call);
	free(region);
}

void regions__free(struct regions *regions)
{
	if (!regions)
		return;
	tdestroy(regions->tree, free_region);
	free(regions);
}

/* One more piece of what the call mapped. */
static int add_piece(struct regions *regions, uint64_t start, uint64_t end, uint64_t born,
		     struct region_call *call)
{
	struct region *region = malloc(sizeof(*region));

	if (!region)
		return -ENOMEM;
	*region = (struct region){ start, end, born, call };
	if (!tsearch(region, &regions->tree, compare_ranges)) {
		free(region);
		return -ENOMEM;
	}
	call->npieces++;
	return 0;
}

int regions__add(struct regions *regions, uint64_t start, uint64_t end, uint64_t born,
		 const struct region_call *from)
{
	struct region_call *call = malloc(sizeof(*call));
	int err;

	if (!call)
		return -ENOMEM;
	*call = *from;
	call->npieces = 0;
	err = add_piece(regions, start, end, born, call);
	if (err)
		free(call);
	return err;
}

/* One that has part of the range, or NULL. */
static struct region *find_any(const struct regions *regions, uint64_t start, uint64_t end)
{
	const struct region range = { .start = start, .end = end };
	void *node = start < end ? tfind(&range, &regions->tree, compare_ranges) : NULL;

	return node ? *(struct region **)node : NULL;
}

static struct region *find_first(const struct regions *regions, uint64_t start, uint64_t end)
{
	struct region *first = NULL, *found;

	while ((found = find_any(regions, start, end))) {
		first = found;
		end = found->start;
	}
	return first;
}

/* Takes [start, end) out of a region that it is part of; false: no memory for what is left. */
static bool cut(struct regions *regions, struct region *region, uint64_t start, uint64_t end,
		region_gone_fn gone, void *context)
{
	struct region_call *call = region->call;
	uint64_t region_end = region->end;
	uint32_t site = call->site;
	bool kept = true, last = false;

	/* As its neighbours, it stays where it is in the tree. */
	if (region->start < start) {
		region->end = start;
		if (end < region_end)
			kept = !add_piece(regions, end, region_end, region->born, call);
	} else if (end < region_end) {
		region->start = end;
	} else {
		last = call->npieces == 1;
		tdelete(region, &regions->tree, compare_ranges);
		free_region(region);
	}
	gone(context, site, (kept ? end : region_end) - start, last);
	return kept;
}

int regions__take(struct regions *regions, uint64_t start, uint64_t end, uint64_t before,
		  region_gone_fn gone, void *context)
{
	struct region *region;
	int err = 0;

	while ((region = find_first(regions, start, end))) {
		uint64_t from = region->start > start ? region->start : start;

		start = region->end < end ? region->end : end;
		if (region->born < before &&
		    !cut(regions, region, from, start, gone, context))
			err = -ENOMEM;
	}
	return err;
}

const struct region *regions__find(const struct regions *regions, uint64_t address)
{
	return find_any(regions, address, address + 1);
}

struct look {
	region_fn look;
	void *context;
};

static void look_at_node(const void *node, VISIT visit, void *context)
{
	const struct look *look = context;

	if (visit == postorder || visit == leaf)
		look->look(*(struct region *const *)node, look->context);
}

void regions__each(const struct regions *regions, region_fn look, void *context)
{
	struct look each = { look, context };

	twalk_r(regions->tree, look_at_node, &each);
}
