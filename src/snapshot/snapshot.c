// SPDX-License-Identifier: GPL-2.0-or-later
#include "snapshot/snapshot.h"

#include <errno.h>
#include <stdlib.h>

#include "base/array.h"
#include "process/view.h"

struct snapshot *snapshot__new(struct names *names)
{
	struct snapshot *snapshot = calloc(1, sizeof(*snapshot));

	if (!snapshot)
		return NULL;
	snapshot->names = names;
	names__add_snapshot(names, snapshot);
	return snapshot;
}

void snapshot__free(struct snapshot *snapshot)
{
	if (!snapshot)
		return;
	if (snapshot->names)
		names__remove_snapshot(snapshot->names, snapshot);
	for (size_t i = 0; i < snapshot->nprocesses; i++) {
		traces__release(snapshot->processes[i].traces);
		view__release(snapshot->processes[i].view);
	}
	traces__release(snapshot->others);
	free(snapshot->processes);
	free(snapshot->coverage.gaps);
	free(snapshot);
}

bool snapshot__peak_known(const struct snapshot *snapshot)
{
	return snapshot->peak_size || !snapshot->size;
}

uint64_t snapshot__allocations(const struct snapshot *snapshot)
{
	uint64_t count = snapshot->ended.alloc_count;

	for (size_t i = 0; i <= snapshot->nprocesses; i++) {
		const struct traces *traces = snapshot__traces(snapshot, i);

		for (size_t j = 0; j < traces->count; j++)
			count += traces->items[j].alloc_count;
	}
	return count;
}

void snapshot__younger(const struct snapshot *snapshot, uint64_t *size, uint64_t *count)
{
	*size = snapshot->size;
	*count = snapshot->count;
	for (size_t i = 0; i <= snapshot->nprocesses; i++) {
		const struct traces *traces = snapshot__traces(snapshot, i);

		for (size_t j = 0; j < traces->count; j++) {
			*size -= traces->items[j].size;
			*count -= traces->items[j].count;
		}
	}
}

bool snapshot__has_errors(const struct snapshot *snapshot)
{
	return snapshot->sample_bytes && !snapshot->without_variances;
}

int snapshot__add_process(struct snapshot *snapshot, const struct snapshot_process *process)
{
	if (array__make_room(&snapshot->processes, snapshot->nprocesses, sizeof(*process)))
		return -ENOMEM;
	snapshot->processes[snapshot->nprocesses++] = *process;
	return 0;
}

int snapshot__add_trace(struct snapshot *snapshot, size_t process, const struct trace *trace)
{
	struct traces **traces = process < snapshot->nprocesses ?
					 &snapshot->processes[process].traces :
					 &snapshot->others;

	if (!*traces)
		*traces = traces__new();
	return *traces ? traces__add(*traces, trace) : -ENOMEM;
}

const struct traces *snapshot__traces(const struct snapshot *snapshot, size_t process)
{
	static const struct traces none;
	const struct traces *traces = process < snapshot->nprocesses ?
					      snapshot->processes[process].traces :
					      snapshot->others;

	return traces ? traces : &none;
}

struct traces *traces__new(void)
{
	struct traces *traces = calloc(1, sizeof(*traces));

	if (traces)
		traces->users = 1;
	return traces;
}

int traces__add(struct traces *traces, const struct trace *trace)
{
	if (array__make_room(&traces->items, traces->count, sizeof(*trace)))
		return -ENOMEM;
	traces->items[traces->count++] = *trace;
	return 0;
}

struct traces *traces__use(struct traces *traces)
{
	traces->users++;
	return traces;
}

void traces__release(struct traces *traces)
{
	if (!traces || --traces->users)
		return;
	free(traces->items);
	free(traces);
}
