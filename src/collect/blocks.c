// SPDX-License-Identifier: GPL-2.0-or-later
/* The live blocks, read one by one: what no counter can tell. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "collect/block_memory.h"
#include "collect/mapped.h"
#include "memtracebpf.skel.h"

#define BATCH 4096

/* Returns other than 0 to end the search. */
typedef int (*look_fn)(const struct block_key *key, const struct block *block, void *context);

/* A slot may change hands meanwhile: what is in it is that of one block, if its key stays. */
static __always_inline int look_into_slots(const struct block_table *table, look_fn look,
					   void *context)
{
	int err = 0;

	for (uint32_t index = 0; index < table->nbuckets; index++) {
		const struct block_bucket *bucket = bucket_at(table, index);

		for (uint32_t i = 0; !err && i < BUCKET_SLOTS; i++) {
			uint64_t key = load_acquire(&bucket->keys[i]);
			uint64_t value = load_acquire(&bucket->values[i]);
			struct block_key block_key;
			struct block block;

			if (!(key & BLOCK_ID_MASK) || key != load_acquire(&bucket->keys[i]))
				continue;
			unpack_key(key, &block_key);
			unpack_block(key, value, &block);
			err = look(&block_key, &block, context);
		}
	}
	return err;
}

static int look_into_loose(int fd, look_fn look, void *context)
{
	struct block_key *keys = calloc(BATCH, sizeof(*keys));
	struct block *blocks = calloc(BATCH, sizeof(*blocks));
	int err = keys && blocks ? 0 : -ENOMEM;
	bool first = true, last = false;
	uint64_t token = 0;

	while (!err && !last) {
		uint32_t n = BATCH;

		if (bpf_map_lookup_batch(fd, first ? NULL : &token, &token, keys, blocks, &n,
					 NULL)) {
			last = errno == ENOENT;
			err = last ? 0 : -errno;
		}
		for (uint32_t i = 0; !err && i < n; i++)
			err = look(&keys[i], &blocks[i], context);
		first = false;
	}
	free(keys);
	free(blocks);
	return err;
}

/* Calls look() for every live block, until it returns an error. Meanwhile no block is moved. */
static __always_inline int for_each_block(struct tables *tables, look_fn look, void *context)
{
	struct block_table table;
	int err;

	pthread_mutex_lock(&tables->growing);
	err = tables__map_blocks(tables, &table);
	if (!err) {
		err = look_into_slots(&table, look, context);
		tables__unmap_blocks(&table);
	}
	pthread_mutex_unlock(&tables->growing);
	if (!err)
		err = look_into_loose(bpf_map__fd(tables->skeleton->maps.loose_blocks), look,
				      context);
	return err;
}

/* ---- the blocks' clock ---- */

#define MOST_AGE_NS ((1ULL << 32) * 1000000)	/* --min-age */

/* The coarse clocks go on with each jiffy (kernel/time/posix-timers.c, posix_get_coarse_res). */
static uint64_t ns_per_jiffy(void)
{
	struct timespec resolution = { .tv_nsec = 4000000 };

	clock_getres(CLOCK_MONOTONIC_COARSE, &resolution);
	return resolution.tv_nsec;
}

uint32_t tables__clock_shift(void)
{
	uint64_t span = ns_per_jiffy() << BLOCK_TIME_BITS;
	uint32_t shift = 0;

	while (span << shift < MOST_AGE_NS)
		shift++;
	return shift;
}

struct clock {
	uint64_t now;		/* jiffies */
	uint64_t ns_per_jiffy;
	uint32_t shift;
};

static int read_clock(struct tables *tables, struct clock *clock)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);

	if (bpf_prog_test_run_opts(bpf_program__fd(tables->skeleton->progs.read_clock), &opts))
		return -errno;
	clock->now = tables->skeleton->bss->jiffies_now;
	clock->ns_per_jiffy = ns_per_jiffy();
	clock->shift = tables->skeleton->rodata->clock_shift;
	return 0;
}

/* From the middle of the clock's step. At least 1: 0 is an age that is not known. */
static uint64_t age_of(const struct clock *clock, const struct block *block)
{
	uint64_t most = (1ULL << BLOCK_TIME_BITS << clock->shift) - 1;
	uint64_t jiffies = (clock->now - ((uint64_t)block->time << clock->shift)) & most;
	uint64_t half = clock->ns_per_jiffy << clock->shift >> 1;
	uint64_t ns = jiffies * clock->ns_per_jiffy;

	if (jiffies > most - 60 * 1000 || ns <= half)	/* it may be younger than now */
		return 1;
	return ns - half;
}

/* ---- what is asked of blocks ---- */

struct age_sums {
	struct clock clock;
	struct block_ages *ages;
};

static int add_age(const struct block_key *key, const struct block *block, void *context)
{
	const struct age_sums *sums = context;
	struct block_ages *ages = sums->ages;
	uint64_t age;

	if (key->process >= MAX_PROCESSES || !ages->processes[key->process])
		return 0;
	age = age_of(&sums->clock, block);
	if (block->site >= ages->nsites || age < ages->min_age_ns)
		return 0;
	if (age > ages->oldest_ns[block->site])
		ages->oldest_ns[block->site] = age;
	if (!ages->min_age_ns)
		return 0;
	ages->size[block->site] += block->size;
	ages->count[block->site]++;
	ages->slack[block->site] += block->slack;
	return 0;
}

int tables__read_ages(struct tables *tables, struct block_ages *ages)
{
	struct age_sums sums = { .ages = ages };
	int err = read_clock(tables, &sums.clock);

	mapped__read_ages(tables->mapped, ages);
	return err ? err : for_each_block(tables, add_age, &sums);
}

struct block_search {
	struct clock clock;
	uint32_t process;
	uint64_t address;
	struct found_block *found;
};

/* 1: found. */
static int match_block(const struct block_key *key, const struct block *block, void *context)
{
	const struct block_search *search = context;
	uint64_t size = block->size ? block->size : 1;

	if (key->process != search->process || search->address - key->address >= size)
		return 0;
	*search->found = (struct found_block){
		.address = key->address,
		.size = block->size,
		.age_ns = age_of(&search->clock, block),
		.site = block->site,
	};
	return 1;
}

int tables__find_block(struct tables *tables, uint32_t process, uint64_t address,
		       struct found_block *found)
{
	struct block_search search = { .process = process, .address = address, .found = found };
	int err = read_clock(tables, &search.clock);

	if (!err)
		err = for_each_block(tables, match_block, &search);
	if (err)
		return err == 1 ? 0 : err;
	return mapped__find(tables->mapped, process, address, found) ? 0 : -ENOENT;
}
