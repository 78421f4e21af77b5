// SPDX-License-Identifier: GPL-2.0-or-later
#include "snapshot/process_index.h"

#include "snapshot/hash.h"

static uint32_t *slot_of(struct process_index *index, const struct snapshot_process *process)
{
	uint64_t hash = (uint64_t)process->pid << 32 ^ (uintptr_t)process->comm;

	return &index->last[(hash * GOLDEN >> 32) % MAX_PROCESSES];
}

static void add_new(struct process_index *index, const struct snapshot *snapshot)
{
	for (; index->count < snapshot->nprocesses; index->count++) {
		uint32_t *slot = slot_of(index, &snapshot->processes[index->count]);

		index->before[index->count] = *slot;
		*slot = index->count + 1;
	}
}

bool process_index__find(struct process_index *index, const struct snapshot *snapshot,
			 const struct snapshot_process *process, uint32_t *found)
{
	add_new(index, snapshot);
	for (uint32_t i = *slot_of(index, process); i; i = index->before[i - 1]) {
		*found = i - 1;
		if (snapshot->processes[*found].pid == process->pid &&
		    snapshot->processes[*found].comm == process->comm)
			return true;
	}
	return false;
}
