/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A thread for the files that the kernel half meets: it waits for no report, nor for rows. */
#ifndef MT_COLLECT_ARRIVALS_H
#define MT_COLLECT_ARRIVALS_H

#include "collect/machine.h"

struct arrivals;

/* `machine` stays the caller's and outlives the thread. 0 or -errno. */
int arrivals__start(struct machine *machine, struct arrivals **arrivals);
/* Ends the thread; takes NULL. */
void arrivals__stop(struct arrivals *arrivals);

/* Readable when files have come, until arrivals__seen(). */
int arrivals__fd(const struct arrivals *arrivals);
void arrivals__seen(struct arrivals *arrivals);

#endif
