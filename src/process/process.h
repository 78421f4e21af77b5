/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Processes: may they be traced, what do they map. */
#ifndef MT_PROCESS_PROCESS_H
#define MT_PROCESS_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct target_mapping {
	uint64_t start, end;	/* addresses in the process */
	uint64_t offset;	/* in the file */
	uint64_t device, inode;	/* as the kernel's maps say, a dev_t; 0, 0: no file */
	bool executable;
	char *path;		/* as in /proc/PID/maps, " (deleted)" cut off; "" for none */
};

struct target_maps {
	struct target_mapping *items;	/* in address order */
	size_t count;
};

/*
 * 0 when `pid` is a live user process. Otherwise -ESRCH (no such process), -EINVAL (a kernel
 * thread, a thread of another process, or ourselves), -ECHILD (a zombie), -errno, after one sentence
 * on stderr that says so and what to do.
 */
int target__check(pid_t pid);
/* When it began, in ticks of the clock: with its number it tells whether it is still the same
 * process. 0: it is gone. */
uint64_t target__started(pid_t pid);
/* By which number it knows itself: in its own pid namespace. 0: it is gone. */
pid_t target__own_pid(pid_t pid);
/* By which number /proc shows the memory of the process: a living thread's where the first has ended,
 * else its own. */
pid_t target__thread(pid_t pid);
/* 0 when /proc shows the processes of our own pid namespace; else -EXDEV after one sentence. */
int process__check_proc(void);
/* Are we in another pid namespace than the machine's first one? */
bool process__in_container(void);
/* comm of the process, control characters replaced by "?"; "?" when it is gone. */
void target__comm(pid_t pid, char comm[16]);

/* In place: what anybody may call a process goes to a terminal. */
void target__clean_comm(char comm[16]);
/* Its cgroup, as /proc/PID/cgroup names it: the unified hierarchy's or, where that is not in use, the
 * memory controller's. The caller frees; NULL: not known. */
char *target__cgroup(pid_t pid);

/* Reads /proc/PID/maps. target_maps__free() releases. -ESRCH when the process is gone or has no
 * memory of its own (zombies, kernel threads). */
int target_maps__read(pid_t pid, struct target_maps *maps);
void target_maps__free(struct target_maps *maps);

/* Completes a mapping from `start` to `end` of a file, of which no offset is told; its path is the
 * caller's to free. -ENOENT: there is none. */
int target_mapping__read(pid_t pid, struct target_mapping *mapping);

/*
 * Opens the file behind a mapping, read-only: through /proc/PID/map_files, so that deleted and
 * containerised files work, else by its path under /proc/PID/root. The caller closes. -ENOENT
 * where the mapping has no file, -ESTALE where another file is found in its place, -errno.
 */
int target__open_mapping(pid_t pid, const struct target_mapping *mapping);
/* The vDSO's image, copied from the process' memory into a memfd. The caller closes. -errno. */
int target__open_vdso(pid_t pid, const struct target_mapping *mapping);

#endif
