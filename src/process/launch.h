/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Starts a program in two steps, so that it can be attached to before its first instruction. */
#ifndef MT_PROCESS_LAUNCH_H
#define MT_PROCESS_LAUNCH_H

#include <sys/types.h>

struct launch {
	pid_t pid;
	int go;		/* written: the child calls exec */
	int failed;	/* readable: the errno of an exec that failed; at its end: it succeeded */
};

/* Forks a child that waits. argv is NULL-terminated. 0 or -errno. */
int launch__prepare(char *const *argv, struct launch *launch);
/* Lets the child call exec (found in PATH as a shell would); -errno when that failed. */
int launch__go(struct launch *launch);
/* Ends a child that still runs, as perf does with what it started, and waits for it: SIGTERM, and
 * SIGKILL when that has had no effect. */
void launch__end(struct launch *launch);

#endif
