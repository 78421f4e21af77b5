// SPDX-License-Identifier: GPL-2.0-or-later
#include "collect/books.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "memtracebpf.skel.h"

struct books {
	struct tables *tables;
	struct names *names;
	uint32_t *stacks;	/* index of names' stacks by site; 0: not yet looked up */
	uint32_t nstacks;
	uint32_t *process_of;	/* index into the snapshot's processes by index of books, + 1 */
};

struct books *books__new(struct tables *tables, struct names *names)
{
	struct books *books = calloc(1, sizeof(*books));

	if (!books)
		return NULL;
	books->tables = tables;
	books->names = names;
	books->process_of = calloc(MAX_PROCESSES, sizeof(*books->process_of));
	if (!books->process_of) {
		free(books);
		return NULL;
	}
	return books;
}

void books__free(struct books *books)
{
	if (!books)
		return;
	free(books->stacks);
	free(books->process_of);
	free(books);
}

static int reserve_stacks(struct books *books, uint32_t nsites)
{
	uint32_t *stacks;

	if (nsites <= books->nstacks)
		return 0;
	stacks = reallocarray(books->stacks, nsites, sizeof(*stacks));
	if (!stacks)
		return -ENOMEM;
	memset(stacks + books->nstacks, 0, (nsites - books->nstacks) * sizeof(*stacks));
	books->stacks = stacks;
	books->nstacks = nsites;
	return 0;
}

static int location_of(struct books *books, const struct traced *traced, uint32_t epoch,
		       uint64_t word, uint32_t *location)
{
	bool exact = word >> FRAME_TAG_SHIFT == FRAME_EXACT;
	uint64_t pc = word & FRAME_PC_MASK;
	/* A call at the very end of a mapping returns past it. */
	const struct code_mapping *mapping = traced__find(traced, epoch, exact ? pc : pc - 1);

	if (!mapping || !mapping->module)
		return names__location(books->names, 0, pc, exact, location);
	return names__location(books->names, mapping->module->name,
			       pc - mapping->start + mapping->offset, exact, location);
}

static int stack_of(struct books *books, const struct traced *traced, const struct site *site,
		    uint32_t *stack)
{
	const uint64_t *words = tables__frames(books->tables, site->frames);
	uint32_t locations[MAX_FRAMES];

	*stack = 0;
	if (!words || site->nframes > MAX_FRAMES)
		return 0;
	for (uint32_t i = 0; i < site->nframes; i++) {
		int err = location_of(books, traced, site->epoch, words[i], &locations[i]);

		if (err)
			return err;
	}
	return names__stack(books->names, locations, site->nframes, site->stop, stack);
}

static int add_processes(struct books *books, struct traced *const *processes, size_t n,
			 struct snapshot *snapshot)
{
	memset(books->process_of, 0, MAX_PROCESSES * sizeof(*books->process_of));
	for (size_t i = 0; i < n; i++) {
		const struct process *from = &books->tables->processes[processes[i]->index];
		struct snapshot_process to = {
			.pid = processes[i]->pid,
			.comm = names__string(books->names, processes[i]->comm),
			.size = from->size,
			.count = from->count,
			.peak_size = from->peak_size,
		};
		int err = snapshot__add_process(snapshot, &to);

		if (err)
			return err;
		books->process_of[processes[i]->index] = i + 1;
		snapshot->size += to.size;
		snapshot->count += to.count;
	}
	snapshot->peak_size = n == 1 ? snapshot->processes[0].peak_size :
				       books->tables->processes[0].peak_size;
	return 0;
}

/* What a process' sites have in all: the rest of its books are blocks without a stack. */
struct placed {
	uint64_t size, count;
};

/* Freed before allocated: whatever happens in between, no more is freed than was allocated. */
static void read_counters_once(const struct site *site, struct trace *trace)
{
	uint64_t size = __atomic_load_n(&site->freed_size, __ATOMIC_ACQUIRE);
	uint64_t count = __atomic_load_n(&site->freed_count, __ATOMIC_ACQUIRE);
	uint64_t slack = __atomic_load_n(&site->freed_slack, __ATOMIC_ACQUIRE);

	trace->alloc_size = __atomic_load_n(&site->alloc_size, __ATOMIC_ACQUIRE);
	trace->alloc_count = __atomic_load_n(&site->alloc_count, __ATOMIC_ACQUIRE);
	trace->size = trace->alloc_size - size;
	trace->count = trace->alloc_count - count;
	slack = __atomic_load_n(&site->alloc_slack, __ATOMIC_ACQUIRE) - slack;
	trace->usable_size = trace->size + slack;
}

#define TRIES 8	/* a place where threads never rest is read as it comes */

/* A thread may be between a size and its count: counters that stand still belong together. */
static void read_counters(const struct site *site, struct trace *trace)
{
	struct trace again = {};

	read_counters_once(site, &again);
	for (int i = 0; i < TRIES; i++) {
		read_counters_once(site, trace);
		if (trace->size == again.size && trace->count == again.count &&
		    trace->alloc_count == again.alloc_count)
			break;
		again = *trace;
	}
	trace->temporary = site->temporary;
	trace->size_class = site->size_class;
}

