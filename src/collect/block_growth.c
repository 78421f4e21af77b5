// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The table of live blocks and its successors: when it is nearly full, all blocks are moved to a
 * larger one while the kernel half goes on.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>

#include "collect/block_memory.h"
#include "collect/memory.h"
#include "collect/tables.h"
#include "memtracebpf.skel.h"

#define FIRST_BUCKETS 8192U	/* 2 MB */
#define SAMPLE 4096U		/* buckets that tell how full a table is: neighbours are alike */

/*
 * With more of its slots in use, a table is replaced. Where blocks come and go in no order, a third
 * of a percent finds no slot then; at 7/8 it would be 1 %.
 */
#define USE(slots) ((slots) / 32 * 27)

static uint32_t most_buckets(const struct tables *tables)
{
	uint64_t most = (uint64_t)tables->max_blocks * 32 / 27 / BUCKET_SLOTS + 1;

	return most < REGIONS ? REGIONS : most;
}

/* A block takes at most 22 bytes, beside what the first table takes. */
static uint32_t next_size(const struct tables *tables, uint32_t nbuckets)
{
	uint64_t next = FIRST_BUCKETS + nbuckets + nbuckets / 8;

	return next < most_buckets(tables) ? next : most_buckets(tables);
}

static struct block_tables *now(const struct tables *tables)
{
	return &tables->skeleton->bss->tables_now;
}

/* Maps the first n buckets of a version's table. */
static int map_table(const struct tables *tables, uint32_t version, uint32_t n,
		     struct block_table *table)
{
	table->nbuckets = n;
	table->buckets = map_array(tables->block_tables[version & 1], n, BUCKET_BYTES);
	return table->buckets ? 0 : -errno;
}

int tables__map_blocks(const struct tables *tables, struct block_table *table)
{
	uint32_t version = now(tables)->version;

	return map_table(tables, version, now(tables)->nbuckets[version & 1], table);
}

void tables__unmap_blocks(struct block_table *table)
{
	unmap_array(table->buckets, table->nbuckets, BUCKET_BYTES);
}

/* ---- loose blocks ---- */

struct loose_map {
	struct loose_blocks base;
	const struct tables *tables;
};

static uint32_t *count_of_loose(const struct tables *tables, const struct block_key *key)
{
	return &tables->skeleton->bss->loose_counts[loose_hash(key)];
}

/* The count says so before it is there, and until it is gone: who sees 0 looks for nothing. */
static int put_loose(struct loose_blocks *base, const struct block_key *key,
		     const struct block *block)
{
	const struct tables *tables = ((struct loose_map *)base)->tables;
	int err;

	__atomic_fetch_add(count_of_loose(tables, key), 1, __ATOMIC_SEQ_CST);
	err = bpf_map_update_elem(bpf_map__fd(tables->skeleton->maps.loose_blocks), key, block, 0);
	if (err)
		__atomic_fetch_sub(count_of_loose(tables, key), 1, __ATOMIC_SEQ_CST);
	return err;
}

static void drop_loose(struct loose_blocks *base, const struct block_key *key)
{
	const struct tables *tables = ((struct loose_map *)base)->tables;

	if (!bpf_map_delete_elem(bpf_map__fd(tables->skeleton->maps.loose_blocks), key))
		__atomic_fetch_sub(count_of_loose(tables, key), 1, __ATOMIC_SEQ_CST);
}

/* ---- growth ---- */

/*
 * Adds a table, into which new blocks go from now on. When the update of the map of maps returns,
 * no program runs that began before it (kernel/bpf/syscall.c, maybe_wait_bpf_programs), and so none
 * that knows but the old table.
 */
static int add_table(struct tables *tables, uint32_t nbuckets)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_MMAPABLE | BPF_F_INNER_MAP);
	uint32_t version = now(tables)->version + 1, slot = version & 1, mask = 15;
	int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "blocks", 4, BUCKET_BYTES, nbuckets, &opts);
	int err;

	if (fd < 0)
		return -errno;
	__atomic_store_n(&now(tables)->nbuckets[slot], nbuckets, __ATOMIC_SEQ_CST);
	__atomic_store_n(&now(tables)->version, version, __ATOMIC_SEQ_CST);
	err = bpf_map_update_elem(bpf_map__fd(tables->skeleton->maps.block_tables), &slot, &fd, 0);
	if (err) {
		__atomic_store_n(&now(tables)->version, version - 1, __ATOMIC_SEQ_CST);
		close(fd);
		return err;
	}
	tables->block_tables[slot] = fd;
	/* The larger the table, the less a single request says. The last one cannot grow. */
	while (mask < nbuckets / 512)
		mask = mask * 2 + 1;
	now(tables)->ask_mask = nbuckets < most_buckets(tables) ? mask : ~0U;
	return 0;
}

