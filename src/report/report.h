/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A snapshot on paper. One file a format. */
#ifndef MT_REPORT_REPORT_H
#define MT_REPORT_REPORT_H

#include <stdio.h>

#include "report/terminal.h"
#include "snapshot/statistics.h"

enum report_format {
	FORMAT_TEXT = 0,	/* columns on a terminal, else as FORMAT_TRACEMALLOC_TEXT */
	FORMAT_TRACEMALLOC_TEXT, /* a statistic a line, in tracemalloc's words */
	FORMAT_JSON,		/* one object a line */
	FORMAT_MARKDOWN,	/* a table; not of tracebacks */
	FORMAT_CSV,		/* the same in bytes, RFC 4180 */
	FORMAT_TREE,		/* library -> function -> return address, for people */
	FORMAT_TRACEMALLOC,	/* the whole snapshot, for Python's tracemalloc.Snapshot.load() */
};

struct sources;

struct report_opts {
	struct statistics_opts statistics;
	unsigned int top;	/* groups shown; 0: all */
	uint64_t min_size;	/* bytes: smaller groups go to the others */
	unsigned int limit;	/* of text: frames shown of a traceback; 0: all */
	bool most_recent_last;	/* of text: order of a traceback */
	bool own_memory;	/* of text: what tracing took itself */
	bool detail;		/* of text: peak, temporary blocks, age, sizes of each group */
	struct sources *sources; /* of text: lines of source files; NULL: without */
	double pair_ns;		/* of text: what tracing adds to an allocation and its free; 0: not known */
	/* Of text: what it is written to. A width of 0: one statistic a line, as tracemalloc. */
	struct terminal terminal;
	bool wide;		/* of text on a terminal: names whole, lines as long as it takes */
};

/*
 * Prints one report. `old` is the snapshot to compare with, or NULL. *kept, NULL at first, makes the
 * next report with the same options cheaper; the caller frees it. 0, -errno, or the error of the
 * stream (-EPIPE when its reader has gone); the stream is flushed.
 */
int report__print(FILE *out, enum report_format format, const struct snapshot *snapshot,
		  const struct snapshot *old, const struct report_opts *opts,
		  struct statistics **kept);

/* One file a format. */
typedef int report_fn(FILE *out, const struct snapshot *snapshot, const struct snapshot *old,
		      const struct report_opts *opts, struct statistics **kept);
report_fn report__text, report__json, report__markdown, report__csv, report__tree,
	report__tracemalloc;

#endif
