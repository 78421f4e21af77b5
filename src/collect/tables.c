// SPDX-License-Identifier: GPL-2.0-or-later
#include "collect/tables.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"
#include "collect/mapped.h"
#include "collect/memory.h"
#include "memtracebpf.skel.h"
#include "probe/attach.h"

/* What some kernels do not have, and `make variants` does without. */
#ifndef WITHOUT_SESSIONS
#define WITHOUT_SESSIONS 0
#endif
#ifndef WITHOUT_SHARED_ROOMS
#define WITHOUT_SHARED_ROOMS 0
#endif

/* Groups of threads that sum apart: more than there are CPUs would not help. */
static uint32_t shards_for_cpus(void)
{
	int ncpus = libbpf_num_possible_cpus();

	return ncpus >= MAX_SHARDS ? MAX_SHARDS : ncpus >= 2 ? 2 : 1;
}

/* A quarter more slots than sites: with two buckets to choose from, none is refused for want. */
static uint32_t buckets_for(uint32_t max_stacks)
{
	return SITES_IN_ALL(max_stacks) / SITE_BUCKET * 5 / 4 + 16;
}

/* Blocks beyond 64 KiB, and the few that find no slot: a hash table's buckets are there at once. */
static uint32_t most_loose(uint32_t max_blocks)
{
	return max_blocks / 16 > 4096 ? max_blocks / 16 : 4096;
}

static int print_libbpf(enum libbpf_print_level level, const char *format, va_list args)
{
	if (level == LIBBPF_DEBUG ? log__verbosity() < 3 : log__verbosity() < 2)
		return 0;
	return vfprintf(stderr, format, args);
}

static void set_constants(struct memtracebpf_bpf *skel, const struct tables_opts *opts,
			  const struct tables *tables)
{
	skel->rodata->nframe_limit = opts->nframe;
	skel->rodata->max_sites = opts->max_stacks;
	skel->rodata->nshards = tables->nshards;
	skel->rodata->ntotals = tables->ntotals;
	skel->rodata->site_buckets = tables->nbuckets;
	skel->rodata->sample_bytes = opts->sample_bytes;
	skel->rodata->select_by = opts->select_by;
	skel->rodata->whole_machine = opts->whole_machine;
	skel->rodata->follow_fork = opts->follow_fork;
	skel->rodata->each_end = opts->each_end;
	skel->rodata->clock_shift = tables__clock_shift();
	skel->rodata->keep_slack = opts->keep_slack;
	skel->rodata->keep_sum = opts->keep_sum;
	skel->rodata->keep_blocks = !opts->no_blocks;
	skel->rodata->keep_regions = opts->regions;
	skel->rodata->share_rooms = !WITHOUT_SHARED_ROOMS;
}

static void size_maps(struct memtracebpf_bpf *skel, const struct tables_opts *opts,
		      const struct tables *tables)
{
	bpf_map__set_max_entries(skel->maps.totals, MAX_PROCESSES * tables->ntotals);
	bpf_map__set_max_entries(skel->maps.site_slots, tables->nbuckets * SITE_BUCKET);
	bpf_map__set_max_entries(skel->maps.scratches,
				 bpf_map__max_entries(skel->maps.scratches) *
				 libbpf_num_possible_cpus());
	bpf_map__set_max_entries(skel->maps.loose_blocks, most_loose(opts->max_blocks));
	if (!opts->regions)
		bpf_map__set_max_entries(skel->maps.regions, 4096);
}

static void choose_programs(struct memtracebpf_bpf *skel, const struct tables_opts *opts,
			    bool sessions)
{
	bpf_program__set_autoload(skel->progs.task_moved, opts->select_by & SELECT_CGROUP);
	bpf_program__set_autoload(skel->progs.allocation_session, sessions);
	bpf_program__set_autoload(skel->progs.allocation_entry, !sessions);
	bpf_program__set_autoload(skel->progs.allocation_return, !sessions);
	bpf_program__set_autoload(skel->progs.allocation_pass, sessions);
	bpf_program__set_autoload(skel->progs.mapping_session, opts->regions && sessions);
	bpf_program__set_autoload(skel->progs.mapping_entry, opts->regions && !sessions);
	bpf_program__set_autoload(skel->progs.mapping_return, opts->regions && !sessions);
	if (!sessions)
		return;
	bpf_program__set_expected_attach_type(skel->progs.allocation_session,
					      TRACE_UPROBE_SESSION);
	bpf_program__set_expected_attach_type(skel->progs.mapping_session, TRACE_UPROBE_SESSION);
	bpf_program__set_expected_attach_type(skel->progs.allocation_pass, TRACE_UPROBE_MULTI);
	bpf_program__set_expected_attach_type(skel->progs.libraries_changed, TRACE_UPROBE_MULTI);
}

