/* SPDX-License-Identifier: GPL-2.0-or-later OR GPL-2.0 */
/*
 * The table of live blocks: 16 bytes a slot, no locks. The kernel half puts and takes, user space
 * moves all blocks to a larger table meanwhile.
 *
 * A block has two buckets to be in and goes into the emptier one (Azar et al., "Balanced
 * Allocations", STOC 1994). A slot belongs to whoever turned its key from 0 or from a block's to
 * BLOCK_BUSY by compare-and-swap; only then is its value written, or read for good.
 *
 * While blocks move, there are two tables. The old one says who is where: a block that is in it is
 * there; its copy in the new one, marked BLOCK_MOVED, is none yet.
 *
 *	mover				take
 *	new: 0 -> key|MOVED		new: key, not MOVED?	it is here
 *	old: key -> 0			old: key?		key -> key|MOVED, it is here
 *	new: key|MOVED -> key		old: key|MOVED?		it was taken: its copy is void
 *	else its copy is void: -> 0	new: key|MOVED or key?	it has been moved since
 *
 * Nothing is put into the old table, so that there a key|MOVED stays what it is.
 *
 * The includer says what a table is made of:
 *	struct block_bucket *bucket_at(const struct block_table *table, __u32 index);	or NULL
 */
#ifndef MT_BLOCK_TABLE_H
#define MT_BLOCK_TABLE_H

#include "memtracebpf.h"
#include "ordering.h"

struct block_bucket {
	__u64 keys[BUCKET_SLOTS];	/* 0: free */
	__u64 values[BUCKET_SLOTS];
};
MT_ASSERT_SIZE(struct block_bucket, BUCKET_BYTES);

struct block_table {
	void *buckets;		/* the kernel half: their map; user space: the first */
	__u32 nbuckets;
	__u32 version;		/* see struct block_tables */
};

static __always_inline struct block_bucket *bucket_at(const struct block_table *table,
						      __u32 index);

/* A slot of a bucket. */
struct block_slot {
	struct block_bucket *bucket;	/* NULL: none */
	__u32 index;			/* in its table */
	__u32 i;			/* in its bucket */
};

/*
 * The two words of a slot. Blocks whose size, slack or site does not fit, or whose address is not
 * on 8 bytes below 2^47, are kept elsewhere.
 *
 *	key	address / 8: 44, process: 13, BLOCK_LAST, BLOCK_MOVED, low bits of the time: 5
 *	value	site: 22, size: 16, slack: 3, high bits of the time: 23
 */
#define BLOCK_PROCESS_SHIFT 44
#define BLOCK_PROCESS_BITS 13
#define BLOCK_ID_BITS 57
#define BLOCK_ID_MASK ((1ULL << BLOCK_ID_BITS) - 1)
#define BLOCK_LAST (1ULL << 57)
#define BLOCK_MOVED (1ULL << 58)
#define BLOCK_BUSY BLOCK_MOVED	/* with no address */
#define BLOCK_KEY_TIME_SHIFT 59
#define BLOCK_KEY_TIME_BITS 5
#define BLOCK_SIZE_SHIFT 22
#define BLOCK_SIZE_BITS 16
#define BLOCK_SLACK_SHIFT 38
#define BLOCK_SLACK_BITS 3
#define BLOCK_VALUE_TIME_SHIFT 41

_Static_assert(MAX_PROCESSES <= 1 << BLOCK_PROCESS_BITS, "a process is a field of a key");
_Static_assert(64 - BLOCK_VALUE_TIME_SHIFT + BLOCK_KEY_TIME_BITS == BLOCK_TIME_BITS,
	       "so is a time");

/* What says which block it is; 0: it fits no slot. */
static __always_inline __u64 block_id(const struct block_key *key)
{
	if (key->address & 7 || key->address >> 47)
		return 0;
	return key->address >> 3 | (__u64)key->process << BLOCK_PROCESS_SHIFT;
}

/*
 * Slack as glibc has it, whose blocks end on 8 bytes: 0 for none, else 1 and how many times 8
 * it is beyond the end of the size's last 8 bytes. More than there is room for: it does not fit.
 */
static __always_inline __u64 pack_slack(const struct block *block)
{
	if (!block->slack)
		return 0;
	if ((block->size + block->slack) & 7)
		return 1 << BLOCK_SLACK_BITS;
	return (block->slack >> 3) + 1;
}

static __always_inline __u32 unpack_slack(__u64 packed, __u64 size)
{
	return packed ? (-size & 7) + (packed - 1) * 8 : 0;
}

