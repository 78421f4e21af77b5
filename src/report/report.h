/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A snapshot on paper. One file a format. */
#ifndef MT_REPORT_H
#define MT_REPORT_H

#include <stdio.h>

#include "snapshot/statistics.h"

struct report_opts {
	struct statistics_opts statistics;
	unsigned int top;	/* groups shown; 0: all */
	uint64_t min_size;	/* bytes: smaller groups go to the others */
};

/*
 * Prints one report. `old` is the previous report's snapshot or NULL. 0, -errno, or the error of
 * the stream (-EPIPE when its reader has gone); the stream is flushed.
 */
int report__text(FILE *out, const struct snapshot *snapshot, const struct snapshot *old,
		 const struct report_opts *opts);
int report__json(FILE *out, const struct snapshot *snapshot, const struct snapshot *old,
		 const struct report_opts *opts);

#endif