static int load(const struct tables_opts *opts, struct tables *tables)
{
	struct memtracebpf_bpf *skel = memtracebpf_bpf__open();
	int err;

	if (!skel)
		return -errno;
	tables->sessions = !WITHOUT_SESSIONS && probe__has_sessions();
	tables->nbuckets = buckets_for(opts->max_stacks);
	tables->nshards = shards_for_cpus();
	tables->ntotals = tables->nshards + opts->regions;
	set_constants(skel, opts, tables);
	size_maps(skel, opts, tables);
	choose_programs(skel, opts, tables->sessions);
	err = memtracebpf_bpf__load(skel);
	if (err) {
		memtracebpf_bpf__destroy(skel);
		return err;
	}
	tables->skeleton = skel;
	return 0;
}

static int map_shared(struct tables *tables)
{
	struct memtracebpf_bpf *skel = tables->skeleton;

	tables->processes = map_array(bpf_map__fd(skel->maps.processes), MAX_PROCESSES,
				       sizeof(struct process));
	tables->totals = map_array(bpf_map__fd(skel->maps.totals),
				    MAX_PROCESSES * tables->ntotals, sizeof(struct totals));
	tables->files = map_array(bpf_map__fd(skel->maps.files), MAX_FILES,
				   sizeof(struct code_file));
	tables->rules = map_array(bpf_map__fd(skel->maps.rules), MAX_RULES,
				   sizeof(struct unwind_rule));
	tables->site_slots = map_array(bpf_map__fd(skel->maps.site_slots),
					tables->nbuckets * SITE_BUCKET, sizeof(uint64_t));
	tables->rule_cache = map_array(bpf_map__fd(skel->maps.rule_cache), RULE_CACHE_SIZE,
					sizeof(uint64_t));
	if (!tables->processes || !tables->totals || !tables->files || !tables->rules ||
	    !tables->site_slots || !tables->rule_cache)
		return -errno;
	return 0;
}

int tables__open(const struct tables_opts *opts, struct tables *tables)
{
	int err;

	memset(tables, 0, sizeof(*tables));
	pthread_mutex_init(&tables->growing, NULL);
	pthread_mutex_init(&tables->growing_pieces, NULL);
	pthread_mutex_init(&tables->changes.lock, NULL);
	pthread_cond_init(&tables->changes.changed, NULL);
	tables->max_blocks = opts->max_blocks;
	tables->max_stacks = opts->max_stacks;
	libbpf_set_print(print_libbpf);
	err = load(opts, tables);
	if (err && libbpf_probe_bpf_helper(BPF_PROG_TYPE_KPROBE, BPF_FUNC_loop, NULL) == 0) {
		log__error("this kernel is too old: memtracebpf takes Linux 5.17 or newer (bpf_loop)");
		return err;
	}
	if (err) {
		log__error("the kernel refused the BPF programs: %s (-vv shows its reasons)",
			   strerror(-err));
		return err;
	}
	err = map_shared(tables);
	if (!err)
		err = tables__grow(tables);
	if (!err)
		err = opts->regions ? mapped__new(tables, &tables->mapped) : 0;
	if (!err)
		err = tables__start_growing(tables);
	if (err) {
		log__error("cannot make the tables: %s", strerror(-err));
		tables__close(tables);
	}
	return err;
}

void tables__close(struct tables *tables)
{
	tables__stop_growing(tables);
	tables__finish_rows(tables);
	mapped__free(tables->mapped);
	for (uint32_t i = 0; i < tables->nsite_pieces; i++)
		unmap_array(tables->sites[i], 1, SITE_PIECE_BYTES);
	for (uint32_t i = 0; i < tables->nframe_pieces; i++)
		unmap_array(tables->frames[i], 1, FRAME_PIECE_BYTES);
	for (uint32_t i = 0; i < tables->nmapping_pieces; i++)
		unmap_array(tables->mappings[i], 1, MAPPING_PIECE_BYTES);
	for (int i = 0; i < 2; i++)
		if (tables->block_tables[i])
			close(tables->block_tables[i]);
	unmap_array(tables->processes, MAX_PROCESSES, sizeof(struct process));
	unmap_array(tables->totals, MAX_PROCESSES * tables->ntotals, sizeof(struct totals));
	unmap_array(tables->files, MAX_FILES, sizeof(struct code_file));
	unmap_array(tables->rules, MAX_RULES, sizeof(struct unwind_rule));
	unmap_array(tables->site_slots, tables->nbuckets * SITE_BUCKET, sizeof(uint64_t));
	unmap_array(tables->rule_cache, RULE_CACHE_SIZE, sizeof(uint64_t));
	memtracebpf_bpf__destroy(tables->skeleton);
	memset(tables, 0, sizeof(*tables));
}