/* The words of a block's slot; false: it fits none. */
static __always_inline bool pack_block(const struct block *block, __u64 id, __u64 *key,
				       __u64 *value)
{
	__u64 slack = pack_slack(block), time = block->time;

	if (!id || block->size >> BLOCK_SIZE_BITS || slack >> BLOCK_SLACK_BITS ||
	    block->site >> BLOCK_SIZE_SHIFT)
		return false;
	*key = id | (block->last ? BLOCK_LAST : 0) | time << BLOCK_KEY_TIME_SHIFT;
	*value = block->site | block->size << BLOCK_SIZE_SHIFT | slack << BLOCK_SLACK_SHIFT |
		 time >> BLOCK_KEY_TIME_BITS << BLOCK_VALUE_TIME_SHIFT;
	return true;
}

static __always_inline void unpack_block(__u64 key, __u64 value, struct block *block)
{
	block->size = value >> BLOCK_SIZE_SHIFT & ((1 << BLOCK_SIZE_BITS) - 1);
	block->site = value & ((1 << BLOCK_SIZE_SHIFT) - 1);
	block->time = value >> BLOCK_VALUE_TIME_SHIFT << BLOCK_KEY_TIME_BITS |
		      key >> BLOCK_KEY_TIME_SHIFT;
	block->slack = unpack_slack(value >> BLOCK_SLACK_SHIFT & ((1 << BLOCK_SLACK_BITS) - 1),
				    block->size);
	block->last = !!(key & BLOCK_LAST);
}

static __always_inline void unpack_key(__u64 key, struct block_key *unpacked)
{
	unpacked->address = (key & ((1ULL << BLOCK_PROCESS_SHIFT) - 1)) << 3;
	unpacked->process = (key & BLOCK_ID_MASK) >> BLOCK_PROCESS_SHIFT;
	unpacked->moved = 0;
}

/* Index into the counts of blocks without a slot. */
static __always_inline __u32 loose_hash(const struct block_key *key)
{
	return ((key->address ^ (__u64)key->process << 48) * 0x9e3779b97f4a7c15ULL) >> 40 &
	       (LOOSE_COUNTS - 1);
}

/* ---- words that others write meanwhile ---- */

#ifndef swap_word	/* a test has its own */
#define swap_word(word, from, to) __sync_val_compare_and_swap(word, from, to)
#endif

#ifdef __clang__
#define unrolled _Pragma("unroll")
#else
#define unrolled _Pragma("GCC unroll 16")
#endif

/* ---- one table ---- */

/* A put that finds no more slots free than this says that the table is nearly full. */
#define CROWDED 1

/*
 * Blocks that lie near each other are mostly allocated and freed shortly after each other: those of
 * one page of memory have neighbouring buckets, so that the cache and the TLB have them already. Each
 * REGION_BYTES of it have a bucket, and another among the same neighbours of another number, in
 * another order. Larger regions fill theirs too unevenly.
 */
#define REGION_BYTES 64
#define REGION_BITS 3		/* of an id, which is an address / 8 */
#define REGIONS 64		/* of a page: a table has at least so many buckets */
#define PAGE_ID_BITS 9
_Static_assert(REGION_BYTES == 8 << REGION_BITS && REGIONS == 1 << (PAGE_ID_BITS - REGION_BITS),
	       "a page of 4 KiB");

/* Two independent numbers of 32 bits for the block's page, each scaled to a bucket. */
static __always_inline __u64 block_hash(__u64 id)
{
	id >>= PAGE_ID_BITS;
	id *= 0x9e3779b97f4a7c15ULL;
	id ^= id >> 32;
	id *= 0xd6e8feb86659fd93ULL;
	return id ^ id >> 32;
}

/* The n-th neighbour of where the number falls. */
static __always_inline __u32 neighbour(const struct block_table *table, __u64 number, __u64 n)
{
	__u64 index = (number * table->nbuckets >> 32) + (n & (REGIONS - 1));

	return index < table->nbuckets ? index : index - table->nbuckets;
}

static __always_inline __u32 first_bucket(const struct block_table *table, __u64 id, __u64 hash)
{
	return neighbour(table, hash >> 32, id >> REGION_BITS);
}

static __always_inline __u32 second_bucket(const struct block_table *table, __u64 id, __u64 hash)
{
	return neighbour(table, hash & 0xffffffff, (id >> REGION_BITS) * 5);
}

