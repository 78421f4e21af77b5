/* SPDX-License-Identifier: GPL-2.0-or-later */
/* All processes at once: the files that they map, and the probes in these. */
#ifndef MT_MACHINE_H
#define MT_MACHINE_H

#include "collect/attachments.h"
#include "collect/modules.h"
#include "collect/tables.h"

struct machine {
	struct tables *tables;
	struct modules *modules;
	struct attachments attachments;
	uint32_t met;		/* files, when last looked for those that nobody maps */
};

/* Reads what all processes map, and attaches. 0 or, after one sentence, -errno. */
int machine__add_all(struct machine *machine);
/* The kernel half has met a file: what allocates there is to be counted before all else. */
void machine__add_file(struct machine *machine, const struct listed_mapping *mapping);
/* Detaches. */
void machine__close(struct machine *machine);

#endif
