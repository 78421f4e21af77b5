// SPDX-License-Identifier: GPL-2.0-or-later
#include "coverage/coverage.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>

#include "coverage/layout.h"
#include "process/process.h"
#include "process/usage.h"
#include "signs/signs.h"
#include "base/array.h"
#include "snapshot/hash.h"

/* Memory that is not tracked and yet no riddle: stacks, the program's data, the allocator's own. */
#define BOUND (8ULL << 20)
#define BOUND_SHIFT 4	/* and a sixteenth of what is tracked: fragments */
#define CHUNK_HEADER 8	/* glibc's malloc.c: a chunk has a header and is a multiple of 16 bytes */
#define CHUNK_MIN 32

struct known {
	pid_t pid;
	uint64_t started, stack; /* tell it from another process or program with this number */
	uint64_t base;		/* bytes that it had already */
	uint64_t tracked;	/* bytes, the most that it had of tracked allocations */
	uint64_t footprint;	/* what these took in the heap */
	char *why;		/* NULL: it cannot be told, or not yet asked */
	bool asked;
	bool present;
	UT_hash_handle hh;
};

struct coverage {
	const struct followed *followed;
	size_at_fork_fn *size_at_fork;
	void *context;
	struct known *known;
	size_t most_32_bit;	/* processes at one time */
	uint64_t left_ns;	/* for signs, in this measurement */
};

static struct known *add_known(struct coverage *coverage, pid_t pid)
{
	struct known *known = calloc(1, sizeof(*known));

	if (!known)
		return NULL;
	known->pid = pid;
	HASH_ADD_INT(coverage->known, pid, known);
	if (!HASH_ADDED(known)) {
		free(known);
		return NULL;
	}
	return known;
}

static void forget(struct coverage *coverage, struct known *known)
{
	HASH_DEL(coverage->known, known);
	free(known->why);
	free(known);
}

struct coverage *coverage__new(const struct followed *followed, size_at_fork_fn *size_at_fork,
			       void *context)
{
	struct coverage *coverage = calloc(1, sizeof(*coverage));
	size_t count = 0;
	pid_t *pids = NULL;
	int err;

	if (!coverage)
		return NULL;
	coverage->followed = followed;
	coverage->size_at_fork = size_at_fork;
	coverage->context = context;
	err = followed__list(followed, &pids, &count);
	for (size_t i = 0; i < count && !err; i++) {
		struct process_usage usage;
		struct known *known;

		if (process__usage(pids[i], &usage))
			continue;
		known = add_known(coverage, pids[i]);
		if (!known) {
			err = -ENOMEM;
			break;
		}
		known->started = usage.started;
		known->stack = usage.stack;
		known->base = usage.anonymous;
	}
	free(pids);
	if (err == -ENOMEM) {
		coverage__free(coverage);
		return NULL;
	}
	return coverage;
}

void coverage__free(struct coverage *coverage)
{
	struct known *known, *next;

	if (!coverage)
		return;
	HASH_ITER(hh, coverage->known, known, next) {
		forget(coverage, known);
	}
	free(coverage);
}

static uint64_t chunks(uint64_t size, uint64_t count)
{
	uint64_t chunk = count ? (size / count + CHUNK_HEADER + 15) & ~15ULL : 0;

	return count * (chunk < CHUNK_MIN ? CHUNK_MIN : chunk);
}

/* What the process' tracked allocations took when they took most. */
static void note_tracked(struct known *known, const struct snapshot_process *process,
			 const struct traces *traces)
{
	uint64_t at_peak = 0, now = 0;

	for (size_t i = 0; i < traces->count; i++) {
		const struct trace *trace = &traces->items[i];

		at_peak += chunks(trace->peak_size, trace->peak_count);
		now += chunks(trace->size, trace->count);
	}
	if (now < at_peak)
		now = at_peak;
	if (known->footprint < now)
		known->footprint = now;
	if (known->footprint < process->peak_size)	/* younger blocks are in no trace */
		known->footprint = process->peak_size;
	if (known->tracked < process->peak_size)
		known->tracked = process->peak_size;
	if (known->tracked < process->size)
		known->tracked = process->size;
}

/* The process that has the number now; NULL: it is gone, or no memory. */
static struct known *know(struct coverage *coverage, pid_t pid, struct process_usage *usage)
{
	struct known *known;

	if (process__usage(pid, usage))
		return NULL;
	HASH_FIND_INT(coverage->known, &pid, known);
	if (known && known->started == usage->started && known->stack == usage->stack)
		return known;
	if (!known)
		known = add_known(coverage, pid);
	if (!known)
		return NULL;
	known->started = usage->started;
	known->stack = usage->stack;
	known->tracked = known->footprint = known->base = 0;
	free(known->why);
	known->why = NULL;
	known->asked = false;
	if (usage->forked)
		known->base = coverage->size_at_fork(coverage->context, pid);
	if (usage->forked && !known->base)
		known->base = usage->anonymous;
	return known;
}

static int add_gap(struct coverage *coverage, struct snapshot *snapshot,
		   struct known *known, uint64_t grown)
{
	struct snapshot_coverage *sums = &snapshot->coverage;
	struct snapshot_gap *gap;
	char comm[16];

