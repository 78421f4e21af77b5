/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The books of processes that have ended, or run another program since. */
#ifndef MT_COLLECT_ENDED_H
#define MT_COLLECT_ENDED_H

#include "collect/tables.h"
#include "snapshot/snapshot.h"

struct ended {
	struct snapshot_ended sum;
	uint64_t frees_inherited;
	uint64_t frames_cut[STOP_MAX];	/* of their allocations, by reason */
	uint64_t lost;		/* LOST_PROCESSES, when their books were last made available */
	uint32_t seen;		/* how many had ended when last looked */
	uint32_t nunswept;	/* whose blocks are still in the tables */
};

typedef void (*ended_fn)(void *context, uint32_t process);

/*
 * Closes the books of all that have ended, after a last look at each (NULL: nobody wants to), adds
 * them up, and gives back what they took. Those that the user named stay for the last report.
 */
void ended__close(struct ended *ended, struct tables *tables, ended_fn last_look, void *context);

/* The sums begin again. */
void ended__clear(struct ended *ended);

#endif
