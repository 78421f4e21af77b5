/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The files that are mapped, and if all processes are followed at once, the probes in these. */
#ifndef MT_COLLECT_MACHINE_H
#define MT_COLLECT_MACHINE_H

#include "collect/attachments.h"
#include "collect/modules.h"
#include "collect/tables.h"

struct machine {
	struct tables *tables;
	struct modules *modules;
	bool whole;		/* probes are in all processes, not in single ones */
	struct attachments attachments;
	uint32_t met;		/* files, when last looked for those that nobody maps */
	uint32_t looked, ndeleted; /* files met, deleted ones kept: at the last look for these */
	uint64_t lost_files, lost_events; /* when last looked */
	uint32_t nrounds;	/* of forgetting that are still to come */
};

/* Reads what all processes map, and attaches, if this is for all. From any thread, as the next one;
 * the rows are then to be published. 0 or, after one sentence, -errno. */
int machine__add_all(struct machine *machine);
/* The kernel half has met a file, under this path: what allocates there is to be counted before all
 * else. */
void machine__add_file(struct machine *machine, const struct listed_mapping *mapping,
		       const char *path);
/* When many have come: machines that build software run thousands of programs once. What is mapped
 * just while it is forgotten is found by looking again. */
void machine__forget_unused(struct machine *machine);
/* Between two reports: forgets deleted files that nobody maps, and where there is no index for
 * others, all that nobody maps; looks for files that we were not told of. */
void machine__catch_up(struct machine *machine);
/* Detaches. */
void machine__close(struct machine *machine);

#endif