	if (array__make_room(&sums->gaps, sums->ngaps, sizeof(*gap)))
		return -ENOMEM;
	if (!known->asked && coverage->left_ns) {	/* or in the next measurement */
		known->why = signs__explain(known->pid, &coverage->left_ns) ?:
			     layout__explain(known->pid, coverage->followed->mappings);
		known->asked = true;
	}
	target__comm(known->pid, comm);
	gap = &sums->gaps[sums->ngaps++];
	*gap = (struct snapshot_gap){
		.pid = known->pid,
		.comm = names__string(snapshot->names, comm),
		.grown = grown,
		.tracked = known->tracked,
		.unseen = grown - known->footprint,
		.why = names__string(snapshot->names, known->why),
	};
	return 0;
}

static int compare_gaps(const void *x, const void *y)
{
	const struct snapshot_gap *a = x, *b = y;

	return (a->unseen < b->unseen) - (a->unseen > b->unseen);
}

/* The snapshot's processes by pid. */
struct by_pid {
	uint32_t pid;
	uint32_t index;
};

static int compare_pids(const void *x, const void *y)
{
	const struct by_pid *a = x, *b = y;

	return (a->pid > b->pid) - (a->pid < b->pid);
}

static struct by_pid *sort_by_pid(const struct snapshot *snapshot)
{
	struct by_pid *sorted = calloc(snapshot->nprocesses + 1, sizeof(*sorted));

	for (size_t i = 0; sorted && i < snapshot->nprocesses; i++)
		sorted[i] = (struct by_pid){ snapshot->processes[i].pid, i };
	if (sorted)
		qsort(sorted, snapshot->nprocesses, sizeof(*sorted), compare_pids);
	return sorted;
}

static int measure_process(struct coverage *coverage, struct snapshot *snapshot,
			   const struct by_pid *sorted, pid_t pid)
{
	struct snapshot_coverage *sums = &snapshot->coverage;
	const struct by_pid key = { .pid = pid }, *process;
	struct process_usage usage;
	struct known *known;
	uint64_t grown;

	known = know(coverage, pid, &usage);
	if (!known)
		return 0;
	known->present = true;
	process = bsearch(&key, sorted, snapshot->nprocesses, sizeof(*sorted), compare_pids);
	if (process)
		note_tracked(known, &snapshot->processes[process->index],
			     snapshot__traces(snapshot, process->index));
	grown = usage.anonymous > known->base ? usage.anonymous - known->base : 0;
	sums->grown += grown;
	sums->tracked += known->tracked;
	if (grown <= known->footprint)
		return 0;
	sums->unseen += grown - known->footprint;
	if (grown - known->footprint <= BOUND + (known->footprint >> BOUND_SHIFT))
		return 0;
	return add_gap(coverage, snapshot, known, grown);
}

/* Of a whole machine that has nothing swapped out, those that are too small to have a gap are not
 * looked at closely. */
static bool may_leave_small_out(const struct coverage *coverage)
{
	struct sysinfo info;

	return coverage->followed->everything && !sysinfo(&info) &&
	       info.totalswap == info.freeswap;
}

static void forget_absent(struct coverage *coverage, const pid_t *pids, size_t count)
{
	struct known *known, *next;
	size_t i = 0;

	for (i = 0; i < count; i++) {
		HASH_FIND_INT(coverage->known, &pids[i], known);
		if (known)
			known->present = true;
	}
	HASH_ITER(hh, coverage->known, known, next) {
		if (known->present)
			known->present = false;
		else
			forget(coverage, known);
	}
}

/* Small ones, too: nothing else tells of them. */
static void note_32_bit(struct coverage *coverage, struct snapshot *snapshot, const pid_t *pids,
			size_t count)
{
	size_t now = 0;
	char note[80];

	for (size_t i = 0; i < count; i++)
		now += signs__is_32_bit(pids[i]);
	if (coverage->most_32_bit < now)
		coverage->most_32_bit = now;
	if (!coverage->most_32_bit)
		return;
	snprintf(note, sizeof(note), "%zu %s, and such programs are not followed",
		 coverage->most_32_bit,
		 coverage->most_32_bit == 1 ? "process is 32-bit" : "processes are 32-bit");
	snapshot->note = names__string(snapshot->names, note);
}

int coverage__measure(struct coverage *coverage, struct snapshot *snapshot)
{
	struct by_pid *sorted = sort_by_pid(snapshot);
	bool leave_out = may_leave_small_out(coverage);
	size_t count = 0;
	pid_t *pids = NULL;
	int err;

	if (!sorted)
		return -ENOMEM;
	coverage->left_ns = SIGNS_NS;
	err = followed__list(coverage->followed, &pids, &count);
	for (size_t i = 0; i < count && !err; i++)
		if (!leave_out || process__resident(pids[i]) >= BOUND)
			err = measure_process(coverage, snapshot, sorted, pids[i]);
	free(sorted);
	note_32_bit(coverage, snapshot, pids, count);
	if (!err)
		forget_absent(coverage, pids, count);
	free(pids);
	if (snapshot->coverage.ngaps)
		qsort(snapshot->coverage.gaps, snapshot->coverage.ngaps,
		      sizeof(*snapshot->coverage.gaps), compare_gaps);
	snapshot->coverage.measured = !err;
	return err == -ENOMEM ? err : 0;
}
