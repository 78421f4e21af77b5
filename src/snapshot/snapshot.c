// SPDX-License-Identifier: GPL-2.0-or-later
#include "snapshot/snapshot.h"

#include <errno.h>
#include <stdlib.h>

#include "snapshot/array.h"

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

bool snapshot__peak_known(const struct snapshot *snapshot)
{
	return snapshot->peak_size || !snapshot->size;
}

bool snapshot__has_errors(const struct snapshot *snapshot)
{
	return snapshot->sample_bytes && !snapshot->without_variances;
}

int snapshot__add_trace(struct snapshot *snapshot, const struct trace *trace)
{
	if (array__make_room(&snapshot->traces, snapshot->ntraces, sizeof(*trace)))
		return -ENOMEM;
	snapshot->traces[snapshot->ntraces++] = *trace;
	return 0;
}

int snapshot__add_process(struct snapshot *snapshot, const struct snapshot_process *process)
{
	if (array__make_room(&snapshot->processes, snapshot->nprocesses, sizeof(*process)))
		return -ENOMEM;
	snapshot->processes[snapshot->nprocesses++] = *process;
	return 0;
}
