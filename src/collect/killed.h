/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Processes that a signal ended while they were traced. */
#ifndef MT_COLLECT_KILLED_H
#define MT_COLLECT_KILLED_H

#include "snapshot/snapshot.h"

struct killed {
	struct snapshot_killed named[KILLED_NAMED];
	uint64_t count;
};

/* Takes an event EVENT_KILLED, each process once. */
void killed__add(struct killed *killed, const struct event *event);
void killed__report(const struct killed *killed, struct snapshot *snapshot);

#endif
