/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The statistics that a report shows, and the sum of those that it does not. */
#ifndef MT_REPORT_SELECTION_H
#define MT_REPORT_SELECTION_H

#include "report/report.h"

struct selection {
	const struct statistics *statistics;	/* owns what the items point to */
	const struct statistic **items;
	size_t count;
	uint64_t other_groups, other_size, other_count;
};

/* `freed`: with the groups that hold nothing, for what they have allocated. `kept`: see
 * report__print(), and stays as it is. To be released if this returns 0. */
int selection__init(struct selection *selection, const struct snapshot *snapshot,
		    const struct snapshot *old, const struct report_opts *opts, bool freed,
		    struct statistics **kept);
void selection__release(struct selection *selection);

#endif
