/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tracebacks in front of people, in the form that Python gives them. */
#ifndef MT_TRACEBACK_H
#define MT_TRACEBACK_H

#include "report/report.h"

/* The frame's source line, indented, where it can be read. */
void write_source(FILE *out, const struct stat_frame *frame);

/*
 * All frames with their source lines, and why the traceback ends early. As Traceback.format() with
 * most_recent_first; opts->limit keeps the most recent frames.
 */
void write_traceback(FILE *out, const struct statistic *item, const struct report_opts *opts);

#endif
