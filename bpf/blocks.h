/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The books of live blocks, and the totals of sites and processes that follow from them. A block is
 * in a slot of the block table; one that fits none, or finds none free, is loose, in a hash table.
 */
#ifndef MT_BPF_BLOCKS_H
#define MT_BPF_BLOCKS_H

#include "block_table.h"

/*
 * Adds to a counter of the books and returns what it is then. `alone`: nobody else can be at these
 * books, since nobody else runs in their address space; a plain addition takes a fifth of the time.
 */
static __always_inline __u64 add(__u64 *counter, __u64 n, bool alone)
{
	if (alone)
		return *counter += n;
	return __sync_fetch_and_add(counter, n) + n;
}

static __always_inline void raise_peak(struct process *process, __u64 size)
{
	__u64 peak, seen;
	__u32 i;

	peak = *(volatile __u64 *)&process->peak_size;
	for (i = 0; i < 16 && size > peak; i++) {
		seen = __sync_val_compare_and_swap(&process->peak_size, peak, size);
		if (seen == peak) {
			__sync_fetch_and_add(&process->peak_epoch, 1);
			break;
		}
		peak = seen;
	}
}

/* Of the first n totals of a process. What its threads do just now is seen or not, as without us. */
static __always_inline __u64 sum_of_sizes(__u32 index, __u32 n)
{
	struct totals *totals;
	__u64 size = 0;
	__u32 i;

	for (i = 0; i < MAX_SHARDS + 1 && i < n; i++) {
		totals = totals_at(index, i);
		if (totals)
			size += *(volatile __u64 *)&totals->size;
	}
	return size;
}

/* Sets what the group may hold unseen. `bound` is at no moment less than the sum of all these. */
static __always_inline void set_high(struct process *process, struct totals *totals, __u64 to)
{
	__u64 high = *(volatile __u64 *)&totals->high;
	bool raised = to > high;

	if (raised)
		__sync_fetch_and_add(&process->bound, to - high);
	if (__sync_val_compare_and_swap(&totals->high, high, to) != high) {
		if (raised)
			__sync_fetch_and_add(&process->bound, high - to);
	} else if (!raised) {
		__sync_fetch_and_add(&process->bound, to - high);
	}
}

/*
 * A look at what all groups hold together. As long as that is below the peak, the group may grow by
 * a part of the difference, unseen, but not so far that all could rise above the peak together.
 */
__noinline int look_at_whole(struct process *process, __u32 index, struct totals *totals)
{
	__u64 whole, peak, others, most, size;
	__u32 i;

	if (!process || !totals)
		return 0;
	whole = sum_of_sizes(index, ntotals);
	raise_peak(process, whole);
	for (i = 0; i < 4; i++) {
		peak = *(volatile __u64 *)&process->peak_size;
		others = *(volatile __u64 *)&process->bound - *(volatile __u64 *)&totals->high;
		size = *(volatile __u64 *)&totals->size;
		most = size + (peak > whole ? (peak - whole) / 16 : 0);
		if (most > peak - others)
			most = peak - others;
		if (peak < others || most < size)
			most = size;
		set_high(process, totals, most);
		/* Another of the group may have come in between. */
		if (*(volatile __u64 *)&totals->size <= *(volatile __u64 *)&totals->high)
			break;
	}
	return 0;
}

/*
 * The process was at its peak until now: that is noted, and what its groups held there. `growing`
 * is cleared last, so that nobody goes on before.
 */
__noinline int note_growth(struct process *process, __u32 index, struct totals *totals)
{
	struct totals *group;
	__u64 size;
	__u32 i;

	if (!process || !totals)
		return 0;
	for (i = 0; i < MAX_SHARDS + 1 && i < ntotals; i++) {
		group = totals_at(index, i);
		size = group ? *(volatile __u64 *)&group->size : 0;
		if (group && size > *(volatile __u64 *)&group->high)
			set_high(process, group, size);
	}
	look_at_whole(process, index, totals);
	store_release(&process->growing, 0);
	return 0;
}

