// SPDX-License-Identifier: GPL-2.0-or-later
/* Books are opened for processes that the user named, and what closed ones took is given back. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "collect/free_lists.h"
#include "collect/mapped.h"
#include "memtracebpf.skel.h"
#include "process/process.h"

static void give_back_frames(struct tables *tables, const struct site *site)
{
	uint32_t ngroups = (site->nframes + FRAME_GROUP - 1) / FRAME_GROUP;
	uint64_t *words = tables__frames(tables, site->frames);

	if (!ngroups || ngroups >= FRAME_LENGTHS || !words)
		return;
	words[0] = 0;
	give_back(&tables->skeleton->bss->free_frames[ngroups], site->frames, (uint32_t *)words);
}

static void clear_slot(struct tables *tables, uint32_t id, const struct site *site)
{
	uint64_t word = site->hash << 32 | id;

	for (uint32_t i = 0; i < 2 * SITE_BUCKET; i++) {
		uint32_t slot = site_bucket(site->hash, i / SITE_BUCKET, tables->nbuckets) +
				i % SITE_BUCKET;
		__u64 expected = word;

		if (__atomic_compare_exchange_n(&tables->site_slots[slot], &expected, 0, false,
						__ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
			return;
	}
}

static void clear_sites(struct tables *tables, uint32_t first)
{
	struct site *site;

	for (uint32_t id = first, next; id && (site = tables__site(tables, id)); id = next) {
		next = site->next;
		clear_slot(tables, id, site);
		give_back_frames(tables, site);
		memset(site, 0, sizeof(*site));
		give_back(&tables->skeleton->bss->free_sites, id, &site->next);
	}
}

static void clear_mappings(struct tables *tables, uint32_t first)
{
	struct mapping *mapping;

	for (uint32_t index = first, next;
	     index && (mapping = tables__mapping(tables, index)); index = next) {
		next = mapping->next;
		memset(mapping, 0, sizeof(*mapping));
		give_back(&tables->skeleton->bss->free_mappings, index, &mapping->next);
	}
}

static struct totals *totals_of(const struct tables *tables, uint32_t process)
{
	return &tables->totals[process * tables->ntotals];
}

static void add_totals(struct totals *sum, const struct totals *totals)
{
	sum->size += __atomic_load_n(&totals->size, __ATOMIC_ACQUIRE);
	sum->unplaced += __atomic_load_n(&totals->unplaced, __ATOMIC_ACQUIRE);
	sum->unplaced_size += totals->unplaced_size;
	sum->unplaced_count += totals->unplaced_count;
}

struct totals tables__heap(const struct tables *tables, uint32_t process)
{
	struct totals sum = {};

	for (uint32_t i = 0; i < tables->nshards; i++)
		add_totals(&sum, &totals_of(tables, process)[i]);
	return sum;
}

struct totals *tables__mapped(const struct tables *tables, uint32_t process)
{
	bool followed = tables->ntotals > tables->nshards;

	return followed ? &totals_of(tables, process)[tables->nshards] : NULL;
}

struct totals tables__totals(const struct tables *tables, uint32_t process)
{
	struct totals *mapped = tables__mapped(tables, process);
	struct totals sum = tables__heap(tables, process);

	if (mapped)
		add_totals(&sum, mapped);
	return sum;
}

bool tables__take_change(struct tables *tables, uint32_t process)
{
	bool changed = false;

	for (uint32_t i = 0; i < tables->ntotals; i++)
		changed |= __atomic_exchange_n(&totals_of(tables, process)[i].changed, 0,
					       __ATOMIC_SEQ_CST);
	return changed;
}

bool tables__is_at_peak(const struct tables *tables, uint32_t index)
{
	const struct process *process = &tables->processes[index];

	return __atomic_load_n(&process->growing, __ATOMIC_ACQUIRE) &&
	       tables__totals(tables, index).size > process->peak_size;
}

uint64_t tables__peak_size(const struct tables *tables, uint32_t index)
{
	return tables__is_at_peak(tables, index) ? tables__totals(tables, index).size :
						   tables->processes[index].peak_size;
}

/* The process goes on meanwhile: `bound` stays the sum of all `high`, whoever changes them. */
void tables__reset_peak(struct tables *tables, uint32_t index)
{
	struct process *process = &tables->processes[index];
	struct totals *totals = totals_of(tables, index);
	__u64 peak = 0;

	for (uint32_t i = 0; i < tables->ntotals; i++) {
		__u64 now = __atomic_load_n(&totals[i].size, __ATOMIC_SEQ_CST);
		__u64 high = __atomic_exchange_n(&totals[i].high, now, __ATOMIC_SEQ_CST);

		__atomic_fetch_add(&process->bound, now - high, __ATOMIC_SEQ_CST);
	}
	/* From 0 up again, whoever is first. */
	__atomic_store_n(&process->peak_size, 0, __ATOMIC_SEQ_CST);
	if (__atomic_compare_exchange_n(&process->peak_size, &peak,
					tables__totals(tables, index).size, false,
					__ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		__atomic_fetch_add(&process->peak_epoch, 1, __ATOMIC_SEQ_CST);
}

/* What it held is no longer part of the sum of all. */
static void take_from_sum(const struct tables *tables, uint32_t index)
{
	struct totals *sum = totals_of(tables, 0), *mapped = tables__mapped(tables, index);
	struct totals heap = tables__heap(tables, index);

	__atomic_fetch_sub(&sum->size, heap.size, __ATOMIC_ACQ_REL);
	if (mapped)
		tables__mapped(tables, 0)->size -= mapped->size;
}

void tables__clear_process(struct tables *tables, uint32_t index)
{
	struct process *process = &tables->processes[index];

	clear_sites(tables, process->sites);
	clear_mappings(tables, process->mappings);
	mapped__lock(tables->mapped);
	mapped__forget(tables->mapped, index);
	if (tables->skeleton->rodata->keep_sum)
		take_from_sum(tables, index);
	memset(totals_of(tables, index), 0, tables->ntotals * sizeof(*tables->totals));
	memset(process, 0, sizeof(*process));
	mapped__unlock(tables->mapped);
	process->state = PROCESS_CLEARED;
}

/* Blocks name their process by index: it is nobody else's until they are gone. */
int tables__sweep(struct tables *tables)
{
	uint8_t *dead = calloc(MAX_PROCESSES, 1);
	uint32_t n = tables__nprocesses(tables);
	int err;

	if (!dead)
		return -ENOMEM;
	for (uint32_t i = 1; i < n; i++)
		dead[i] = tables->processes[i].state == PROCESS_CLEARED;
	err = tables__sweep_blocks(tables, dead);
	for (uint32_t i = 1; !err && i < n; i++) {
		if (!dead[i])
			continue;
		tables->processes[i].state = PROCESS_NONE;
		give_back(&tables->skeleton->bss->free_processes, i, &tables->processes[i].next);
	}
	free(dead);
	return err;
}

static const __u32 *link_of_process(const struct tables *tables, __u32 process)
{
	return &tables->processes[process].next;
}

/* An index that nobody has; 0: there is none. */
static uint32_t take_process(struct tables *tables)
{
	struct memtracebpf_bpf *skel = tables->skeleton;
	uint32_t index = take_back(&skel->bss->free_processes, tables, link_of_process);

	if (!index)
		index = __atomic_fetch_add(&skel->data->next_process, 1, __ATOMIC_ACQ_REL);
	return index < MAX_PROCESSES ? index : 0;
}

int tables__add_process(struct tables *tables, uint32_t pid, uint32_t flags)
{
	struct memtracebpf_bpf *skel = tables->skeleton;
	uint32_t index = take_process(tables);
	struct process *process = &tables->processes[index];

	if (!index)
		return -ENOSPC;
	process->pid = pid;
	process->flags = flags;
	process->since = clock_ns(CLOCK_MONOTONIC);
	process->id = __atomic_add_fetch(&skel->bss->books_opened, 1, __ATOMIC_ACQ_REL);
	target__comm(pid, process->comm);
	__atomic_store_n(&process->state, PROCESS_LIVE, __ATOMIC_RELEASE);
	if (bpf_map_update_elem(bpf_map__fd(skel->maps.selected_pids), &pid, &index, BPF_ANY))
		return -errno;
	return index;
}

uint32_t tables__nprocesses(const struct tables *tables)
{
	uint32_t n = __atomic_load_n(&tables->skeleton->data->next_process, __ATOMIC_ACQUIRE);

	return n < MAX_PROCESSES ? n : MAX_PROCESSES;
}

static const __u32 *link_of_mapping(const struct tables *tables, __u32 index)
{
	const struct mapping *mapping = tables__mapping(tables, index);

	return mapping ? &mapping->next : NULL;
}

static uint32_t take_mapping(struct tables *tables)
{
	struct memtracebpf_bpf *skel = tables->skeleton;
	uint32_t index = take_back(&skel->bss->free_mappings, tables, link_of_mapping);

	if (index)
		return index;
	/* What is asked for while there is no room must not move on. */
	if (!tables__mapping(tables, __atomic_load_n(&skel->data->next_mapping, __ATOMIC_ACQUIRE)))
		return 0;
	return __atomic_fetch_add(&skel->data->next_mapping, 1, __ATOMIC_ACQ_REL);
}

static void note_mapping(struct tables *tables, uint32_t index, uint32_t epoch, uint32_t file,
			 const struct listed_mapping *listed)
{
	struct process *process = &tables->processes[index];
	uint32_t at = take_mapping(tables), head;
	struct mapping *m = at ? tables__mapping(tables, at) : NULL;

	if (!m)
		return;
	*m = (struct mapping){
		.start = listed->start, .end = listed->end, .bias = listed->start - listed->offset,
		.file = file, .epoch = epoch,
	};
	/* Walks that found another mapping there may look at it: it counts when it is complete. */
	__atomic_store_n(&m->process, index, __ATOMIC_RELEASE);
	head = __atomic_load_n(&process->mappings, __ATOMIC_ACQUIRE);
	do
		m->next = head;
	while (!__atomic_compare_exchange_n(&process->mappings, &head, at, false, __ATOMIC_SEQ_CST,
					    __ATOMIC_ACQUIRE));
}

struct span {
	uint64_t start, end;
};

static int compare_spans(const void *x, const void *y)
{
	const struct span *a = x, *b = y;

	if (a->start != b->start)
		return a->start < b->start ? -1 : 1;
	return (a->end > b->end) - (a->end < b->end);
}

/* Those that the process has in its list, in order; NULL: none, or no memory. */
static struct span *noted_spans(const struct tables *tables, uint32_t first, uint32_t epoch, size_t *n)
{
	const struct mapping *m;
	struct span *spans;
	uint32_t at, left = 0;

	for (at = first; at && (m = tables__mapping(tables, at)); at = m->next)
		left += m->epoch == epoch;
	spans = calloc(left, sizeof(*spans));
	for (at = first, *n = 0; spans && left && at && (m = tables__mapping(tables, at)); at = m->next) {
		if (m->epoch != epoch)
			continue;
		spans[(*n)++] = (struct span){ m->start, m->end };
		left--;
	}
	if (spans)
		qsort(spans, *n, sizeof(*spans), compare_spans);
	return spans;
}

void tables__note_mappings(struct tables *tables, uint32_t index,
			   const struct listed_mappings *list, const uint32_t *files)
{
	struct process *process = &tables->processes[index];
	uint32_t epoch = __atomic_load_n(&process->epoch, __ATOMIC_ACQUIRE);
	size_t n = 0;
	struct span *noted = noted_spans(tables, process->mappings, epoch, &n);

	for (size_t i = 0; i < list->count; i++) {
		const struct listed_mapping *listed = &list->items[i];
		struct span span = { listed->start, listed->end };

		if (files[i] && !(n && bsearch(&span, noted, n, sizeof(span), compare_spans)))
			note_mapping(tables, index, epoch, files[i], listed);
	}
	free(noted);
}

void tables__mark_files(const struct tables *tables, bool *used)
{
	uint32_t n = tables__nprocesses(tables);
	const struct mapping *m;

	for (uint32_t i = 1; i < n; i++)
		for (uint32_t at = tables->processes[i].mappings;
		     at && (m = tables__mapping(tables, at)); at = m->next)
			used[m->file] = true;
}
