// SPDX-License-Identifier: GPL-2.0-or-later
#include "collect/books.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "collect/jit_map.h"
#include "collect/mapped.h"
#include "collect/sampling.h"
#include "collect/site_stacks.h"
#include "memtracebpf.skel.h"
#include "base/array.h"
#include "process/process.h"
#include "process/view.h"

/* What was looked up for a process, and what its books said when something last happened there. */
struct known_process {
	uint64_t id;
	const char *cgroup;
	struct view *view;	/* NULL: it was gone */
	struct jit_map *jit;	/* names of what it made at run time; NULL: it was gone */
	uint32_t jit_version;	/* that the traces' stacks were looked up in */
	struct traces *traces;	/* NULL: they were not read */
	uint32_t *sites;	/* by trace; 0: no site. While they are being read; else NULL */
	uint64_t read_ns;	/* CLOCK_MONOTONIC */
	uint64_t peak_epoch;
	bool ages;		/* the traces tell them */
	bool nameless;		/* some of their frames would be in the map */
	bool passing;		/* what they say will not be so the next time */
	uint64_t frames_cut[STOP_MAX];
	uint64_t size, count;	/* the sum of the traces, with young blocks */
	uint64_t peak_size;	/* of samples: what they stand for */
};

struct books {
	struct tables *tables;
	struct modules *modules;
	struct names *names;
	struct roots *roots;
	struct site_stacks *stacks;
	struct known_process *processes; /* by index of books */
};

struct books *books__new(struct tables *tables, struct modules *modules, struct names *names,
			 struct roots *roots)
{
	struct books *books = calloc(1, sizeof(*books));

	if (!books)
		return NULL;
	books->tables = tables;
	books->modules = modules;
	books->names = names;
	books->roots = roots;
	books->processes = calloc(MAX_PROCESSES, sizeof(*books->processes));
	books->stacks = site_stacks__new(tables, modules, names);
	if (!books->processes || !books->stacks) {
		books__free(books);
		return NULL;
	}
	return books;
}

static void forget_traces(struct known_process *known)
{
	traces__release(known->traces);
	known->traces = NULL;
	free(known->sites);
	known->sites = NULL;
}

static void forget_view(struct known_process *known)
{
	jit_map__free(known->jit);
	known->jit = NULL;
	view__release(known->view);
	known->view = NULL;
}

void books__clear(struct books *books)
{
	site_stacks__clear(books->stacks);
	for (uint32_t i = 0; i < MAX_PROCESSES; i++)
		forget_traces(&books->processes[i]);
}

void books__free(struct books *books)
{
	if (!books)
		return;
	for (uint32_t i = 0; books->processes && i < MAX_PROCESSES; i++) {
		forget_traces(&books->processes[i]);
		forget_view(&books->processes[i]);
	}
	site_stacks__free(books->stacks);
	free(books->processes);
	free(books);
}

void books__use_names(struct books *books)
{
	site_stacks__use_names(books->stacks);
	for (uint32_t i = 0; i < MAX_PROCESSES; i++) {
		names__use_traces(books->names, books->processes[i].traces);
		names__use_string(books->names, books->processes[i].cgroup);
	}
}

