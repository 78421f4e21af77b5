/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The memory that one process has mapped for itself: ranges of addresses, none overlapping. What
 * is unmapped may be any part of them. Plain data, nothing of the kernel.
 */
#ifndef MT_COLLECT_REGIONS_H
#define MT_COLLECT_REGIONS_H

#include <stdbool.h>
#include <stdint.h>

/* A call that mapped memory, while any piece of that is left. */
struct region_call {
	uint32_t site;
	uint32_t npieces;
	uint32_t nseen;		/* of them, by somebody who looks at each: all, and it begins anew */
	uint64_t time_ns;
};

struct region {
	uint64_t start, end;	/* end: one past the last */
	uint64_t born;		/* when the call had returned, in the order of all calls */
	struct region_call *call;
};

struct regions;

struct regions *regions__new(void);
/* Takes NULL. */
void regions__free(struct regions *regions);

/* Enters a range. What is in the books there must have been taken out before. 0 or -ENOMEM. */
int regions__add(struct regions *regions, uint64_t start, uint64_t end, uint64_t born,
		 const struct region_call *call);

/* `size` bytes of the site's are gone; `last`: with them, all that one call mapped. */
typedef void (*region_gone_fn)(void *context, uint32_t site, uint64_t size, bool last);

/*
 * Takes out what lies in the range and was born before `before`: what came later was mapped there
 * when the call that unmaps had already begun, and so after it. -ENOMEM: a piece that is left
 * over could not be kept, and was reported as gone.
 */
int regions__take(struct regions *regions, uint64_t start, uint64_t end, uint64_t before,
		  region_gone_fn gone, void *context);

/* The one that holds the address, or NULL. */
const struct region *regions__find(const struct regions *regions, uint64_t address);

typedef void (*region_fn)(const struct region *region, void *context);
/* In the order of addresses. */
void regions__each(const struct regions *regions, region_fn look, void *context);

#endif
