/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a process has of memory of its own, from /proc. */
#ifndef MT_PROCESS_USAGE_H
#define MT_PROCESS_USAGE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct process_usage {
	uint64_t anonymous;	/* bytes, resident and swapped: RssAnon and VmSwap */
	uint64_t started;	/* clock ticks since boot: a pid that is used again starts later */
	uint64_t stack;		/* where its stack begins: another after exec */
	bool forked;		/* and has not called exec since */
	pid_t parent;
	uid_t user;		/* effective */
};

/* What is resident of it, in one cheap read: without what is swapped. 0 where it is not known. */
uint64_t process__resident(pid_t pid);


/* 0, -ESRCH (it is gone, or has no memory of its own) or -errno. */
int process__usage(pid_t pid, struct process_usage *usage);

#endif
