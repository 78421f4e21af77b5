// SPDX-License-Identifier: GPL-2.0-or-later
/* The live blocks, read one by one: what no counter can tell. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "collect/tables.h"
#include "memtracebpf.skel.h"

#define BATCH 4096

typedef int (*look_fn)(const struct block_key *key, const struct block *block, void *context);

/* Calls look() for every entry of a level, until it returns an error. */
static int for_each_block(int fd, look_fn look, void *context)
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

static int for_all_blocks(const struct tables *tables, look_fn look, void *context)
{
	int err = 0;

	for (uint32_t i = 0; !err && i < tables->nblock_levels; i++)
		err = for_each_block(tables->block_levels[i], look, context);
	return err;
}

/* ---- the kernel's clock for blocks ---- */

static int read_clock(struct tables *tables, uint64_t *jiffies, uint64_t *ns)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);

	if (bpf_prog_test_run_opts(bpf_program__fd(tables->skeleton->progs.read_clock), &opts))
		return -errno;
	*ns = clock_ns(CLOCK_MONOTONIC);
	*jiffies = tables->skeleton->bss->jiffies_now;
	return 0;
}

int tables__start_clock(struct tables *tables)
{
	return read_clock(tables, &tables->clock_jiffies, &tables->clock_ns);
}

struct clock {
	uint32_t now;		/* jiffies, as blocks have them */
	uint64_t ns_per_jiffy;
};

/*
 * How long a jiffy is, the kernel tells nobody. It is one of four lengths (kernel/Kconfig.hz),
 * and two looks at both clocks say which.
 */
static int set_clock(struct tables *tables, struct clock *clock)
{
	static const unsigned int hz[] = { 100, 250, 300, 1000 };
	uint64_t jiffies, ns, best = ~0ULL;
	int err = read_clock(tables, &jiffies, &ns);

	if (err)
		return err;
	clock->now = jiffies;
	clock->ns_per_jiffy = 4000000;
	for (int i = 0; i < 4; i++) {
		uint64_t expected = (ns - tables->clock_ns) * hz[i] / 1000000000ULL;
		uint64_t seen = jiffies - tables->clock_jiffies;
		uint64_t error = expected > seen ? expected - seen : seen - expected;

		if (error >= best)
			continue;
		best = error;
		clock->ns_per_jiffy = 1000000000ULL / hz[i];
	}
	return 0;
}

/* At least 1: 0 is an age that is not known. */
static uint64_t age_of(const struct clock *clock, const struct block *block)
{
	uint32_t jiffies = clock->now - block->time, future = block->time - clock->now;

	if (!jiffies || future < 60 * 1000)	/* it may be younger than now */
		return 1;
	return jiffies * clock->ns_per_jiffy;
}

/* ---- what is asked of blocks ---- */

struct age_sums {
	struct clock clock;
	struct block_ages *ages;
};

static int add_age(const struct block_key *key __unused, const struct block *block, void *context)
{
	const struct age_sums *sums = context;
	struct block_ages *ages = sums->ages;
	uint64_t age = age_of(&sums->clock, block);

	if (block->site >= ages->nsites || age < ages->min_age_ns)
		return 0;
	ages->size[block->site] += block->size;
	ages->count[block->site]++;
	ages->slack[block->site] += block->slack;
	if (age > ages->oldest_ns[block->site])
		ages->oldest_ns[block->site] = age;
	return 0;
}

int tables__read_ages(struct tables *tables, struct block_ages *ages)
{
	struct age_sums sums = { .ages = ages };
	int err = set_clock(tables, &sums.clock);

	return err ? err : for_all_blocks(tables, add_age, &sums);
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
	int err = set_clock(tables, &search.clock);

	if (!err)
		err = for_all_blocks(tables, match_block, &search);
	return err == 1 ? 0 : err ? err : -ENOENT;
}

struct sweep {
	int fd;
	const uint8_t *dead;
};

static int sweep_block(const struct block_key *key, const struct block *block __unused,
		       void *context)
{
	const struct sweep *sweep = context;

	if (sweep->dead[key->process] && bpf_map_delete_elem(sweep->fd, key) && errno != ENOENT)
		return -errno;
	return 0;
}

int tables__sweep_blocks(struct tables *tables, const uint8_t *dead)
{
	int err = 0;

	for (uint32_t i = 0; !err && i < tables->nblock_levels; i++) {
		struct sweep sweep = { tables->block_levels[i], dead };

		err = for_each_block(sweep.fd, sweep_block, &sweep);
	}
	return err;
}
