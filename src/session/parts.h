/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of this room share. */
#ifndef MT_SESSION_PARTS_H
#define MT_SESSION_PARTS_H

#include <pthread.h>
#include <stdio.h>

#include "collect/collect.h"
#include "coverage/coverage.h"
#include "process/launch.h"
#include "process/root.h"
#include "session/session.h"
#include "snapshot/statistics.h"
#include "symbol/symbol.h"

enum session_phase {
	SESSION_STARTS = 0,
	SESSION_RUNS,
	SESSION_ENDS,		/* no more than a last report is to come */
};

struct session {
	const struct options *options;
	struct names *names;
	struct roots *roots;
	struct symbolizer *symbolizer;
	struct report_opts report;	/* those of the options, and where source lines come from */
	struct collector *collector;
	struct followed followed;
	struct coverage *coverage;	/* NULL: not measured */
	struct launch launch;
	struct snapshot *last;		/* of the previous report */
	struct statistics *kept;	/* the same */
	uint64_t nreports;
	unsigned int nsnapshots;	/* written with a number */
	uint64_t snapshot_ns;		/* when the next one is due: CLOCK_MONOTONIC */
	FILE *out;			/* stdout, see output.c */
	int out_err;			/* -errno of the first write that failed; 0: none has */
	enum session_phase phase;	/* atomic */
	int requests;			/* signalfd of SIGUSR1 and SIGUSR2 */
	int ending;			/* eventfd: readable when it is time to end, for a signal */
	pthread_t listener;		/* to the signals that end us */
	bool listens;
	bool waits;			/* for the first process that is selected */
	struct price *price;		/* NULL: nobody asks for it */
};

/* Blocks the signals that a session answers, for this thread and those that it starts. 0 or -errno,
 * after one sentence on stderr. */
int signals__open(struct session *session);
/* Answers what has come of SIGUSR1 and SIGUSR2. */
void signals__answer(struct session *session);
void signals__close(struct session *session);

/* Opens session->out: a stream to stdout that waits for a slow reader, but not for ever when it is
 * time to end. 0 or -ENOMEM. */
int output__open(struct session *session);

/* Measures beside us what tracing costs an allocation and its free. NULL: it cannot. */
struct price *price__measure(void);
/* In nanoseconds; 0: it is not known yet. Takes NULL. */
double price__of_pair(const struct price *price);
void price__free(struct price *price);	/* takes NULL; waits for nothing */

/* Says so where nothing is selected yet, and who is the first. */
void waiting__begin(struct session *session);
void waiting__look(struct session *session);

/* What processes that have ended still held. */
int session__report_exited(struct session *session);
/* Writes the snapshot of the last report to the file of -o, if there are both. */
int session__write_last(struct session *session);

/* One more file. That it cannot be written does not end the tracing: a sentence says so. */
void session__write_numbered(struct session *session);
/* From now on, growth counts. 0 or -ENOMEM. */
int session__begin_coverage(struct session *session);

#endif
