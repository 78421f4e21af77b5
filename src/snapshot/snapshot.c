// SPDX-License-Identifier: GPL-2.0-or-later
#include "snapshot/snapshot.h"

#include <errno.h>
#include <stdlib.h>

struct snapshot *snapshot__new(struct names *names)
{
	struct snapshot *snapshot = calloc(1, sizeof(*snapshot));

	if (snapshot)
		snapshot->names = names;
	return snapshot;
}

void snapshot__free(struct snapshot *snapshot)
{
	if (!snapshot)
		return;
	free(snapshot->processes);
	free(snapshot->traces);
	free(snapshot);
}

/* Room for one more of `count` items of `size` bytes; it doubles at every power of two. */
static void *grow(void *items, size_t count, size_t size)
{
	if (count & (count - 1))
		return items;
	return reallocarray(items, count ? 2 * count : 1, size);
}

int snapshot__add_trace(struct snapshot *snapshot, const struct trace *trace)
{
	struct trace *traces = grow(snapshot->traces, snapshot->ntraces, sizeof(*traces));

	if (!traces)
		return -ENOMEM;
	snapshot->traces = traces;
	traces[snapshot->ntraces++] = *trace;
	return 0;
}

int snapshot__add_process(struct snapshot *snapshot, const struct snapshot_process *process)
{
	struct snapshot_process *processes =
		grow(snapshot->processes, snapshot->nprocesses, sizeof(*processes));

	if (!processes)
		return -ENOMEM;
	snapshot->processes = processes;
	processes[snapshot->nprocesses++] = *process;
	return 0;
}
