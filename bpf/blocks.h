/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The books of live blocks, and the totals of sites and processes that follow from them. A block
 * is looked for from the newest table to the oldest; new ones go into the newest with room.
 */
#ifndef MT_BLOCKS_H
#define MT_BLOCKS_H

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

/* Returns how many blocks there are now. */
static __always_inline __u64 process_in(struct process *process, __u64 size, bool alone)
{
	raise_peak(process, add(&process->size, size, alone));
	return add(&process->count, 1, alone);
}

static __always_inline void process_out(struct process *process, __u64 size, bool alone)
{
	add(&process->size, -size, alone);
	add(&process->count, -1ULL, alone);
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

/* A block began. The site comes first: a peak that the block makes includes it. */
static __always_inline void book_in(struct process *process, const struct block *block, bool alone)
{
	struct site *site = block->site ? site_at(block->site) : NULL;
	struct process *sum = keep_sum ? process_at(0) : NULL;
	__u64 live;

	if (site) {
		note_peak(process, site);
		if (keep_slack)
			add(&site->alloc_slack, block->slack, alone);
		add(&site->alloc_size, block->size, alone);
		add(&site->alloc_count, 1, alone);
	} else {
		add(&process->unplaced_size, block->size, alone);
		add(&process->unplaced_count, 1, alone);
	}
	live = process_in(process, block->size, alone);
	if (sum)
		live = process_in(sum, block->size, false);
	if (live == blocks_grow_at)
		ask_to_grow();
}

/* A block ended. `temporary`: its thread has not allocated since. */
static __always_inline void book_out(struct process *process, const struct block *block,
				     bool temporary, bool alone)
{
	struct site *site = block->site ? site_at(block->site) : NULL;
	struct process *sum = keep_sum ? process_at(0) : NULL;

	if (site) {
		note_peak(process, site);
		if (keep_slack)
			add(&site->freed_slack, block->slack, alone);
		add(&site->freed_size, block->size, alone);
		add(&site->freed_count, 1, alone);
		if (temporary)
			add(&site->temporary, 1, alone);
	}
	process_out(process, block->size, alone);
	if (sum)
		process_out(sum, block->size, false);
}

/* Takes the block out of the tables from `level` down, into *block; false: it is in none. */
static __always_inline bool take_block_from(__u32 level, const struct block_key *key,
					    struct block *block)
{
	struct block *found;
	void *map;
	__u32 i;

	for (i = 0; i < MAX_BLOCK_LEVELS; i++) {
		map = bpf_map_lookup_elem(&block_levels, &level);
		found = map ? bpf_map_lookup_elem(map, key) : NULL;
		if (found) {
			*block = *found;
			bpf_map_delete_elem(map, key);
			return true;
		}
		if (level-- == 0)
			break;
	}
	return false;
}

static __always_inline bool take_block(const struct block_key *key, struct block *block)
{
	return take_block_from(top_block_level, key, block);
}

#define EEXIST 17
#define E2BIG 7

/* Puts the block into the newest table with room. 0 or an error. */
static __always_inline long insert_block(const struct block_key *key, const struct block *block)
{
	__u32 i, level = top_block_level;
	long err = -E2BIG;
	void *map;

	for (i = 0; i < MAX_BLOCK_LEVELS; i++) {
		map = bpf_map_lookup_elem(&block_levels, &level);
		if (map)
			err = bpf_map_update_elem(map, key, block, BPF_NOEXIST);
		if (err != -E2BIG || level-- == 0)
			break;
	}
	return err;
}

/* Takes out what is still at the address of a block that begins: its end was missed. */
static __noinline int forget_missed(__u32 level, struct process *process,
				    const struct block_key *key)
{
	struct block old;

	if (!process || !key)
		return 0;
	if (take_block_from(level, key, &old)) {
		book_out(process, &old, false, false);
		count_lost(LOST_FREES_MISSED);
	}
	return 0;
}

/* Enters a block; false: it could not be had, and that was counted. */
static __always_inline bool put_block(struct process *process, const struct block_key *key,
				      const struct block *block)
{
	__u32 top = top_block_level;
	long err;

	if (top)	/* the newest table refuses what it has itself; the older ones are not asked */
		forget_missed(top - 1, process, key);
	err = insert_block(key, block);
	if (err == -EEXIST) {
		forget_missed(top, process, key);
		err = insert_block(key, block);
	}
	if (err) {
		count_lost(err == -E2BIG ? LOST_BLOCKS_FULL : LOST_BLOCKS_MEMORY);
		return false;
	}
	return true;
}

#endif
