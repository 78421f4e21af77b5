/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tables of live blocks in our memory, while the kernel half puts into them and takes from them. */
#ifndef MT_COLLECT_BLOCK_MEMORY_H
#define MT_COLLECT_BLOCK_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/types.h"
#define __noinline __attribute__((noinline))
#include "block_table.h"

static __always_inline struct block_bucket *bucket_at(const struct block_table *table, __u32 index)
{
	return index < table->nbuckets ? (struct block_bucket *)table->buckets + index : NULL;
}

/* Where blocks go that find no slot in a new table. */
struct loose_blocks {
	int (*put)(struct loose_blocks *loose, const struct block_key *key,
		   const struct block *block);
	void (*drop)(struct loose_blocks *loose, const struct block_key *key);
};

/* Moves what is in the old table. 0, or what loose->put() returned: some are left. */
int block_table__move(const struct block_table *new, const struct block_table *old,
		      struct loose_blocks *loose);

/* Slots in use in the first n buckets. */
uint64_t block_table__count(const struct block_table *table, uint32_t n);

/* Frees the slots of the processes that are dead, by index, and counts each out of `recorded`, by
 * loose_hash(), unless that is NULL. */
void block_table__sweep(const struct block_table *table, const uint8_t *dead, uint32_t *recorded);

#endif
