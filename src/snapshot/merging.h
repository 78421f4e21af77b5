/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Adds up, while a file is read, the traces that differ in nothing but their numbers. */
#ifndef MT_SNAPSHOT_MERGING_H
#define MT_SNAPSHOT_MERGING_H

#include "snapshot/snapshot.h"

struct merging {
	struct merging_slot {
		uint32_t process, trace;	/* trace: 1 + its index; 0: the slot is free */
	} *slots;
	size_t nslots, count;
};

/* snapshot__add_trace(), or the addition to the trace that is there already. 0 or -ENOMEM. */
int merging__add(struct merging *merging, struct snapshot *snapshot, uint32_t process,
		 const struct trace *trace);
void merging__release(struct merging *merging);

#endif