struct site *tables__site(const struct tables *tables, uint32_t site)
{
	uint32_t piece = site >> SITE_PIECE_SHIFT;

	if (piece >= __atomic_load_n(&tables->nsite_pieces, __ATOMIC_ACQUIRE))
		return NULL;
	return &tables->sites[piece][site & (SITE_PIECE - 1)];
}

uint64_t *tables__frames(const struct tables *tables, uint32_t frames)
{
	uint32_t piece = frames >> FRAME_PIECE_SHIFT;

	if (piece >= __atomic_load_n(&tables->nframe_pieces, __ATOMIC_ACQUIRE))
		return NULL;
	return &tables->frames[piece][frames & (FRAME_PIECE - 1)];
}

struct mapping *tables__mapping(const struct tables *tables, uint32_t mapping)
{
	uint32_t piece = mapping >> MAPPING_PIECE_SHIFT;

	if (piece >= __atomic_load_n(&tables->nmapping_pieces, __ATOMIC_ACQUIRE))
		return NULL;
	return &tables->mappings[piece][mapping & (MAPPING_PIECE - 1)];
}

uint32_t tables__nsites(const struct tables *tables)
{
	return __atomic_load_n(&tables->skeleton->data->next_site, __ATOMIC_ACQUIRE);
}

static void clear_process(struct process *process)
{
	process->peak_size = process->peak_epoch = process->bound = process->growing = 0;
	process->frees_inherited = 0;
	process->sites = process->nsites = 0;
}

static void clear_places(struct tables *tables)
{
	struct memtracebpf_bpf *skel = tables->skeleton;

	memset(tables->site_slots, 0,
	       (size_t)tables->nbuckets * SITE_BUCKET * sizeof(*tables->site_slots));
	for (uint32_t i = 0; i < tables->nsite_pieces; i++)
		memset(tables->sites[i], 0, SITE_PIECE_BYTES);
	skel->data->next_frame = FRAME_GROUP;
	skel->data->next_site = 1;
	skel->bss->free_sites = 0;
	memset(skel->bss->free_frames, 0, sizeof(skel->bss->free_frames));
}

int tables__clear(struct tables *tables)
{
	struct memtracebpf_bpf *skel = tables->skeleton;
	uint32_t generation = skel->bss->counting;
	int err;

	__atomic_store_n(&skel->bss->counting, 0, __ATOMIC_RELEASE);
	mapped__lock(tables->mapped);
	pthread_mutex_lock(&tables->growing);
	err = tables__remove_blocks(tables);
	if (!err) {
		for (uint32_t i = 0; i < MAX_PROCESSES; i++)
			clear_process(&tables->processes[i]);
		memset(tables->totals, 0,
		       MAX_PROCESSES * tables->ntotals * sizeof(*tables->totals));
		clear_places(tables);
		memset(skel->bss->lost, 0, sizeof(skel->bss->lost));
		tables->skipped_before += tables__programs_skipped(tables);
	}
	mapped__clear(tables->mapped);
	pthread_mutex_unlock(&tables->growing);
	mapped__unlock(tables->mapped);
	if (!err)
		err = tables__grow(tables);
	__atomic_store_n(&skel->bss->counting, generation + 1, __ATOMIC_RELEASE);
	return err;
}

/* fdinfo's memlock is what the map takes, since 6.4 also of what a table allocated on demand. */
static uint64_t map_memory_use(int fd)
{
	unsigned long long bytes = 0;
	char path[32], line[128];
	FILE *info;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	info = fopen(path, "re");
	while (info && fgets(line, sizeof(line), info))
		if (sscanf(line, "memlock: %llu", &bytes) == 1)
			break;
	if (info)
		fclose(info);
	return bytes;
}

uint64_t tables__memory(const struct tables *tables)
{
	uint64_t bytes = tables->nsite_pieces * SITE_PIECE_BYTES +
			 tables->nframe_pieces * FRAME_PIECE_BYTES +
			 tables->nmapping_pieces * MAPPING_PIECE_BYTES + tables__row_bytes(tables);
	struct bpf_map *map;

	for (int i = 0; i < 2; i++)
		if (tables->block_tables[i])
			bytes += map_memory_use(tables->block_tables[i]);
	bpf_object__for_each_map(map, tables->skeleton->obj)
		bytes += map_memory_use(bpf_map__fd(map));
	return bytes;
}

uint64_t tables__programs_skipped(const struct tables *tables)
{
	struct bpf_program *program;
	uint64_t skipped = 0;

	bpf_object__for_each_program(program, tables->skeleton->obj) {
		struct bpf_prog_info info = {};
		uint32_t size = sizeof(info);
		int fd = bpf_program__fd(program);

		if (fd >= 0 && !bpf_obj_get_info_by_fd(fd, &info, &size))
			skipped += info.recursion_misses;
	}
	return skipped - tables->skipped_before;
}
