// SPDX-License-Identifier: GPL-2.0-or-later
#include "collect/ended.h"

#include "base/log.h"

#define SWEEP_AT 512	/* processes whose blocks are looked for together */

static void add_up(struct ended *ended, const struct tables *tables, const struct process *process)
{
	struct snapshot_ended *sum = &ended->sum;
	const struct site *site;

	for (uint32_t id = process->sites; id && (site = tables__site(tables, id));
	     id = site->next) {
		sum->alloc_size += site->alloc_size;
		sum->alloc_count += site->alloc_count;
	}
	sum->alloc_size += process->unplaced_size;
	sum->alloc_count += process->unplaced_count;
	ended->frees_inherited += process->frees_inherited;
	if (process->state != PROCESS_ENDED)
		return;
	sum->processes++;
	sum->size += process->size;
	sum->count += process->count;
}

void ended__close(struct ended *ended, struct tables *tables, ended_fn last_look, void *context)
{
	uint32_t n = tables__nprocesses(tables);

	for (uint32_t i = 1; i < n; i++) {
		struct process *process = &tables->processes[i];
		uint32_t state = __atomic_load_n(&process->state, __ATOMIC_ACQUIRE);

		if (state != PROCESS_ENDED && state != PROCESS_REPLACED)
			continue;
		if (state == PROCESS_ENDED && last_look && !(process->flags & PROCESS_REPORTED))
			last_look(context, i);
		process->flags |= PROCESS_REPORTED;
		if (state == PROCESS_ENDED && process->flags & PROCESS_PINNED)
			continue;
		add_up(ended, tables, process);
		tables__clear_process(tables, i);
		ended->nunswept++;
	}
	if (ended->nunswept < SWEEP_AT)
		return;
	if (tables__sweep(tables))
		log__warn("blocks of processes that have ended take up room");
	ended->nunswept = 0;
}
