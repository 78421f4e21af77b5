// SPDX-License-Identifier: GPL-2.0-or-later
#include "collect/killed.h"

#include <string.h>

#include "process/process.h"

/* Of threads that ended together, each may have been the last. */
static bool is_known(const struct killed *killed, uint32_t pid)
{
	for (uint64_t i = 0; i < killed->count && i < KILLED_NAMED; i++)
		if (killed->named[i].pid == pid)
			return true;
	return false;
}

void killed__add(struct killed *killed, const struct event *event)
{
	if (is_known(killed, event->pid))
		return;
	if (killed->count < KILLED_NAMED) {
		struct snapshot_killed *named = &killed->named[killed->count];

		named->pid = event->pid;
		named->signal = event->signal;
		memcpy(named->comm, event->comm, sizeof(named->comm));
		target__clean_comm(named->comm);
	}
	killed->count++;
}

void killed__report(const struct killed *killed, struct snapshot *snapshot)
{
	memcpy(snapshot->killed, killed->named, sizeof(snapshot->killed));
	snapshot->nkilled = killed->count;
}