/* The slot in the bucket whose key is `wanted` under `mask`. */
static __always_inline bool find_in_bucket(struct block_bucket *bucket, __u64 wanted, __u64 mask,
					   struct block_slot *slot)
{
	__u32 i;

	if (!bucket)
		return false;
	for (i = 0; i < BUCKET_SLOTS; i++) {
		if ((load_acquire(&bucket->keys[i]) & mask) != wanted)
			continue;
		slot->bucket = bucket;
		slot->i = i;
		return true;
	}
	return false;
}

static __always_inline bool find_slot(const struct block_table *table, __u64 wanted, __u64 mask,
				      struct block_slot *slot)
{
	__u64 hash = block_hash(wanted & BLOCK_ID_MASK);

	slot->index = first_bucket(table, wanted, hash);
	if (find_in_bucket(bucket_at(table, slot->index), wanted, mask, slot))
		return true;
	slot->index = second_bucket(table, wanted, hash);
	return find_in_bucket(bucket_at(table, slot->index), wanted, mask, slot);
}

#define BUCKET_HOLDS ~0U

/*
 * How many slots of the bucket are free; BUCKET_HOLDS: the block is in one. A function of its own,
 * or clang runs out of registers; counted without a branch, or the verifier follows all ways.
 */
static __noinline __attribute__((unused)) __u32
bucket_room(const struct block_bucket *bucket, __u64 id)
{
	__u32 i, room = BUCKET_SLOTS;
	__u64 key, negative;

	if (!bucket)
		return 0;
	unrolled
	for (i = 0; i < BUCKET_SLOTS; i++) {
		key = load_acquire(&bucket->keys[i]);
		if (!((key ^ id) << (64 - BLOCK_ID_BITS)))
			return BUCKET_HOLDS;
		negative = -key;
		__asm__ volatile("" : "+r"(negative));	/* no comparison with 0, please */
		room -= (key | negative) >> 63;
	}
	return room;
}

/* The half of that which is wanted of a bucket that need not take the block. */
static __noinline __attribute__((unused)) __u32
bucket_holds(const struct block_bucket *bucket, __u64 id)
{
	__u32 i;

	if (!bucket)
		return 0;
	unrolled
	for (i = 0; i < BUCKET_SLOTS; i++)
		if (!((load_acquire(&bucket->keys[i]) ^ id) << (64 - BLOCK_ID_BITS)))
			return BUCKET_HOLDS;
	return 0;
}

static __always_inline bool put_into_bucket(struct block_bucket *bucket, __u64 key, __u64 value,
					    struct block_slot *slot)
{
	__u32 i;

	for (i = 0; i < BUCKET_SLOTS; i++) {
		if (load_acquire(&bucket->keys[i]) || swap_word(&bucket->keys[i], 0, BLOCK_BUSY))
			continue;
		store_release(&bucket->values[i], value);
		store_release(&bucket->keys[i], key);
		slot->bucket = bucket;
		slot->i = i;
		return true;
	}
	return false;
}

/* The two buckets of a block, and how many slots are free in them: 0 for the second where the first
 * has so many that it takes the block in any case. */
#define ROOMY (BUCKET_SLOTS / 2)
struct bucket_pair {
	struct block_bucket *first, *second;
	__u32 first_index, second_index;
	__u32 first_room, second_room;
};

static __always_inline bool find_buckets(const struct block_table *table, __u64 id,
					 struct bucket_pair *pair)
{
	__u64 hash = block_hash(id);

	pair->first_index = first_bucket(table, id, hash);
	pair->second_index = second_bucket(table, id, hash);
	pair->first = bucket_at(table, pair->first_index);
	pair->second = bucket_at(table, pair->second_index);
	pair->first_room = bucket_room(pair->first, id);
	pair->second_room = pair->first_room < ROOMY ? bucket_room(pair->second, id) :
						       bucket_holds(pair->second, id);
	return pair->first && pair->second;
}

static __always_inline bool pair_holds(const struct bucket_pair *pair)
{
	return pair->first_room == BUCKET_HOLDS || pair->second_room == BUCKET_HOLDS;
}

/* Returns how many slots were free in the emptier bucket, into which the words went; 0: none. */
static __always_inline __u32 put_into_buckets(const struct bucket_pair *pair, __u64 key,
					      __u64 value, struct block_slot *slot)
{
	bool second = pair->second_room > pair->first_room;
	__u32 room = second ? pair->second_room : pair->first_room;

	slot->index = second ? pair->second_index : pair->first_index;
	/* Others may have filled it meanwhile; then the two are as good as full. */
	return room && put_into_bucket(second ? pair->second : pair->first, key, value, slot) ?
	       room : 0;
}

