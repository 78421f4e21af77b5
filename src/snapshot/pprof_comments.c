// SPDX-License-Identifier: GPL-2.0-or-later
#include "snapshot/pprof_comments.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "snapshot/pprof.h"

/* What follows `prefix`, or NULL. */
static const char *after(const char *s, const char *prefix)
{
	size_t length = strlen(prefix);

	return strncmp(s, prefix, length) ? NULL : s + length;
}

static bool read_number(const char *comment, const char *key, uint64_t *number)
{
	const char *value = after(comment, key);

	return value && sscanf(value, "=%" SCNu64, number) == 1;
}

static int read_process(const char *value, struct snapshot *snapshot)
{
	struct snapshot_process process = {};
	int end = 0;

	sscanf(value,
	       "%" SCNu32 " size=%" SCNu64 " count=%" SCNu64 " peak_size=%" SCNu64 " comm=%n",
	       &process.pid, &process.size, &process.count, &process.peak_size, &end);
	if (!end || snapshot->nprocesses == MAX_PROCESSES)
		return 0;
	if (value[end]) {
		process.comm = names__string(snapshot->names, value + end);
		if (!process.comm)
			return -ENOMEM;
	}
	return snapshot__add_process(snapshot, &process);
}

/* More about the process that the comment before was about. */
static int read_of_process(const char *comment, struct snapshot *snapshot)
{
	struct snapshot_process *process;
	const char *cgroup = after(comment, "cgroup=");
	uint64_t elsewhere = 0;

	if (!snapshot->nprocesses)
		return 0;
	process = &snapshot->processes[snapshot->nprocesses - 1];
	read_number(comment, "since_ns", &process->since_ns);
	if (read_number(comment, "elsewhere", &elsewhere))
		process->elsewhere = elsewhere;
	if (!cgroup)
		return 0;
	process->cgroup = names__string(snapshot->names, cgroup);
	return process->cgroup ? 0 : -ENOMEM;
}

/* A process that grew unseen. */
static int read_gap(const char *value, struct snapshot *snapshot)
{
	struct snapshot_coverage *coverage = &snapshot->coverage;
	struct snapshot_gap gap = {};
	int end = 0;

	sscanf(value,
	       "%" SCNu32 " grown=%" SCNu64 " tracked=%" SCNu64 " unseen=%" SCNu64 " comm=%n",
	       &gap.pid, &gap.grown, &gap.tracked, &gap.unseen, &end);
	if (!end || coverage->ngaps == MAX_PROCESSES)
		return 0;
	gap.comm = names__string(snapshot->names, value + end);
	if (!gap.comm || array__make_room(&coverage->gaps, coverage->ngaps, sizeof(gap)))
		return -ENOMEM;
	coverage->gaps[coverage->ngaps++] = gap;
	return 0;
}

static int read_coverage(const char *comment, struct snapshot *snapshot)
{
	struct snapshot_coverage *coverage = &snapshot->coverage;
	const char *value;

	if ((value = after(comment, "not_seen=")))
		return read_gap(value, snapshot);
	if ((value = after(comment, "why=")) && coverage->ngaps) {
		coverage->gaps[coverage->ngaps - 1].why = names__string(snapshot->names, value);
		return coverage->gaps[coverage->ngaps - 1].why ? 0 : -ENOMEM;
	}
	coverage->measured |= read_number(comment, "coverage.grown", &coverage->grown);
	read_number(comment, "coverage.tracked", &coverage->tracked);
	read_number(comment, "coverage.unseen", &coverage->unseen);
	return 0;
}

static void read_about_processes(const char *comment, struct snapshot *snapshot)
{
	struct snapshot_ended *ended = &snapshot->ended;
	const char *key = after(comment, "ended.");
	uint64_t number = 0;

	if (read_number(comment, "many", &number))
		snapshot->many = number;
	if (read_number(comment, "exited", &number))
		snapshot->exited = number;
	if (!key)
		return;
	read_number(key, "processes", &ended->processes);
	read_number(key, "alloc_size", &ended->alloc_size);
	read_number(key, "alloc_count", &ended->alloc_count);
	read_number(key, "size", &ended->size);
	read_number(key, "count", &ended->count);
}

