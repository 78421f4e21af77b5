// SPDX-License-Identifier: GPL-2.0-or-later
#include "collect/block_memory.h"

/* The copy is where the block is now: the mark goes, unless the block has gone before it. */
static void settle(__u64 *word, uint64_t id)
{
	uint64_t key = load_acquire(word), seen;

	while ((key & BLOCK_ID_MOVED) == (id | BLOCK_MOVED)) {
		seen = swap_word(word, key, key & ~BLOCK_MOVED);
		if (seen == key)
			return;
		key = seen;
	}
}

static int move_to_loose(__u64 *word, uint64_t key, uint64_t value, struct loose_blocks *loose)
{
	struct block_key copy;
	struct block block;
	int err;

	unpack_key(key, &copy);
	copy.moved = 1;
	unpack_block(key, value, &block);
	err = loose->put(loose, &copy, &block);
	if (!err && swap_word(word, key, 0) != key)
		loose->drop(loose, &copy);
	return err;
}

static void move_to_slot(__u64 *word, uint64_t key, const struct block_slot *copy)
{
	__u64 *copied = &copy->bucket->keys[copy->i], id = key & BLOCK_ID_MASK;

	if (swap_word(word, key, 0) == key)
		settle(copied, id);
	else
		change_key(copied, id | BLOCK_MOVED, BLOCK_ID_MOVED, 0);
}

#define ENOUGH_ROOM 3

/*
 * A copy goes where the block was, in the order of the old table's buckets, and so from one line of
 * the cache to the next; if there is little room left, into the emptier bucket.
 */
static bool put_copy(const struct block_table *new, bool first, uint64_t key, uint64_t value,
		     struct block_slot *copy)
{
	uint64_t id = key & BLOCK_ID_MASK, hash = block_hash(id);
	struct block_bucket *bucket;
	struct bucket_pair pair;

	copy->index = first ? first_bucket(new, id, hash) : second_bucket(new, id, hash);
	bucket = bucket_at(new, copy->index);
	if (bucket_room(bucket, id) >= ENOUGH_ROOM && put_into_bucket(bucket, key, value, copy))
		return true;
	return find_buckets(new, id, &pair) && put_into_buckets(&pair, key, value, copy);
}

/* See block_table.h. A block that stays is tried again: it is not its thread's last any more. */
static int move_slot(const struct block_table *new, const struct block_table *old, uint32_t index,
		     uint32_t i, struct loose_blocks *loose)
{
	struct block_bucket *bucket = bucket_at(old, index);
	__u64 *word = &bucket->keys[i], key;
	int err = 0;

	while (!err && (key = load_acquire(word)) && !(key & BLOCK_MOVED)) {
		__u64 value = load_acquire(&bucket->values[i]), id = key & BLOCK_ID_MASK;
		bool first = first_bucket(old, id, block_hash(id)) == index;
		struct block_slot copy;

		if (put_copy(new, first, key | BLOCK_MOVED, value, &copy))
			move_to_slot(word, key, &copy);
		else
			err = move_to_loose(word, key, value, loose);
	}
	return err;
}

int block_table__move(const struct block_table *new, const struct block_table *old,
		      struct loose_blocks *loose)
{
	int err = 0;

	for (uint32_t index = 0; index < old->nbuckets; index++)
		for (uint32_t i = 0; !err && i < BUCKET_SLOTS; i++)
			err = move_slot(new, old, index, i, loose);
	return err;
}

uint64_t block_table__count(const struct block_table *table, uint32_t n)
{
	uint64_t used = 0;

	for (uint32_t index = 0; index < n && index < table->nbuckets; index++)
		used += BUCKET_SLOTS - bucket_room(bucket_at(table, index), BLOCK_ID_MASK);
	return used;
}

void block_table__sweep(const struct block_table *table, const uint8_t *dead, uint32_t *recorded)
{
	for (uint32_t index = 0; index < table->nbuckets; index++) {
		struct block_bucket *bucket = bucket_at(table, index);

		for (uint32_t i = 0; i < BUCKET_SLOTS; i++) {
			uint64_t key = load_acquire(&bucket->keys[i]);
			struct block_key unpacked;

			unpack_key(key, &unpacked);
			if (dead[unpacked.process] &&
			    change_key(&bucket->keys[i], key & BLOCK_ID_MASK, BLOCK_ID_MASK, 0) &&
			    recorded)
				__atomic_fetch_sub(&recorded[loose_hash(&unpacked)], 1,
						   __ATOMIC_SEQ_CST);
		}
	}
}
