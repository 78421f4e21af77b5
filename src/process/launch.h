/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Starts a program in two steps, so that it can be attached to before its first instruction. A
 * second process, the guard, lets the program go on if we are killed while it is stopped for us.
 */
#ifndef MT_PROCESS_LAUNCH_H
#define MT_PROCESS_LAUNCH_H

#include <stdbool.h>
#include <sys/types.h>

struct launch {
	pid_t pid;
	int pidfd;	/* of the program; valid while pid is not 0 */
	pid_t guard;
	int go;		/* written: the child calls exec */
	int failed;	/* readable: the errno of an exec that failed; at its end: it succeeded */
};

/* Forks a child that waits. argv is NULL-terminated. The program inherits what we have now: signal
 * dispositions and limits are to be changed later. 0 or -errno. */
int launch__prepare(char *const *argv, struct launch *launch);
/* Lets the child call exec (found in PATH as a shell would); -errno when that failed. */
int launch__go(struct launch *launch);
/* Asks a child that still runs to end. Async-signal-safe; takes a launch that was never prepared. */
void launch__ask_to_end(const struct launch *launch);
/* Ends a child that still runs, as perf does with what it started, and waits for it: SIGTERM, and
 * SIGKILL when that has had no effect. Returns the exit status of a child that had ended by itself,
 * as a shell has it: 128 + N for signal N; else 0. */
int launch__end(struct launch *launch);

#endif