static __always_inline void end_growth(struct process *process, __u32 index,
				       struct totals *totals)
{
	if (load_acquire(&process->growing))
		note_growth(process, index, totals);
}

/* Only what goes beyond what its group may hold unseen is a reason to look at the others' totals. */
static __always_inline void process_in(struct process *process, __u32 index,
				       struct totals *totals, __u64 bytes, bool alone)
{
	__u64 size = add(&totals->size, bytes, alone);

	if (size <= *(volatile __u64 *)&totals->high &&
	    *(volatile __u64 *)&process->bound <= *(volatile __u64 *)&process->peak_size)
		return;
	/* As long as a single thread only allocates, its process stays at the peak: it is noted
	 * when that ends. Where the program maps memory as well, user space adds to the whole. */
	if (alone && !keep_regions)
		store_release(&process->growing, 1);
	else
		look_at_whole(process, index, totals);
}

/* Before a site changes: what it holds is what it held at the last peak, unless that is noted. */
static __always_inline void note_peak(const struct process *process, struct site *site)
{
	__u64 epoch = process->peak_epoch;

	if (site->peak_epoch == epoch)
		return;
	site->peak_size = site->alloc_size - site->freed_size;
	site->peak_count = site->alloc_count - site->freed_count;
	site->peak_epoch = epoch;
}

/* After the counters: who clears the mark and reads them then has them all, or will be told again. */
static __always_inline void mark_changed(struct totals *totals)
{
	*(volatile __u64 *)&totals->changed = 1;
}

/* The same for the sum of all processes. */
__noinline int sum_in(__u64 bytes)
{
	struct totals *totals = totals_at(0, 0);
	struct process *sum = process_at(0);

	if (totals && sum)
		process_in(sum, 0, totals, bytes, false);
	return 0;
}

/* A block began. The site comes first: a peak that the block makes includes it. */
static __always_inline void book_in(struct process *process, __u32 index,
				    const struct block *block, bool alone)
{
	struct site *site = block->site ? site_at(block->site) : NULL;
	struct totals *totals = totals_at(index, site ? site->shard : 0);

	if (!totals)
		return;
	/* A block of no bytes is none of the peak before it; nor is another thread's. */
	if (!alone || !block->size)
		end_growth(process, index, totals);
	if (site) {
		note_peak(process, site);
		if (keep_slack)
			add(&site->alloc_slack, block->slack, alone);
		add(&site->alloc_size, block->size, alone);
		add(&site->alloc_count, 1, alone);
	} else {
		add(&totals->unplaced_size, block->size, alone);
		add(&totals->unplaced_count, 1, alone);
		add(&totals->unplaced, 1, alone);
	}
	process_in(process, index, totals, block->size, alone);
	mark_changed(totals);
	if (keep_sum)
		sum_in(block->size);
}

/* A block ended. `temporary`: before its thread allocated again. */
static __always_inline void book_out(struct process *process, __u32 index,
				     const struct block *block, bool temporary, bool alone)
{
	struct site *site = block->site ? site_at(block->site) : NULL;
	struct totals *totals = totals_at(index, site ? site->shard : 0);

	if (!totals)
		return;
	end_growth(process, index, totals);
	if (site) {
		note_peak(process, site);
		if (keep_slack)
			add(&site->freed_slack, block->slack, alone);
		add(&site->freed_size, block->size, alone);
		add(&site->freed_count, 1, alone);
		if (temporary)
			add(&site->temporary, 1, alone);
	} else {
		add(&totals->unplaced, -1ULL, alone);
	}
	add(&totals->size, -block->size, alone);
	mark_changed(totals);
	totals = keep_sum ? totals_at(0, 0) : NULL;
	if (totals)
		add(&totals->size, -block->size, false);
}

/* ---- where they are ---- */

static __always_inline struct block_bucket *bucket_at(const struct block_table *table, __u32 index)
{
	return bpf_map_lookup_elem(table->buckets, &index);
}

