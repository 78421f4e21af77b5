/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tracebacks without the frames of libraries: runs of these are one line. */
#ifndef MT_REPORT_FOLDED_H
#define MT_REPORT_FOLDED_H

#include <stdio.h>

#include "report/report.h"
#include "snapshot/wrappers.h"

/* Writes a frame, and what follows in its line. */
typedef void folded_frame_fn(FILE *out, const struct stat_frame *frame,
			     const struct report_opts *opts, const char *behind);

/*
 * The first frame that is no wrapper, behind it how many were passed over, and so on down the
 * stack; without wrappers, or where there is nothing else, all frames. opts->limit counts from the
 * first one. `wrappers` are those of opts->statistics.
 */
void write_folded(FILE *out, const struct statistic *item, const struct report_opts *opts,
		  const struct wrappers *wrappers, folded_frame_fn *write_frame);
/* That first frame, or the innermost. */
struct stat_frame folded__first(const struct statistic *item, const struct wrappers *wrappers);

#endif
