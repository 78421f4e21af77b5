/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Are the probes of a process still there? Whoever writes the code back, as a debugger does where
 * it had a breakpoint before us, or the program itself, takes the kernel's breakpoints out with it,
 * and nobody is told.
 */
#ifndef MT_COLLECT_GONE_H
#define MT_COLLECT_GONE_H

#include "collect/attachments.h"
#include "collect/modules.h"
#include "collect/tables.h"

/* Probes in one process that were found gone, when last looked. */
struct gone {
	size_t count;
};

/*
 * Compares the bytes at the probes of what is attached to in these mappings of the process. More
 * that are gone than the last time are counted as lost, with a sentence that names one. The modules
 * are locked by the caller.
 */
void gone__look(struct gone *gone, pid_t pid, const struct listed_mappings *list,
		const struct modules *modules, const struct attachments *attachments,
		const struct tables *tables);

#endif
