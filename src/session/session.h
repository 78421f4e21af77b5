/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One run of tracing: it counts for some targets from its start to its end, and can be asked for a
 * snapshot or a report at any moment in between.
 */
#ifndef MT_SESSION_SESSION_H
#define MT_SESSION_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "cli/cli.h"
#include "snapshot/snapshot.h"

struct session;

/* Attaches to the targets of `options`, which must outlive the session, counts, and lets COMMAND
 * run. 0 or -errno, after one sentence on stderr; *session is to be freed in any case. */
int session__new(const struct options *options, struct session **session);
/* All that is tracked now, with names; with the blocks' ages and the memory that we take, which are
 * dear, if asked. The caller frees the snapshot. 0 or -errno, after one sentence on stderr. */
int session__snapshot(struct session *session, bool ages, bool own,
		      struct snapshot **snapshot);
/* Writes a report to stdout. 0 or -errno, after one sentence on stderr; -EPIPE without one: nobody
 * reads it. */
int session__report(struct session *session);
/* Reports at each interval, until a signal, the end of the targets or that of what the options ask
 * for; the snapshot of -o comes last. 0 or -errno, after one sentence on stderr. */
int session__run(struct session *session);
/* Detaches and ends COMMAND. Returns the exit status of a COMMAND that ended by itself, or that could
 * not be run, as a shell has it; else 0. Takes NULL. */
int session__free(struct session *session);

#endif