/* Waits, too, until no program has it. */
static int remove_table(struct tables *tables, uint32_t slot)
{
	if (!tables->block_tables[slot])
		return 0;
	if (bpf_map_delete_elem(bpf_map__fd(tables->skeleton->maps.block_tables), &slot))
		return -errno;
	close(tables->block_tables[slot]);
	tables->block_tables[slot] = 0;
	return 0;
}

/* Moves all blocks to the new table. In our memory the tables are no longer than that. */
static int move_blocks(struct tables *tables)
{
	uint32_t version = now(tables)->version, slot = (version - 1) & 1;
	struct loose_map loose = { { put_loose, drop_loose }, tables };
	struct block_table old, new;
	int err = map_table(tables, slot, now(tables)->nbuckets[slot], &old);

	if (err)
		return err;
	err = tables__map_blocks(tables, &new);
	if (!err) {
		err = block_table__move(&new, &old, &loose.base);
		tables__unmap_blocks(&new);
	}
	tables__unmap_blocks(&old);
	return err ? err : remove_table(tables, slot);
}

static int is_full(const struct tables *tables, bool *full)
{
	uint32_t version = now(tables)->version, n = now(tables)->nbuckets[version & 1];
	struct block_table table;
	int err = map_table(tables, version, n < SAMPLE ? n : SAMPLE, &table);

	if (err)
		return err;
	*full = block_table__count(&table, table.nbuckets) > USE(table.nbuckets * BUCKET_SLOTS);
	tables__unmap_blocks(&table);
	return 0;
}

int tables__grow_blocks(struct tables *tables)
{
	uint32_t version = now(tables)->version, slot = version & 1;
	uint32_t nbuckets = tables->block_tables[slot] ? now(tables)->nbuckets[slot] : 0;
	bool full = !nbuckets;
	int err = 0;

	if (tables->block_tables[!slot])	/* there was no memory to move all */
		return move_blocks(tables);
	if (nbuckets == most_buckets(tables))
		return 0;
	if (nbuckets)
		err = is_full(tables, &full);
	if (!err && full)
		err = add_table(tables, next_size(tables, nbuckets));
	if (!err && full && nbuckets)
		err = move_blocks(tables);
	return err;
}

/* ---- the end of all, or of some ---- */

/* Of a sample, where all its blocks are counted; else NULL. */
static uint32_t *counts_of_recorded(const struct tables *tables)
{
	return tables->skeleton->rodata->sample_bytes ? tables->skeleton->bss->loose_counts : NULL;
}

/* All of them, if `dead` is NULL. */
static int sweep_loose(const struct tables *tables, const uint8_t *dead)
{
	struct loose_map loose = { { put_loose, drop_loose }, tables };
	int fd = bpf_map__fd(tables->skeleton->maps.loose_blocks);
	uint32_t *recorded = counts_of_recorded(tables);
	struct block_key key, next;
	int err = bpf_map_get_next_key(fd, NULL, &next);

	while (!err) {
		key = next;
		err = bpf_map_get_next_key(fd, &key, &next);
		if (dead && !dead[key.process])
			continue;
		drop_loose(&loose.base, &key);
		if (recorded)
			__atomic_fetch_sub(&recorded[loose_hash(&key)], 1, __ATOMIC_SEQ_CST);
	}
	return err == -ENOENT ? 0 : err;
}

static int sweep_table(struct tables *tables, uint32_t slot, const uint8_t *dead)
{
	struct block_table table;
	int err;

	if (!tables->block_tables[slot])
		return 0;
	err = map_table(tables, slot, now(tables)->nbuckets[slot], &table);
	if (err)
		return err;
	block_table__sweep(&table, dead, counts_of_recorded(tables));
	tables__unmap_blocks(&table);
	return 0;
}

int tables__sweep_blocks(struct tables *tables, const uint8_t *dead)
{
	int err;

	pthread_mutex_lock(&tables->growing);
	err = sweep_table(tables, 0, dead);
	if (!err)
		err = sweep_table(tables, 1, dead);
	if (!err)
		err = sweep_loose(tables, dead);
	pthread_mutex_unlock(&tables->growing);
	return err;
}

int tables__remove_blocks(struct tables *tables)
{
	int err = remove_table(tables, 0);

	if (!err)
		err = remove_table(tables, 1);
	if (!err)
		err = sweep_loose(tables, NULL);
	if (!err)
		memset(tables->skeleton->bss->loose_counts, 0,
		       sizeof(tables->skeleton->bss->loose_counts));
	return err;
}
