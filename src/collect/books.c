// SPDX-License-Identifier: GPL-2.0-or-later
#include "collect/books.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "collect/mapped.h"
#include "collect/sampling.h"
#include "memtracebpf.skel.h"
#include "target/target.h"

/* What was looked up for a site, while it was this process'. */
struct known_stack {
	uint32_t stack;		/* index of names' stacks; 0: not yet looked up */
	uint32_t owner;		/* low half of the process' id */
};

/* What was looked up for a process. */
struct known_process {
	uint64_t id;
	const char *cgroup;
};

struct books {
	struct tables *tables;
	struct modules *modules;
	struct names *names;
	struct known_stack *stacks;	/* by site */
	uint32_t nstacks;
	struct known_process *processes; /* by index of books */
	uint32_t *place_of;	/* in the snapshot's processes by index of books, + 1; 0: not there */
};

struct books *books__new(struct tables *tables, struct modules *modules, struct names *names)
{
	struct books *books = calloc(1, sizeof(*books));

	if (!books)
		return NULL;
	books->tables = tables;
	books->modules = modules;
	books->names = names;
	books->processes = calloc(MAX_PROCESSES, sizeof(*books->processes));
	books->place_of = calloc(MAX_PROCESSES, sizeof(*books->place_of));
	if (!books->processes || !books->place_of) {
		books__free(books);
		return NULL;
	}
	return books;
}

void books__free(struct books *books)
{
	if (!books)
		return;
	free(books->stacks);
	free(books->processes);
	free(books->place_of);
	free(books);
}

