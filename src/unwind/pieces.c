// SPDX-License-Identifier: GPL-2.0-or-later
#include "unwind/pieces.h"

#include <errno.h>
#include <stdlib.h>

int pieces__add(struct pieces *pieces, const struct piece *piece)
{
	struct piece *grown;

	/* Grows at the powers of two. */
	if (!(pieces->count & (pieces->count - 1))) {
		grown = reallocarray(pieces->list, pieces->count ? 2 * pieces->count : 1,
				     sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		pieces->list = grown;
	}
	pieces->list[pieces->count++] = *piece;
	return 0;
}

bool pieces__overlap(const struct pieces *pieces, uint64_t start, uint64_t end)
{
	size_t low = 0, high = pieces->settled;

	/* The first piece that ends behind `start`. */
	while (low < high) {
		size_t middle = (low + high) / 2;

		if (pieces->list[middle].end <= start)
			low = middle + 1;
		else
			high = middle;
	}
	return low < pieces->settled && pieces->list[low].start < end;
}

static int by_start(const void *left, const void *right)
{
	const struct piece *a = left, *b = right;

	if (a->start != b->start)
		return a->start < b->start ? -1 : 1;
	/* qsort need not keep the order of equals: FDEs lie in an array, in the file's order. */
	return a->fde < b->fde ? -1 : a->fde > b->fde;
}

static bool is_sorted(const struct pieces *pieces)
{
	for (size_t i = 1; i < pieces->count; i++) {
		if (pieces->list[i].start < pieces->list[i - 1].start)
			return false;
	}
	return true;
}

void pieces__settle(struct pieces *pieces)
{
	size_t kept = 0;

	if (!is_sorted(pieces))
		qsort(pieces->list, pieces->count, sizeof(*pieces->list), by_start);
	for (size_t i = 0; i < pieces->count; i++) {
		const struct piece *piece = &pieces->list[i];

		if (kept && pieces->list[kept - 1].start == piece->start)
			continue;
		if (kept && pieces->list[kept - 1].end > piece->start)
			pieces->list[kept - 1].end = piece->start;
		pieces->list[kept++] = *piece;
	}
	pieces->count = pieces->settled = kept;
}

void pieces__release(struct pieces *pieces)
{
	free(pieces->list);
	*pieces = (struct pieces){ 0 };
}
