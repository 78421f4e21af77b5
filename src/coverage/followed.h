/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which processes are followed, also those in which the kernel half has not yet seen a call. */
#ifndef MT_COVERAGE_FOLLOWED_H
#define MT_COVERAGE_FOLLOWED_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* As the user selected them; see struct collect_opts. */
struct followed {
	const pid_t *pids;	/* COMMAND's included */
	size_t npids;
	bool everything;	/* all that are one of each list which is not empty */
	const char *const *comms, *const *cgroups;
	const uid_t *users;
	size_t ncomms, ncgroups, nusers;
	bool follow_fork;	/* and their descendants */
	bool mappings;		/* not only what allocators give: what they map themselves */
};

/* By growing number; the caller frees. -errno. */
int followed__list(const struct followed *followed, pid_t **pids, size_t *count);

#endif
