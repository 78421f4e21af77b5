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
	struct target_mapping one;	/* that was asked for by itself */
};

/* It is not looked at before it has to be. */
#define TARGET_OF(number) { .pid = (number), .pidfd = -1 }

/* Reads its maps, unless they have been. 0, -ESRCH: it has ended, or -errno. */
int target__look(struct target *target);
/* What is mapped at `start`, valid until the next call; NULL: nothing, or the process has ended. Its
 * maps are not read for a mapping of a file that still ends at `end`, nor for one that has gone:
 * programs that make code at run time have tens of thousands. */
const struct target_mapping *target__mapping(struct target *target, uint64_t start, uint64_t end);
bool target__lives(const struct target *target);
void target__close(struct target *target);

#endif