static int reserve_stacks(struct books *books, uint32_t nsites)
{
	struct known_stack *stacks;

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

/* The mapping that held the address during the epoch, or NULL. */
static const struct mapping *find_mapping(const struct tables *tables, uint32_t process,
					  uint32_t epoch, uint64_t address)
{
	uint32_t index = __atomic_load_n(&tables->processes[process].mappings, __ATOMIC_ACQUIRE);
	const struct mapping *m;

	for (; index && (m = tables__mapping(tables, index)); index = m->next)
		if (m->epoch == epoch && address >= m->start && address < m->end)
			return m;
	return NULL;
}

/* -EAGAIN: in a file that has yet to be read. */
static int location_of(struct books *books, const struct site *site, uint64_t word,
		       uint32_t *location)
{
	bool exact = word >> FRAME_TAG_SHIFT == FRAME_EXACT;
	uint64_t pc = word & FRAME_PC_MASK;
	/* A call at the very end of a mapping returns past it. */
	const struct mapping *m = find_mapping(books->tables, site->process, site->epoch,
					       exact ? pc : pc - 1);
	struct module *module = m ? modules__get(books->modules, m->file) : NULL;
	int err;

	if (module)
		return names__location(books->names, modules__name(books->modules, module),
				       pc - m->bias, exact, location);
	err = names__location(books->names, 0, pc, exact, location);
	return err ? err : m ? -EAGAIN : 0;
}

/* The site's stack, from what was looked up before or anew. */
static int stack_of(struct books *books, uint32_t id, const struct site *site, uint32_t *stack)
{
	uint32_t owner = books->tables->processes[site->process].id;
	const uint64_t *words = tables__frames(books->tables, site->frames);
	struct known_stack *known = &books->stacks[id];
	uint32_t locations[MAX_FRAMES];
	bool whole = true;
	int err = 0;

	*stack = known->owner == owner ? known->stack : 0;
	if (*stack || !words || site->nframes > MAX_FRAMES)
		return 0;
	for (uint32_t i = 0; i < site->nframes && !err; i++) {
		err = location_of(books, site, words[i], &locations[i]);
		if (err == -EAGAIN) {
			whole = false;
			err = 0;
		}
	}
	if (!err)
		err = names__stack(books->names, locations, site->nframes, site->stop, stack);
	if (!err && whole)
		*known = (struct known_stack){ *stack, owner };
	return err;
}

/* Named processes are still to be told of when they have ended. */
static bool is_shown(const struct process *process)
{
	return process->state == PROCESS_LIVE ||
	       (process->state == PROCESS_ENDED && process->flags & PROCESS_PINNED);
}

static const char *cgroup_of(struct books *books, uint32_t index)
{
	const struct process *process = &books->tables->processes[index];
	struct known_process *known = &books->processes[index];
	char *path;

	if (known->id != process->id) {
		*known = (struct known_process){ .id = process->id };
		path = target__cgroup(process->pid);
		known->cgroup = names__string(books->names, path);
		free(path);
	}
	return known->cgroup;
}

static int add_process(struct books *books, uint32_t index, struct snapshot *snapshot)
{
	const struct process *from = &books->tables->processes[index];
	struct totals totals = tables__totals(books->tables, index);
	struct snapshot_process to = {
		.id = from->id,
		.pid = from->pid,
		.cgroup = cgroup_of(books, index),
		.since_ns = clock_ns(CLOCK_MONOTONIC) - from->since,
		.size = totals.size,
		.peak_size = from->peak_size,
	};
	char comm[16];

	memcpy(comm, from->comm, sizeof(comm));
	target__clean_comm(comm);
	to.comm = names__string(books->names, comm);
	if (to.since_ns > snapshot->elapsed_ns)
		to.since_ns = snapshot->elapsed_ns;
	snapshot->size += to.size;
	snapshot->frees_inherited += from->frees_inherited;
	books->place_of[index] = snapshot->nprocesses + 1;
	return snapshot__add_process(snapshot, &to);
}

/* One process, or all that are shown. */
static int add_processes(struct books *books, uint32_t only, struct snapshot *snapshot)
{
	uint32_t n = tables__nprocesses(books->tables);
	int err = 0;

	memset(books->place_of, 0, MAX_PROCESSES * sizeof(*books->place_of));
	for (uint32_t i = 1; i < n && !err; i++)
		if (only ? i == only : is_shown(&books->tables->processes[i]))
			err = add_process(books, i, snapshot);
	if (snapshot->nprocesses == 1)
		snapshot->peak_size = snapshot->processes[0].peak_size;
	else if (books->tables->skeleton->rodata->keep_sum)
		snapshot->peak_size = books->tables->processes[0].peak_size;
	return err;
}

/* What a process' sites have in all: the rest of its books are blocks without a stack. */
struct placed {
	uint64_t size, mapped_size;
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
static void read_counters(const struct site *site, bool sampling, struct trace *trace)
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
	trace->size_class = site->sizes;
	if (sampling && site->sizes && !(site->sizes & MAPS_MEMORY))
		trace->size_class = 64 - __builtin_clzll(site->sizes);
}

/* What the site held at the process' peak: see struct site. */
static void read_peak(const struct site *site, const struct process *process, struct trace *trace)
{
	bool changed = site->peak_epoch == process->peak_epoch;

	trace->peak_size = changed ? site->peak_size : trace->size;
	trace->peak_count = changed ? site->peak_count : trace->count;
}

static int add_site(struct books *books, uint32_t id, struct placed *placed,
		    struct snapshot *snapshot)
{
	const struct site *site = tables__site(books->tables, id);
	struct trace trace = {};
	uint32_t process = 0;
	int err;

	if (site)
		read_counters(site, books->tables->skeleton->rodata->sample_bytes, &trace);
	/* Counted last in the kernel half: what comes before is complete. */
	if (trace.alloc_count && site->process < MAX_PROCESSES)
		process = books->place_of[site->process];
	if (!process)
		return 0;
	process--;
	err = stack_of(books, id, site, &trace.stack);
	if (err)
		return err;
	read_peak(site, &books->tables->processes[site->process], &trace);
	if (!site->slack_known)
		trace.usable_size = 0;
	trace.process = process;
	if (site->sizes & MAPS_MEMORY) {
		trace.domain = names__string(books->names, "mmap");
		placed[process].mapped_size += trace.size;
	} else {
		placed[process].size += trace.size;
	}
	snapshot->frames_cut[site->stop < STOP_MAX ? site->stop : STOP_BOTTOM] += trace.alloc_count;
	return snapshot__add_trace(snapshot, &trace);
}

static int add_unplaced_trace(const struct trace *trace, struct snapshot *snapshot)
{
	/* None lost: a difference is just what happened while we read. */
	if (!trace->alloc_count || (int64_t)trace->size < 0 || (int64_t)trace->count < 0)
		return 0;
	return snapshot__add_trace(snapshot, trace);
}

static int add_unplaced(struct books *books, const struct placed *placed,
			struct snapshot *snapshot)
{
	const char *domain = names__string(books->names, "mmap");
	int err = 0;

	for (uint32_t index = 1; index < tables__nprocesses(books->tables) && !err; index++) {
		uint32_t place = books->place_of[index];
		struct totals heap, *mapped;

		if (!place--)
			continue;
		heap = tables__heap(books->tables, index);
		mapped = tables__mapped(books->tables, index);
		err = add_unplaced_trace(&(struct trace){
			.process = place,
			.alloc_size = heap.unplaced_size,
			.alloc_count = heap.unplaced_count,
			.size = heap.size - placed[place].size,
			.count = heap.unplaced,
		}, snapshot);
		if (!err && mapped)
			err = add_unplaced_trace(&(struct trace){
				.process = place,
				.domain = domain,
				.alloc_size = mapped->unplaced_size,
				.alloc_count = mapped->unplaced_count,
				.size = mapped->size - placed[place].mapped_size,
				.count = mapped->unplaced,
			}, snapshot);
	}
	return err;
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

static void count_blocks(struct snapshot *snapshot)
{
	for (size_t i = 0; i < snapshot->ntraces; i++) {
		const struct trace *trace = &snapshot->traces[i];

		snapshot->processes[trace->process].count += trace->count;
		snapshot->count += trace->count;
	}
}

/* From what was recorded to what there is; see sampling__scale(). */
static void scale_up(const struct books *books, const uint32_t *sites, struct snapshot *snapshot)
{
	uint64_t sample_bytes = books->tables->skeleton->rodata->sample_bytes;

	snapshot->size = snapshot->count = snapshot->peak_size = 0;
	for (size_t i = 0; i < snapshot->nprocesses; i++) {
		struct snapshot_process *process = &snapshot->processes[i];

		process->size = process->count = process->peak_size = 0;
	}
	for (size_t i = 0; i < snapshot->ntraces; i++) {
		struct trace *trace = &snapshot->traces[i];
		struct snapshot_process *process = &snapshot->processes[trace->process];
		const struct site *site = tables__site(books->tables, sites[i]);

		if (sites[i] && !(site->sizes & MAPS_MEMORY))
			sampling__scale(sample_bytes, site->sizes, trace);
		process->size += trace->size;
		process->count += trace->count;
		process->peak_size += trace->peak_size;
		snapshot->size += trace->size;
		snapshot->count += trace->count;
	}
	if (snapshot->nprocesses == 1)
		snapshot->peak_size = snapshot->processes[0].peak_size;
}

static void read_losses(struct books *books, struct snapshot *snapshot)
{
	for (int i = 0; i < LOST_MAX; i++)
		snapshot->lost[i] = books->tables->skeleton->bss->lost[i];
	snapshot->programs_skipped = tables__programs_skipped(books->tables);
}

int books__read(struct books *books, const struct books_opts *opts, struct snapshot *snapshot)
{
	uint32_t nsites = tables__nsites(books->tables);
	struct placed *placed = calloc(MAX_PROCESSES, sizeof(*placed));
	uint32_t *sites = calloc(nsites + 2 * MAX_PROCESSES, sizeof(*sites)); /* by trace; 0: no site */
	int err = placed && sites ? reserve_stacks(books, nsites) : -ENOMEM;

	mapped__drain(books->tables->mapped);
	read_losses(books, snapshot);
	if (!err)
		err = add_processes(books, opts->only, snapshot);
	for (uint32_t id = 1; !err && id < nsites; id++) {
		size_t before = snapshot->ntraces;

		err = add_site(books, id, placed, snapshot);
		if (snapshot->ntraces > before)
			sites[before] = id;
	}
	if (!err)
		err = add_unplaced(books, placed, snapshot);
	if (!err)
		count_blocks(snapshot);
	if (!err && (opts->min_age_ns || opts->ages))
		err = add_ages(books, opts->min_age_ns, sites, nsites, snapshot);
	if (!err && books->tables->skeleton->rodata->sample_bytes)
		scale_up(books, sites, snapshot);
	free(placed);
	free(sites);
	return err;
}

int books__stack_of_site(struct books *books, uint32_t id, uint32_t *stack)
{
	const struct site *site = tables__site(books->tables, id);
	int err = reserve_stacks(books, tables__nsites(books->tables));

	*stack = 0;
	return err || !id || !site || id >= books->nstacks ? err : stack_of(books, id, site, stack);
}

void books__clear(struct books *books)
{
	memset(books->stacks, 0, books->nstacks * sizeof(*books->stacks));
}
