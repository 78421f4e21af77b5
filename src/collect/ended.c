// SPDX-License-Identifier: GPL-2.0-or-later
#include "collect/ended.h"

#include <bpf/libbpf.h>
#include <string.h>

#include "base/log.h"
#include "base/saturate.h"
#include "collect/mapped.h"
#include "collect/sampling.h"
#include "memtracebpf.skel.h"

#define SWEEP_AT 512	/* processes whose blocks are looked for together */

static struct trace read_site(const struct tables *tables, const struct site *site)
{
	uint64_t sample_bytes = tables->skeleton->rodata->sample_bytes;
	struct trace trace = {
		.size = site->alloc_size - site->freed_size,
		.count = site->alloc_count - site->freed_count,
		.alloc_size = site->alloc_size,
		.alloc_count = site->alloc_count,
	};

	if (sample_bytes && !(site->sizes & MAPS_MEMORY))
		sampling__scale(sample_bytes, site->sizes, &trace);
	return trace;
}

static void add_up(struct ended *ended, const struct tables *tables, uint32_t index)
{
	const struct process *process = &tables->processes[index];
	bool replaced = process->state == PROCESS_REPLACED;
	struct totals totals = tables__totals(tables, index);
	struct snapshot_ended *sum = &ended->sum;
	const struct site *site;

	for (uint32_t id = process->sites; id && (site = tables__site(tables, id));
	     id = site->next) {
		struct trace trace = read_site(tables, site);

		add_saturated(&sum->alloc_size, trace.alloc_size);
		sum->alloc_count += trace.alloc_count;
		ended->frames_cut[site->stop < STOP_MAX ? site->stop : STOP_BOTTOM] +=
			trace.alloc_count;
		totals.size += trace.size - (site->alloc_size - site->freed_size);
		totals.unplaced += trace.count;
	}
	add_saturated(&sum->alloc_size, totals.unplaced_size);
	sum->alloc_count += totals.unplaced_count;
	ended->frees_inherited += process->frees_inherited;
	/* A program that another took the place of held nothing in the end. */
	if (replaced)
		return;
	sum->processes++;
	sum->size += totals.size;
	sum->count += totals.unplaced;
}

static void close_all(struct ended *ended, struct tables *tables, ended_fn last_look, void *context)
{
	uint32_t n = tables__nprocesses(tables);

	for (uint32_t i = 1; i < n; i++) {
		struct process *process = &tables->processes[i];
		uint32_t state = __atomic_load_n(&process->state, __ATOMIC_ACQUIRE);

		if (state != PROCESS_ENDED && state != PROCESS_REPLACED)
			continue;
		if (state == PROCESS_ENDED && last_look && !(process->flags & PROCESS_REPORTED))
			last_look(context, i);
		process->flags |= PROCESS_REPORTED;
		if (state == PROCESS_ENDED && process->flags & PROCESS_PINNED)
			continue;
		add_up(ended, tables, i);
		tables__clear_process(tables, i);
		ended->nunswept++;
	}
}

/* Makes the books of many available again, or of few where others found none. */
static void sweep(struct ended *ended, struct tables *tables)
{
	struct memtracebpf_bpf *skel = tables->skeleton;
	uint64_t lost = __atomic_load_n(&skel->bss->lost[LOST_PROCESSES], __ATOMIC_ACQUIRE);
	bool wanted = lost != ended->lost;

	if (!ended->nunswept || (ended->nunswept < SWEEP_AT && !wanted))
		return;
	if (tables__sweep(tables))
		log__warn("blocks of processes that have ended take up room");
	ended->nunswept = 0;
	ended->lost = lost;
	/* Threads for which there were no books ask again. */
	if (wanted)
		__atomic_fetch_add(&skel->bss->selection, 1, __ATOMIC_ACQ_REL);
}

void ended__close(struct ended *ended, struct tables *tables, ended_fn last_look, void *context)
{
	uint32_t ends;

	mapped__drain(tables->mapped);
	ends = __atomic_load_n(&tables->skeleton->bss->processes_ended, __ATOMIC_ACQUIRE);
	if (ends != ended->seen)
		close_all(ended, tables, last_look, context);
	ended->seen = ends;
	sweep(ended, tables);
}

void ended__clear(struct ended *ended)
{
	ended->sum = (struct snapshot_ended){};
	ended->frees_inherited = 0;
	memset(ended->frames_cut, 0, sizeof(ended->frames_cut));
}
