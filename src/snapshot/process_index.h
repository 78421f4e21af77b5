/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finds a snapshot's process by pid and name, in constant time. */
#ifndef MT_SNAPSHOT_PROCESS_INDEX_H
#define MT_SNAPSHOT_PROCESS_INDEX_H

#include "base/types.h"
#include "snapshot/snapshot.h"

struct process_index {
	/* 1 + the last process with this hash, and the one before each with the same */
	uint32_t last[MAX_PROCESSES], before[MAX_PROCESSES];
	uint32_t count;		/* of the snapshot's processes, so many are in it */
};

/* False: the snapshot has no such process. It has at most MAX_PROCESSES. */
bool process_index__find(struct process_index *index, const struct snapshot *snapshot,
			 const struct snapshot_process *process, uint32_t *found);

#endif
