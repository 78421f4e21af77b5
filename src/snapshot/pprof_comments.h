/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What pprof has no field for, as comments of the form key=value (see pprof.h). */
#ifndef MT_SNAPSHOT_PPROF_COMMENTS_H
#define MT_SNAPSHOT_PPROF_COMMENTS_H

#include "snapshot/snapshot.h"

struct pprof_comments {
	bool ours;		/* written by memtracebpf; other writers' comments are left alone */
	bool totals;		/* size and count were given */
	uint64_t *exact;	/* ids of locations, as written: ascending */
	size_t nexact;
	uint32_t nkilled;	/* of the snapshot's */
	struct mapping_copy {
		uint64_t mapping, copy;	/* see names__module_copy() */
	} *copies;		/* of files with a build id, by id of the mapping, ascending */
	size_t ncopies;
};

/* Takes what one comment says into `snapshot`. 0 or -ENOMEM; what it does not know it ignores. */
int pprof_comments__read(struct pprof_comments *said, const char *comment,
			 struct snapshot *snapshot);
bool pprof_comments__is_exact(const struct pprof_comments *said, uint64_t location);
uint64_t pprof_comments__copy(const struct pprof_comments *said, uint64_t mapping);
void pprof_comments__release(struct pprof_comments *said);

#endif
