/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of this room share. */
#ifndef MT_SESSION_PARTS_H
#define MT_SESSION_PARTS_H

#include "collect/collect.h"
#include "coverage/coverage.h"
#include "process/launch.h"
#include "process/root.h"
#include "session/session.h"
#include "snapshot/statistics.h"
#include "symbol/symbol.h"

struct session {
	const struct options *options;
	struct names *names;
	struct roots *roots;
	struct symbolizer *symbolizer;
	struct collector *collector;
	struct followed followed;
	struct coverage *coverage;	/* NULL: not measured */
	struct launch launch;
	struct snapshot *last;		/* of the previous report */
	struct statistics *kept;	/* the same */
	uint64_t nreports;
	unsigned int nsnapshots;	/* written for SIGUSR1 */
	int signals;			/* signalfd, see signals.c */
};

/* Blocks the signals that a session answers, for this thread and those that it starts. 0 or -errno,
 * after one sentence on stderr. */
int signals__open(struct session *session);
/* Answers one signal; false: it is one to end. */
bool signals__handle(struct session *session);

/* What processes that have ended still held. */
int session__report_exited(struct session *session);
/* Writes the snapshot of the last report to the file of -o, if there are both. */
int session__write_last(struct session *session);

/* From now on, growth counts. 0 or -ENOMEM. */
int session__begin_coverage(struct session *session);

#endif
