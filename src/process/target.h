/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A process while its files are opened. It is held by a pidfd: what is read of it by its number
 * is its own if it lives afterwards, as nobody else has the number until then.
 */
#ifndef MT_PROCESS_TARGET_H
#define MT_PROCESS_TARGET_H

#include "process/process.h"

struct target {
	pid_t pid;
	int pidfd;		/* -1: it has not been looked at */
	struct target_maps maps;
};

/* It is not looked at before it has to be. */
#define TARGET_OF(number) { .pid = (number), .pidfd = -1 }

/* Reads its maps, unless they have been. 0, -ESRCH: it has ended, or -errno. */
int target__look(struct target *target);
bool target__lives(const struct target *target);
void target__close(struct target *target);

#endif
