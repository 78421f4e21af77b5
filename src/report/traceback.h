/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tracebacks in front of people, in the form that Python gives them. */
#ifndef MT_REPORT_TRACEBACK_H
#define MT_REPORT_TRACEBACK_H

#include "report/report.h"

/* The source line of a frame of the item, indented, where it can be read; on a terminal cut to
 * its width. */
void write_source(FILE *out, const struct statistic *item, const struct stat_frame *frame,
		  const struct report_opts *opts);

/* A line about why the traceback is not complete, where it is not. */
void write_stopped(FILE *out, const struct statistic *item);

typedef void frame_writer(FILE *out, const struct statistic *item, const struct stat_frame *frame,
			  const struct report_opts *opts);

/*
 * All frames, most recent first unless opts->most_recent_last, and why the traceback ends early;
 * opts->limit keeps the most recent ones.
 */
void write_frames(FILE *out, const struct statistic *item, const struct report_opts *opts,
		  frame_writer *write_frame);
/* The same with source lines, as Traceback.format() of Python. */
void write_traceback(FILE *out, const struct statistic *item, const struct report_opts *opts);

#endif
