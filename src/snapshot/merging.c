// SPDX-License-Identifier: GPL-2.0-or-later
#include "snapshot/merging.h"

#include <errno.h>
#include <stdlib.h>

#include "base/saturate.h"
#include "snapshot/hash.h"
#include "snapshot/pprof_values.h"

#define MIN_SLOTS 1024

static struct traces *traces_of(const struct snapshot *snapshot, uint32_t process)
{
	return process < snapshot->nprocesses ? snapshot->processes[process].traces :
						snapshot->others;
}

static bool is_same(const struct trace *a, const struct trace *b)
{
	return a->stack == b->stack && a->domain == b->domain && a->size_class == b->size_class;
}

/* The slot of the trace, or the free one that it belongs into. */
static struct merging_slot *find(const struct merging *merging, const struct snapshot *snapshot,
				 uint32_t process, const struct trace *trace)
{
	uint64_t hash = (uint64_t)process << 32 | trace->stack;
	size_t i;

	hash = (hash * GOLDEN ^ (uintptr_t)trace->domain ^ trace->size_class) * GOLDEN;
	for (i = (hash >> 20) % merging->nslots;; i = (i + 1) % merging->nslots) {
		struct merging_slot *slot = &merging->slots[i];

		if (!slot->trace ||
		    (slot->process == process &&
		     is_same(&traces_of(snapshot, process)->items[slot->trace - 1], trace)))
			return slot;
	}
}

static int enlarge(struct merging *merging, const struct snapshot *snapshot)
{
	struct merging larger = { .nslots = merging->nslots ? 2 * merging->nslots : MIN_SLOTS };

	larger.slots = calloc(larger.nslots, sizeof(*larger.slots));
	if (!larger.slots)
		return -ENOMEM;
	for (size_t i = 0; i < merging->nslots; i++) {
		const struct merging_slot *slot = &merging->slots[i];

		if (slot->trace)
			*find(&larger, snapshot, slot->process,
			      &traces_of(snapshot, slot->process)->items[slot->trace - 1]) = *slot;
	}
	free(merging->slots);
	merging->slots = larger.slots;
	merging->nslots = larger.nslots;
	return 0;
}

static void add(struct trace *to, const struct trace *trace)
{
	for (int i = 0; i < PPROF_VALUES; i++)
		add_saturated(pprof_value__of(&pprof_values[i], to),
			      *pprof_value__of(&pprof_values[i], (struct trace *)trace));
	to->size_variance += trace->size_variance;
	to->count_variance += trace->count_variance;
	if (to->oldest_ns < trace->oldest_ns)
		to->oldest_ns = trace->oldest_ns;
}

int merging__add(struct merging *merging, struct snapshot *snapshot, uint32_t process,
		 const struct trace *trace)
{
	struct merging_slot *slot;
	int err = 0;

	if (2 * merging->count >= merging->nslots)
		err = enlarge(merging, snapshot);
	if (err)
		return err;
	slot = find(merging, snapshot, process, trace);
	if (slot->trace) {
		add(&traces_of(snapshot, process)->items[slot->trace - 1], trace);
		return 0;
	}
	err = snapshot__add_trace(snapshot, process, trace);
	if (err)
		return err;
	*slot = (struct merging_slot){ process, traces_of(snapshot, process)->count };
	merging->count++;
	return 0;
}

void merging__release(struct merging *merging)
{
	free(merging->slots);
	*merging = (struct merging){};
}