/* What the site held at the process' peak: see struct site. */
static void read_peak(const struct site *site, const struct process *process, struct trace *trace)
{
	bool changed = site->peak_epoch == process->peak_epoch;

	trace->peak_size = changed ? site->peak_size : trace->size;
	trace->peak_count = changed ? site->peak_count : trace->count;
}

static int add_site(struct books *books, struct traced *const *processes, uint32_t id,
		    struct placed *placed, struct snapshot *snapshot)
{
	const struct site *site = tables__site(books->tables, id);
	struct trace trace = {};
	uint32_t process = 0;

	if (site)
		read_counters(site, &trace);
	/* Counted last in the kernel half: what comes before is complete. */
	if (trace.alloc_count && site->process < MAX_PROCESSES)
		process = books->process_of[site->process];
	if (!process)
		return 0;
	process--;
	if (!books->stacks[id]) {
		int err = stack_of(books, processes[process], site, &books->stacks[id]);

		if (err)
			return err;
	}
	read_peak(site, &books->tables->processes[site->process], &trace);
	if (!books->tables->skeleton->rodata->keep_slack ||
	    !books->tables->processes[site->process].chunk_heads)
		trace.usable_size = 0;
	trace.process = process;
	trace.stack = books->stacks[id];
	placed[process].size += trace.size;
	placed[process].count += trace.count;
	snapshot->frames_cut[site->stop < STOP_MAX ? site->stop : STOP_BOTTOM] += trace.alloc_count;
	return snapshot__add_trace(snapshot, &trace);
}

static int add_unplaced(struct books *books, struct traced *const *processes,
			const struct placed *placed, struct snapshot *snapshot)
{
	for (size_t i = 0; i < snapshot->nprocesses; i++) {
		const struct process *all = &books->tables->processes[processes[i]->index];
		struct trace trace = {
			.process = i,
			.size = all->size - placed[i].size,
			.count = all->count - placed[i].count,
			.alloc_size = all->unplaced_size,
			.alloc_count = all->unplaced_count,
		};
		int err;

		/* None lost: a difference is just what happened while we read. */
		if (!trace.alloc_count || (int64_t)trace.size < 0 || (int64_t)trace.count < 0)
			continue;
		err = snapshot__add_trace(snapshot, &trace);
		if (err)
			return err;
	}
	return 0;
}

/* Notes the oldest block of each trace; with a minimum age, counts only what is older. */
static int add_ages(struct books *books, uint64_t min_age_ns, const uint32_t *sites,
		    uint32_t nsites, struct snapshot *snapshot)
{
	struct block_ages ages = {
		.min_age_ns = min_age_ns,
		.nsites = nsites,
		.size = calloc(nsites, sizeof(*ages.size)),
		.count = calloc(nsites, sizeof(*ages.count)),
		.slack = calloc(nsites, sizeof(*ages.slack)),
		.oldest_ns = calloc(nsites, sizeof(*ages.oldest_ns)),
	};
	int err = ages.size && ages.count && ages.slack && ages.oldest_ns ? 0 : -ENOMEM;

	if (!err)
		err = tables__read_ages(books->tables, &ages);
	for (size_t i = 0; !err && i < snapshot->ntraces; i++) {
		struct trace *trace = &snapshot->traces[i];

		trace->oldest_ns = ages.oldest_ns[sites[i]];
		if (!min_age_ns)
			continue;
		trace->size = ages.size[sites[i]];
		trace->count = ages.count[sites[i]];
		if (trace->usable_size)
			trace->usable_size = trace->size + ages.slack[sites[i]];
	}
	free(ages.size);
	free(ages.count);
	free(ages.slack);
	free(ages.oldest_ns);
	return err;
}

static void read_losses(struct books *books, struct snapshot *snapshot)
{
	for (int i = 0; i < LOST_MAX; i++)
		snapshot->lost[i] = books->tables->skeleton->bss->lost[i];
	snapshot->programs_skipped = tables__programs_skipped(books->tables);
}

int books__read(struct books *books, struct traced *const *processes, size_t nprocesses,
		const struct books_opts *opts, struct snapshot *snapshot)
{
	uint32_t nsites = tables__nsites(books->tables);
	struct placed *placed = calloc(nprocesses ? nprocesses : 1, sizeof(*placed));
	uint32_t *sites = calloc(nsites + nprocesses, sizeof(*sites));	/* by trace; 0: no site */
	int err = placed && sites ? reserve_stacks(books, nsites) : -ENOMEM;

	read_losses(books, snapshot);
	if (!err)
		err = add_processes(books, processes, nprocesses, snapshot);
	for (uint32_t id = 1; !err && id < nsites; id++) {
		size_t before = snapshot->ntraces;

		err = add_site(books, processes, id, placed, snapshot);
		if (snapshot->ntraces > before)
			sites[before] = id;
	}
	if (!err)
		err = add_unplaced(books, processes, placed, snapshot);
	if (!err && (opts->min_age_ns || opts->ages))
		err = add_ages(books, opts->min_age_ns, sites, nsites, snapshot);
	free(placed);
	free(sites);
	return err;
}

int books__stack_of_site(struct books *books, const struct traced *traced, uint32_t site,
			 uint32_t *stack)
{
	const struct site *s = tables__site(books->tables, site);

	*stack = 0;
	return site && s ? stack_of(books, traced, s, stack) : 0;
}

void books__clear(struct books *books)
{
	memset(books->stacks, 0, books->nstacks * sizeof(*books->stacks));
}