/* At most this often is a key in use changed, before it is taken: LAST and MOVED go. */
#define KEY_CHANGES 2

/* Turns a key that is `wanted` under `mask` to `to`. What it was; 0: it is another by now. */
static __always_inline __u64 change_key(__u64 *word, __u64 wanted, __u64 mask, __u64 to)
{
	__u64 key = load_acquire(word), seen;
	__u32 i;

	for (i = 0; i <= KEY_CHANGES; i++) {
		if ((key & mask) != wanted)
			break;
		seen = swap_word(word, key, to);
		if (seen == key)
			return key;
		key = seen;
	}
	return 0;
}

#define BLOCK_ID_MOVED (BLOCK_ID_MASK | BLOCK_MOVED)

/*
 * Which slot was found is not known to the verifier from here on, which would else follow what comes
 * next once for each of 32: it does not keep count of what is written to memory that it was given.
 */
static __always_inline __u32 any_slot(const struct block_slot *slot, struct block *memory)
{
	*(volatile __u32 *)&memory->last = slot->i;
	return *(volatile __u32 *)&memory->last & (BUCKET_SLOTS - 1);
}

/* Takes the block out of the table that new ones are put into. */
static __always_inline bool take_from_new(const struct block_table *table, __u64 id, __u64 mask,
					  struct block *block)
{
	struct block_slot slot;
	__u64 key, *word;
	__u32 i;

	if (!find_slot(table, id, mask, &slot))
		return false;
	i = any_slot(&slot, block);
	word = &slot.bucket->keys[i];
	key = change_key(word, id, mask, BLOCK_BUSY);
	if (!key)
		return false;
	unpack_block(key, load_acquire(&slot.bucket->values[i]), block);
	store_release(word, 0);
	return true;
}

/* Takes it out of the table that blocks are moved from. */
static __always_inline bool take_from_old(const struct block_table *table, __u64 id,
					  struct block *block)
{
	struct block_slot slot;
	__u64 key;
	__u32 i;

	if (!find_slot(table, id, BLOCK_ID_MOVED, &slot))
		return false;
	i = any_slot(&slot, block);
	key = change_key(&slot.bucket->keys[i], id, BLOCK_ID_MOVED, id | BLOCK_MOVED);
	if (!key)
		return false;
	unpack_block(key, load_acquire(&slot.bucket->values[i]), block);
	return true;
}

/* Was it taken out of the table that blocks are moved from? Then its copy is no block. */
static __always_inline bool taken_from_old(const struct block_table *table, __u64 id)
{
	struct block_slot slot;

	return find_slot(table, id | BLOCK_MOVED, BLOCK_ID_MOVED, &slot);
}

/*
 * Ends "its thread has not allocated since" of the block with just these words. Should another
 * thread be given the same address meanwhile, at the same place and time, that block is taken for
 * it: then a temporary block is not seen as one, but never another as temporary.
 */
static __always_inline bool end_last(const struct block_table *table, __u64 key, __u64 value)
{
	struct block_slot slot;
	__u64 *word;

	if (!find_slot(table, key, ~0ULL, &slot) ||
	    load_acquire(&slot.bucket->values[slot.i & (BUCKET_SLOTS - 1)]) != value)
		return false;
	word = &slot.bucket->keys[slot.i & (BUCKET_SLOTS - 1)];
	return swap_word(word, key, key & ~BLOCK_LAST) == key;
}

/* ---- both tables; `old` has no buckets while nothing moves ---- */

static __always_inline bool take_from_tables(const struct block_table *new,
					     const struct block_table *old, __u64 id,
					     struct block *block)
{
	if (take_from_new(new, id, BLOCK_ID_MOVED, block))
		return true;
	if (!old->buckets)
		return false;
	if (take_from_old(old, id, block))
		return true;
	return !taken_from_old(old, id) && take_from_new(new, id, BLOCK_ID_MASK, block);
}

static __always_inline bool end_last_in_tables(const struct block_table *new,
					       const struct block_table *old, __u64 key,
					       __u64 value)
{
	if (end_last(new, key, value))
		return true;
	if (!old->buckets)
		return false;
	return end_last(old, key, value) || end_last(new, key | BLOCK_MOVED, value) ||
	       end_last(new, key, value);
}

#endif