static __always_inline bool find_table(__u32 version, struct block_table *table)
{
	__u32 i = version & 1;

	table->version = version;
	table->buckets = bpf_map_lookup_elem(&block_tables, &i);
	/* After the map: it changes only while no program has that. */
	table->nbuckets = *(volatile __u32 *)&tables_now.nbuckets[version & 1];
	return table->buckets;
}

/* The table for new blocks, and the one that blocks are moved from. */
static __always_inline bool find_tables(struct block_table *new, struct block_table *old)
{
	__u32 version = tables_now.version;

	find_table(version - 1, old);
	if (find_table(version, new))
		return true;
	*new = *old;	/* the new one is on its way; nothing moves before it is there */
	old->buckets = NULL;
	return new->buckets;
}

static __always_inline __u32 *count_of_loose(const struct block_key *key)
{
	return &loose_counts[loose_hash(key)];
}

static __always_inline bool take_loose(const struct block_key *key, struct block *block)
{
	struct block *found = bpf_map_lookup_elem(&loose_blocks, key);

	if (!found)
		return false;
	*block = *found;
	if (bpf_map_delete_elem(&loose_blocks, key))
		return false;	/* somebody else did */
	__sync_fetch_and_add(count_of_loose(key), -1);
	return true;
}

/* Has the block been taken out of the table that blocks are moved from? Its copy is void then. */
static __always_inline bool is_void(const struct block_key *key)
{
	struct block_table old;

	return find_table(tables_now.version - 1, &old) && taken_from_old(&old, block_id(key));
}

/* On 6.1, keys and values for helpers must lie on the stack. */
__noinline int take_any_loose(const struct block_key *key, struct block *block)
{
	struct block_key copy;

	if (!key || !block)
		return 0;
	copy = *key;
	if (take_loose(&copy, block))
		return 1;
	copy.moved = 1;
	return !is_void(key) && take_loose(&copy, block);
}

/*
 * Of a sample, most blocks that end were never recorded. There the counts are of all blocks that
 * were, loose or not, so that a look says it.
 */
static __always_inline bool may_be_recorded(const struct block_key *key)
{
	return !sample_bytes || *(volatile __u32 *)count_of_loose(key);
}

static __always_inline void count_recorded(const struct block_key *key, int n)
{
	if (sample_bytes)
		__sync_fetch_and_add(count_of_loose(key), n);
}

static __always_inline int take_anywhere(const struct block_key *key, struct block *block)
{
	struct block_table new, old;
	__u64 id = block_id(key);

	if (id && find_tables(&new, &old) && take_from_tables(&new, &old, id, block))
		return 1;
	return *count_of_loose(key) ? take_any_loose(key, block) : 0;
}

/* Takes the block out of wherever it is, into *block; 0: it is nowhere. */
__noinline int take_block(const struct block_key *key, struct block *block)
{
	if (!key || !block || !may_be_recorded(key) || !take_anywhere(key, block))
		return 0;
	count_recorded(key, -1);
	return 1;
}

#define E2BIG 7

__noinline int put_loose(const struct block_key *key, const struct block *block)
{
	struct block_key key_copy;
	struct block copy;
	long err;

	if (!key || !block)
		return 0;
	key_copy = *key;
	copy = *block;
	__sync_fetch_and_add(count_of_loose(key), 1);
	err = bpf_map_update_elem(&loose_blocks, &key_copy, &copy, BPF_ANY);
	if (err) {
		__sync_fetch_and_add(count_of_loose(key), -1);
		count_lost(err == -E2BIG ? LOST_BLOCKS_FULL : LOST_BLOCKS_MEMORY);
	}
	return !err;
}

/* Takes out what is still at the address of a block that begins: its end was missed. */
__noinline int forget_missed(struct process *process, const struct block_key *key)
{
	struct block missed = {};

	if (!process || !key || !take_block(key, &missed))
		return 0;
	book_out(process, key->process, &missed, false, false);
	count_lost(LOST_FREES_MISSED);
	return 0;
}

/*
 * Is the block in the table that blocks are moved from? To be asked before the other is looked at, in
 * which it is before it leaves this one.
 */
