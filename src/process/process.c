// SPDX-License-Identifier: GPL-2.0-or-later
/* What /proc says about a process as a whole. */
#include "process/process.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"

#define PF_KTHREAD 0x00200000	/* include/linux/sched.h */

/* Reads /proc/PID/NAME into `text` as a string, cut off at its size. 0 or -errno. */
static int read_proc(pid_t pid, const char *name, char *text, size_t size)
{
	char path[64];
	size_t n;
	FILE *in;
	int err;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	in = fopen(path, "re");
	if (!in)
		return -errno;
	n = fread(text, 1, size - 1, in);
	err = ferror(in) ? -errno : 0;
	fclose(in);
	text[n] = '\0';
	return err;
}

struct process_stat {
	char state;
	unsigned int flags;
	unsigned long long started;	/* since boot */
};

/* proc(5): /proc/PID/stat. comm may hold anything, so fields count from the last ')'. */
static int read_stat(pid_t pid, struct process_stat *stat)
{
	char text[1024];
	const char *fields;
	int err = read_proc(pid, "stat", text, sizeof(text));

	if (err)
		return err;
	fields = strrchr(text, ')');
	if (!fields || sscanf(fields + 1,
			      " %c %*d %*d %*d %*d %*d %u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d"
			      " %*d %*d %llu", &stat->state, &stat->flags, &stat->started) != 3)
		return -EPROTO;
	return 0;
}

/* The process that the thread `tid` belongs to. */
static int read_tgid(pid_t tid, pid_t *tgid)
{
	char text[4096];
	const char *line;
	int err = read_proc(tid, "status", text, sizeof(text));

	if (err)
		return err;
	/* comm, in the line before, has its newlines escaped. */
	line = strstr(text, "\nTgid:");
	if (!line)
		return -EPROTO;
	*tgid = atoi(line + strlen("\nTgid:"));
	return 0;
}

static int report_unreadable(pid_t pid, int err)
{
	if (err == -ENOENT || err == -ESRCH) {
		log__error("there is no process %d: `ps -e` lists those that run", (int)pid);
		return -ESRCH;
	}
	log__error("process %d cannot be inspected: %s; is /proc mounted with hidepid?", (int)pid,
		   strerror(-err));
	return err;
}

#define FIRST_PID_NAMESPACE 0xeffffffcUL /* PROC_PID_INIT_INO, include/linux/proc_ns.h */

int process__check_proc(void)
{
	char link[32] = "";
	ssize_t n = readlink("/proc/self", link, sizeof(link) - 1);

	if (n > 0 && atoi(link) == getpid())
		return 0;
	log__error("/proc is that of another pid namespace: mount our own (mount -t proc proc /proc), or "
		   "run memtracebpf outside of the container");
	return -EXDEV;
}

bool process__in_container(void)
{
	struct stat st;

	return !stat("/proc/self/ns/pid", &st) && st.st_ino != FIRST_PID_NAMESPACE;
}

int target__check(pid_t pid)
{
	struct process_stat stat;
	pid_t tgid;
	int err;

	if (pid <= 0)
		return report_unreadable(pid, -ESRCH);
	err = read_stat(pid, &stat);
	if (!err)
		err = read_tgid(pid, &tgid);
	if (err)
		return report_unreadable(pid, err);
	if (stat.flags & PF_KTHREAD) {
		log__error("process %d is a kernel thread and has no heap: choose a user process",
			   (int)pid);
		return -EINVAL;
	}
	if (tgid == getpid()) {
		log__error("process %d is memtracebpf itself, which it never profiles: choose"
			   " another", (int)pid);
		return -EINVAL;
	}
	if (tgid != pid) {
		log__error("%d is a thread of process %d: trace that one, with -p %d", (int)pid,
			   (int)tgid, (int)tgid);
		return -EINVAL;
	}
	if ((stat.state != 'Z' && stat.state != 'X') || target__thread(pid) != pid)
		return 0;
	log__error("process %d is a zombie: it has ended and only waits for its parent;"
		   " choose one that runs", (int)pid);
	return -ECHILD;
}

uint64_t target__started(pid_t pid)
{
	struct process_stat stat;

	return read_stat(pid, &stat) ? 0 : stat.started + 1;
}

pid_t target__own_pid(pid_t pid)
{
	char path[32], *line = NULL, *number;
	size_t size = 0;
	FILE *status;
	pid_t own = 0;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	status = fopen(path, "re");
	/* Its number in each namespace, the innermost last. */
	while (status && !own && getline(&line, &size, status) >= 0)
		if (!strncmp(line, "NSpid:", 6) && (number = strrchr(line, '\t')))
			own = atoi(number);
	if (status)
		fclose(status);
	free(line);
	return own;
}

/* proc(5): the size of a task without memory is 0. */
static bool has_memory(pid_t tid)
{
	char text[128];

	return !read_proc(tid, "statm", text, sizeof(text)) && text[0] != '0';
}

/* The entry of a thread is not listed in /proc, but it is there, with all that a process has there
 * (fs/proc/base.c, proc_pid_lookup). */
pid_t target__thread(pid_t pid)
{
	struct dirent *entry;
	pid_t found = pid;
	char path[64];
	DIR *threads;

	if (has_memory(pid))
		return pid;
	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	threads = opendir(path);
	while (threads && found == pid && (entry = readdir(threads)))
		if (isdigit((unsigned char)entry->d_name[0]) && has_memory(atoi(entry->d_name)))
			found = atoi(entry->d_name);
	if (threads)
		closedir(threads);
	return found;
}

void target__clean_comm(char comm[16])
{
	comm[15] = '\0';
	for (char *c = comm; *c; c++)
		if (iscntrl((unsigned char)*c))
			*c = '?';
	if (!comm[0])
		strcpy(comm, "?");
}

void target__comm(pid_t pid, char comm[16])
{
	char text[32];
	size_t length;

	strcpy(comm, "?");
	if (read_proc(pid, "comm", text, sizeof(text)))
		return;
	length = strlen(text);
	if (length && text[length - 1] == '\n')
		text[length - 1] = '\0';
	snprintf(comm, 16, "%.15s", text);
	target__clean_comm(comm);
}

/* cgroups(7): lines of "hierarchy:controllers:path"; the unified one has no controllers. */
char *target__cgroup(pid_t pid)
{
	char text[8192], *rest = text, *line, *best = NULL;
	bool best_is_memory = false;

	if (read_proc(pid, "cgroup", text, sizeof(text)))
		return NULL;
	while ((line = strsep(&rest, "\n"))) {
		char *controllers = strchr(line, ':');
		char *path = controllers ? strchr(controllers + 1, ':') : NULL;
		bool memory;

		if (!path || path[1] != '/')
			continue;
		*path++ = '\0';
		memory = !strcmp(controllers, ":memory");
		/* Where version 1 is in use, all processes are at the unified one's root. */
		if (!strcmp(line, "0:") && strcmp(path, "/"))
			return strdup(path);
		if (!best || (memory && !best_is_memory))
			best = path;
		best_is_memory |= memory;
	}
	return best ? strdup(best) : NULL;
}