static void read_killed(struct pprof_comments *said, const char *value, struct snapshot *snapshot)
{
	struct snapshot_killed *killed;
	int end = 0;

	if (said->nkilled == KILLED_NAMED)
		return;
	killed = &snapshot->killed[said->nkilled];
	sscanf(value, "%" SCNu32 " signal=%" SCNu32 " comm=%n", &killed->pid, &killed->signal, &end);
	if (!end || !value[end])
		return;
	snprintf(killed->comm, sizeof(killed->comm), "%s", value + end);
	said->nkilled++;
}

static int read_exact(struct pprof_comments *said, uint64_t id)
{
	if (said->nexact && id <= said->exact[said->nexact - 1])
		return 0;
	if (array__make_room(&said->exact, said->nexact, sizeof(*said->exact)))
		return -ENOMEM;
	said->exact[said->nexact++] = id;
	return 0;
}

static int read_copy(struct pprof_comments *said, const char *value)
{
	struct mapping_copy copy;

	if (sscanf(value, "%" SCNu64 " %" SCNu64, &copy.mapping, &copy.copy) != 2 ||
	    (said->ncopies && copy.mapping <= said->copies[said->ncopies - 1].mapping))
		return 0;
	if (array__make_room(&said->copies, said->ncopies, sizeof(*said->copies)))
		return -ENOMEM;
	said->copies[said->ncopies++] = copy;
	return 0;
}

static void read_losses(const char *comment, struct snapshot *snapshot)
{
	const char *key;

	key = after(comment, "lost.");
	for (int i = 0; key && i < LOST_MAX; i++)
		read_number(key, lost_reason__key(i), &snapshot->lost[i]);
	key = after(comment, "frames_cut.");
	for (int i = 0; key && i < STOP_MAX; i++)
		read_number(key, stop_reason__key(i), &snapshot->frames_cut[i]);
	read_number(comment, "programs_skipped", &snapshot->programs_skipped);
	read_number(comment, "frees_inherited", &snapshot->frees_inherited);
	read_number(comment, "nkilled", &snapshot->nkilled);
	read_number(comment, "own_rss", &snapshot->own_rss);
	read_number(comment, "own_peak", &snapshot->own_peak);
	read_number(comment, "own_kernel", &snapshot->own_kernel);
}

int pprof_comments__read(struct pprof_comments *said, const char *comment,
			 struct snapshot *snapshot)
{
	const char *value;
	uint64_t number;

	if (after(comment, PPROF_VERSION_COMMENT))
		said->ours = true;
	if (!said->ours)
		return 0;
	if ((value = after(comment, "process=")))
		return read_process(value, snapshot);
	if ((value = after(comment, "killed=")))
		read_killed(said, value, snapshot);
	if ((value = after(comment, "how="))) {
		snapshot->how = names__string(snapshot->names, value);
		return snapshot->how ? 0 : -ENOMEM;
	}
	if ((value = after(comment, "note="))) {
		snapshot->note = names__string(snapshot->names, value);
		return snapshot->note ? 0 : -ENOMEM;
	}
	if ((value = after(comment, "copy=")))
		return read_copy(said, value);
	if (read_number(comment, "exact", &number))
		return read_exact(said, number);
	if (read_number(comment, "nframe", &number))
		snapshot->nframe = number;
	if (read_number(comment, "size", &snapshot->size))
		said->totals = true;
	read_number(comment, "count", &snapshot->count);
	read_number(comment, "peak_size", &snapshot->peak_size);
	read_number(comment, "sample_bytes", &snapshot->sample_bytes);
	read_number(comment, "min_age_ns", &snapshot->min_age_ns);
	read_losses(comment, snapshot);
	read_about_processes(comment, snapshot);
	return read_coverage(comment, snapshot) ?: read_of_process(comment, snapshot);
}

static int compare(const void *x, const void *y)
{
	const uint64_t *a = x, *b = y;

	return (*a > *b) - (*a < *b);
}

bool pprof_comments__is_exact(const struct pprof_comments *said, uint64_t location)
{
	return said->nexact &&
	       bsearch(&location, said->exact, said->nexact, sizeof(location), compare);
}

uint64_t pprof_comments__copy(const struct pprof_comments *said, uint64_t mapping)
{
	const struct mapping_copy *copy = NULL;

	/* `mapping` is the first member of what is looked at. */
	if (said->ncopies)
		copy = bsearch(&mapping, said->copies, said->ncopies, sizeof(*copy), compare);
	return copy ? copy->copy : 0;
}

void pprof_comments__release(struct pprof_comments *said)
{
	free(said->exact);
	free(said->copies);
	*said = (struct pprof_comments){};
}