/* Named processes are still to be told of when they have ended. */
static bool is_shown(const struct process *process)
{
	return process->state == PROCESS_LIVE ||
	       (process->state == PROCESS_ENDED && process->flags & PROCESS_PINNED);
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
static void read_peak(const struct tables *tables, const struct site *site, struct trace *trace)
{
	bool changed = !tables__is_at_peak(tables, site->process) &&
		       site->peak_epoch == tables->processes[site->process].peak_epoch;

	trace->peak_size = changed ? site->peak_size : trace->size;
	trace->peak_count = changed ? site->peak_count : trace->count;
}

/* One more trace of what is being read. */
static int add_trace(struct known_process *known, const struct trace *trace, uint32_t site)
{
	if (array__make_room(&known->sites, known->traces->count, sizeof(*known->sites)))
		return -ENOMEM;
	known->sites[known->traces->count] = site;
	known->size += trace->size;
	known->count += trace->count;
	return traces__add(known->traces, trace);
}

static int add_site(struct books *books, struct known_process *known, uint32_t id,
		    struct placed *placed)
{
	const struct site *site = tables__site(books->tables, id);
	struct trace trace = {};
	int err;

	read_counters(site, books->tables->skeleton->rodata->sample_bytes, &trace);
	/* Counted last in the kernel half: what comes before is complete. */
	if (!trace.alloc_count)
		return 0;
	err = site_stacks__get(books->stacks, id, known->jit, &trace.stack, &known->nameless);
	if (err && err != -EAGAIN)
		return err;
	known->passing |= err == -EAGAIN;
	read_peak(books->tables, site, &trace);
	if (!site->slack_known)
		trace.usable_size = 0;
	if (site->sizes & MAPS_MEMORY) {
		trace.domain = names__string(books->names, "mmap");
		placed->mapped_size += trace.size;
	} else {
		placed->size += trace.size;
	}
	known->frames_cut[site->stop < STOP_MAX ? site->stop : STOP_BOTTOM] += trace.alloc_count;
	return add_trace(known, &trace, id);
}

static int add_unplaced_trace(struct known_process *known, const struct trace *trace)
{
	/* None lost: a difference is just what happened while we read. */
	if (!trace->alloc_count || (int64_t)trace->size < 0 || (int64_t)trace->count < 0)
		return 0;
	return add_trace(known, trace, 0);
}

static int add_unplaced(struct books *books, struct known_process *known, uint32_t index,
			const struct placed *placed)
{
	struct totals heap = tables__heap(books->tables, index);
	const struct totals *mapped = tables__mapped(books->tables, index);
	int err = add_unplaced_trace(known, &(struct trace){
		.alloc_size = heap.unplaced_size,
		.alloc_count = heap.unplaced_count,
		.size = heap.size - placed->size,
		.count = heap.unplaced,
	});

	if (err || !mapped)
		return err;
	return add_unplaced_trace(known, &(struct trace){
		.domain = names__string(books->names, "mmap"),
		.alloc_size = mapped->unplaced_size,
		.alloc_count = mapped->unplaced_count,
		.size = mapped->size - placed->mapped_size,
		.count = mapped->unplaced,
	});
}

/* Is what was read of the process no more what there is to read? */
static bool has_changed(struct books *books, uint32_t index, const struct books_opts *opts)
{
	const struct known_process *known = &books->processes[index];
	bool changed = tables__take_change(books->tables, index);

	return changed || !known->traces || known->passing ||
	       (known->nameless && jit_map__look(known->jit) != known->jit_version) || opts->min_age_ns ||
	       (opts->ages && !known->ages) ||
	       known->peak_epoch != books->tables->processes[index].peak_epoch;
}

/* Reads the process' traces, but for what only its blocks can tell. */
static int read_process(struct books *books, uint32_t index, const struct books_opts *opts)
{
	const struct process *process = &books->tables->processes[index];
	struct known_process *known = &books->processes[index];
	struct placed placed = {};
	const struct site *site;
	int err = 0;

	forget_traces(known);
	*known = (struct known_process){
		.id = known->id,
		.cgroup = known->cgroup,
		.view = known->view,
		.jit = known->jit,
		.traces = traces__new(),
		.sites = calloc(1, sizeof(*known->sites)),
		.read_ns = clock_ns(CLOCK_MONOTONIC),
		.peak_epoch = process->peak_epoch,
		.ages = opts->ages,
		.passing = opts->min_age_ns,
	};
	if (!known->traces || !known->sites) {
		forget_traces(known);
		return -ENOMEM;
	}
	for (uint32_t id = __atomic_load_n(&process->sites, __ATOMIC_ACQUIRE);
	     id && !err && (site = tables__site(books->tables, id)); id = site->next)
		err = add_site(books, known, id, &placed);
	if (known->nameless)
		known->jit_version = jit_map__look(known->jit);
	return err ? err : add_unplaced(books, known, index, &placed);
}

/* Notes the oldest block of each trace; with a minimum age, counts only what is older. */
static void set_ages(struct known_process *known, const struct block_ages *ages)
{
	for (size_t i = 0; known->sites && i < known->traces->count; i++) {
		struct trace *trace = &known->traces->items[i];
		uint32_t site = known->sites[i];

		trace->oldest_ns = ages->oldest_ns[site];
		if (!ages->min_age_ns)
			continue;
		trace->size = ages->size[site];
		trace->count = ages->count[site];
		if (trace->usable_size)
			trace->usable_size = trace->size + ages->slack[site];
	}
}

/* Of what is being read. */
static int read_ages(struct books *books, uint64_t min_age_ns)
{
	uint32_t nsites = tables__nsites(books->tables), ncounted = min_age_ns ? nsites : 1;
	bool *processes = calloc(MAX_PROCESSES, sizeof(*processes));
	struct block_ages ages = {
		.processes = processes,
		.min_age_ns = min_age_ns,
		.nsites = nsites,
		.oldest_ns = calloc(nsites, sizeof(*ages.oldest_ns)),
		.size = calloc(ncounted, sizeof(*ages.size)),
		.count = calloc(ncounted, sizeof(*ages.count)),
		.slack = calloc(ncounted, sizeof(*ages.slack)),
	};
	int err = -ENOMEM;

	for (uint32_t i = 1; processes && i < MAX_PROCESSES; i++)
		processes[i] = books->processes[i].sites;
	if (processes && ages.oldest_ns && ages.size && ages.count && ages.slack)
		err = tables__read_ages(books->tables, &ages);
	for (uint32_t i = 1; !err && i < MAX_PROCESSES; i++)
		set_ages(&books->processes[i], &ages);
	free(processes);
	free(ages.size);
	free(ages.count);
	free(ages.slack);
	free(ages.oldest_ns);
	return err;
}

/* From what was recorded to what there is; see sampling__scale(). */
static void scale_up(const struct books *books, struct known_process *known)
{
	uint64_t sample_bytes = books->tables->skeleton->rodata->sample_bytes;

	known->size = known->count = 0;
	for (size_t i = 0; i < known->traces->count; i++) {
		struct trace *trace = &known->traces->items[i];
		const struct site *site = tables__site(books->tables, known->sites[i]);

		if (known->sites[i] && !(site->sizes & MAPS_MEMORY))
			sampling__scale(sample_bytes, site->sizes, trace);
		known->size += trace->size;
		known->count += trace->count;
		known->peak_size += trace->peak_size;
	}
}

static void read_losses(struct books *books, struct snapshot *snapshot)
{
	for (int i = 0; i < LOST_MAX; i++)
		snapshot->lost[i] = books->tables->skeleton->bss->lost[i];
	snapshot->programs_skipped = tables__programs_skipped(books->tables);
}

static bool is_asked_for(const struct books *books, uint32_t index, const struct books_opts *opts)
{
	return opts->only ? index == opts->only : is_shown(&books->tables->processes[index]);
}

/* Is it the process that the books are of, though it may have ended? Its number can only be
 * another's who began after the books. */
static bool has_its_number(const struct process *process)
{
	uint64_t asleep = clock_ns(CLOCK_BOOTTIME) - clock_ns(CLOCK_MONOTONIC);
	uint64_t began = target__started(process->pid);

	if (__atomic_load_n(&process->state, __ATOMIC_ACQUIRE) == PROCESS_LIVE)
		return true;
	return began && (began - 1) * (1000000000ULL / sysconf(_SC_CLK_TCK)) <
				process->since + asleep;
}

void books__meet(struct books *books, uint32_t index)
{
	const struct process *process = &books->tables->processes[index];
	struct known_process *known = &books->processes[index];
	char *path;

	if (known->id == process->id)
		return;
	forget_traces(known);
	known->id = process->id;
	path = target__cgroup(process->pid);
	known->cgroup = names__string(books->names, path);
	free(path);
	forget_view(known);
	known->view = view__of_process(books->roots, process->pid);
	if (known->view)
		known->jit = jit_map__new(known->view, process->pid);
	if (has_its_number(process))
		return;
	known->cgroup = NULL;
	forget_view(known);
}

/* Makes known what the processes' books say now. */
static int read_processes(struct books *books, const struct books_opts *opts)
{
	uint32_t n = tables__nprocesses(books->tables);
	bool any = false;
	int err = 0;

	for (uint32_t i = 1; i < n && !err; i++) {
		struct known_process *known = &books->processes[i];

		if (known->id != books->tables->processes[i].id)
			forget_traces(known);
		if (!is_asked_for(books, i, opts))
			continue;
		books__meet(books, i);
		if (!has_changed(books, i, opts))
			continue;
		any = true;
		err = read_process(books, i, opts);
	}
	if (!err && any && (opts->min_age_ns || opts->ages))
		err = read_ages(books, opts->min_age_ns);
	for (uint32_t i = 1; i < n; i++) {
		struct known_process *known = &books->processes[i];

		if (err && known->sites)
			forget_traces(known);
		else if (known->sites && books->tables->skeleton->rodata->sample_bytes)
			scale_up(books, known);
		free(known->sites);
		known->sites = NULL;
		jit_map__rest(known->jit);
	}
	return err;
}

struct view *books__view(const struct books *books, uint32_t index)
{
	return books->processes[index].view;
}

/* A root directory that we hold cannot be unmounted. */
static void forget_views(struct books *books)
{
	uint32_t n = tables__nprocesses(books->tables);

	for (uint32_t i = 1; i < n; i++) {
		uint32_t state = __atomic_load_n(&books->tables->processes[i].state,
						 __ATOMIC_ACQUIRE);

		if (!books->processes[i].view || (state != PROCESS_NONE && state != PROCESS_CLEARED))
			continue;
		forget_view(&books->processes[i]);
	}
}

static int add_process(struct books *books, uint32_t index, struct snapshot *snapshot)
{
	const struct process *from = &books->tables->processes[index];
	const struct known_process *known = &books->processes[index];
	uint64_t now = clock_ns(CLOCK_MONOTONIC);
	bool sampled = books->tables->skeleton->rodata->sample_bytes;
	struct snapshot_process to = {
		.id = from->id,
		.pid = from->pid,
		.cgroup = known->cgroup,
		.view = view__use(known->view),
		.elsewhere = !known->view || !view__is_of_our_root(known->view),
		.since_ns = now - from->since,
		.size = known->size,
		.count = known->count,
		.peak_size = sampled ? known->peak_size : tables__peak_size(books->tables, index),
		.traces = traces__use(known->traces),
		.aged_ns = now - known->read_ns,
	};
	char comm[16];
	int err;

	memcpy(comm, from->comm, sizeof(comm));
	target__clean_comm(comm);
	to.comm = names__string(books->names, comm);
	/* The peak was read apart from the traces, in which it may be passed. */
	if (to.peak_size < to.size)
		to.peak_size = to.size;
	if (to.since_ns > snapshot->elapsed_ns)
		to.since_ns = snapshot->elapsed_ns;
	snapshot->size += to.size;
	snapshot->count += to.count;
	snapshot->frees_inherited += from->frees_inherited;
	for (int i = 0; i < STOP_MAX; i++)
		snapshot->frames_cut[i] += known->frames_cut[i];
	err = snapshot__add_process(snapshot, &to);
	if (err) {
		traces__release(to.traces);
		view__release(to.view);
	}
	return err;
}

int books__read(struct books *books, const struct books_opts *opts, struct snapshot *snapshot)
{
	uint32_t n = tables__nprocesses(books->tables);
	int err;

	snapshot->min_age_ns = opts->min_age_ns;
	mapped__drain(books->tables->mapped);
	read_losses(books, snapshot);
	err = read_processes(books, opts);
	for (uint32_t i = 1; i < n && !err; i++)
		if (is_asked_for(books, i, opts) && books->processes[i].traces)
			err = add_process(books, i, snapshot);
	forget_views(books);
	if (snapshot->nprocesses == 1)
		snapshot->peak_size = snapshot->processes[0].peak_size;
	else if (books->tables->skeleton->rodata->keep_sum &&
		 !books->tables->skeleton->rodata->sample_bytes)
		snapshot->peak_size = books->tables->processes[0].peak_size;
	if (snapshot->peak_size && snapshot->peak_size < snapshot->size)
		snapshot->peak_size = snapshot->size;
	return err;
}

int books__stack_of_site(struct books *books, uint32_t id, uint32_t *stack)
{
	const struct site *site = tables__site(books->tables, id);
	struct known_process *known;
	bool nameless;
	int err;

	*stack = 0;
	if (!id || !site)
		return 0;
	known = &books->processes[site->process];
	err = site_stacks__get(books->stacks, id,
			       known->id == books->tables->processes[site->process].id ?
			       known->jit : NULL, stack, &nameless);
	return err == -EAGAIN ? 0 : err;
}