__noinline int is_in_old(__u64 id)
{
	struct block_table old;
	__u64 hash;

	if (!find_table(tables_now.version - 1, &old))
		return 0;
	hash = block_hash(id);
	return bucket_holds(bucket_at(&old, first_bucket(&old, id, hash)), id) ||
	       bucket_holds(bucket_at(&old, second_bucket(&old, id, hash)), id);
}

/* The block's table and buckets and, in `may_live`, whether a block may be at its address. */
static __always_inline bool find_place(const struct block_key *key, __u64 id,
				       struct block_table *table, struct bucket_pair *pair,
				       bool *may_live)
{
	struct block_table old;
	bool moving;

	*may_live = true;
	if (!id || !find_tables(table, &old))
		return false;
	moving = old.buckets && is_in_old(id);
	if (!find_buckets(table, id, pair))
		return false;
	*may_live = moving || *count_of_loose(key) || pair_holds(pair);
	return true;
}

static __always_inline bool put_into_slot(const struct bucket_pair *pair, __u64 id,
					  const struct block *block, struct last_block *last)
{
	struct block_slot slot;
	__u64 key, value;
	__u32 room;

	if (!pack_block(block, id, &key, &value))
		return false;
	room = put_into_buckets(pair, key, value, &slot);
	if (room <= CROWDED &&
	    !(__sync_fetch_and_add(&tables_now.crowded, 1) & tables_now.ask_mask))
		ask_to_grow(&block_requests);
	if (room && block->last) {
		last->key = key;
		last->value = value;
		last->bucket = slot.index;
		last->slot = slot.i;
	}
	return room;
}

/* Enters a block; 0: it could not be had, and that was counted. `last`: the thread's. */
__noinline int put_block(struct last_block *last, struct process *process,
				const struct block_key *key, const struct block *block)
{
	struct block_table table = {};
	struct bucket_pair pair = {};
	bool may_live;
	__u64 id;

	if (!last || !process || !key || !block)
		return 0;
	id = block_id(key);
	if (!find_place(key, id, &table, &pair, &may_live))
		id = 0;
	if (may_live)
		forget_missed(process, key);
	if (block->last) {
		last->address = key->address;
		last->key = 0;
		last->version = table.version;
		last->site = block->site;
		last->time = block->time;
	}
	count_recorded(key, 1);
	if ((id && put_into_slot(&pair, id, block, last)) || put_loose(key, block))
		return 1;
	count_recorded(key, -1);
	return 0;
}

/* ---- a thread's last block: freed before the next one, it is temporary ---- */

__noinline int end_last_anywhere(const struct last_block *last, __u64 address, __u32 process)
{
	struct block_key key = { .address = address, .process = process };
	struct block_table new, old;
	struct block *loose;

	if (!last)
		return 0;
	if (last->key && find_tables(&new, &old) &&
	    end_last_in_tables(&new, &old, last->key, last->value))
		return 0;
	if (!*count_of_loose(&key))
		return 0;
	key.moved = !!last->key;
	loose = bpf_map_lookup_elem(&loose_blocks, &key);
	if (loose && loose->site == last->site && loose->time == last->time)
		loose->last = 0;
	return 0;
}

/* The thread allocates again: if its last block lives, it is no more the last one. */
static __always_inline void end_last_block(struct thread *thread)
{
	struct last_block *last = &thread->last;
	struct block_table table;
	struct block_bucket *bucket;
	__u32 i = last->slot & (BUCKET_SLOTS - 1);
	__u64 address = last->address;

	if (!address)
		return;
	last->address = 0;
	if (!last->key || last->version != tables_now.version ||
	    !find_table(last->version, &table)) {
		end_last_anywhere(last, address, thread->process);
		return;
	}
	bucket = bucket_at(&table, last->bucket);
	if (bucket && load_acquire(&bucket->keys[i]) == last->key &&
	    load_acquire(&bucket->values[i]) == last->value)
		swap_word(&bucket->keys[i], last->key, last->key & ~BLOCK_LAST);
}

#endif
