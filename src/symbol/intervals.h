/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which of many address ranges, which may nest, holds an address: asked in ascending order. */
#ifndef MT_SYMBOL_INTERVALS_H
#define MT_SYMBOL_INTERVALS_H

#include <stddef.h>
#include <stdint.h>

struct interval {
	uint64_t start, end;	/* end: one past the last */
	uint32_t value;
};

struct intervals {
	struct interval *items;
	size_t count;
	/* of the sweep: the ranges that have begun, innermost last; `next` has not */
	uint32_t *open;
	size_t nopen, next;
};

int intervals__add(struct intervals *intervals, uint64_t start, uint64_t end, uint32_t value);
/* After the last add, before the first find. */
int intervals__sort(struct intervals *intervals);
/*
 * The innermost range around `address` (of equal ranges the one with the highest value), NULL if
 * there is none. `address` must not be lower than in the call before. All calls together take
 * linear time, whatever the ranges look like.
 */
const struct interval *intervals__find(struct intervals *intervals, uint64_t address);
void intervals__release(struct intervals *intervals);

#endif
