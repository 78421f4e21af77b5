/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A process that the user named: what it maps now, and the probes that are attached for it. */
#ifndef MT_COLLECT_PROCESSES_H
#define MT_COLLECT_PROCESSES_H

#include <stdbool.h>
#include <sys/types.h>

#include "collect/attachments.h"
#include "collect/gone.h"
#include "collect/modules.h"
#include "collect/tables.h"

struct traced {
	pid_t pid;
	uint32_t index;		/* of its books, in the kernel's processes; 0: it has none yet */
	int pidfd;		/* -1 once it has ended */
	struct module **modules;	/* that it maps, as last read */
	size_t nmodules;
	bool changed;		/* it told that it maps other code than was last read */
	bool waits;		/* it told something since it was last let go */
	struct attachments *attachments; /* its own, or those in all processes */
	struct attachments own;
	struct gone gone;
};

/*
 * Reads what the process maps, makes new modules known and attaches to allocators that came.
 * -ESRCH: it has ended.
 */
int traced__sync(struct traced *traced, struct modules *modules, struct tables *tables);
/* Detaches and releases everything but the struct. */
void traced__close(struct traced *traced);

/* A module that carries an allocator whose calls are followed, or NULL. */
const struct module *traced__followed(const struct traced *traced);
/* Is there a C library, whose calls that map memory can be seen? */
bool traced__has_mappers(const struct traced *traced);
/* A module with an allocator which is not followed, or NULL. */
const struct module *traced__not_followed(const struct traced *traced);

#endif
