// SPDX-License-Identifier: GPL-2.0-or-later
#include "process/usage.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "process/process.h"

#define PF_FORKNOEXEC 0x40	/* include/linux/sched.h */

/* The beginning of the file, as a string. */
static int read_file(pid_t pid, const char *name, char *text, size_t size)
{
	char path[64];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	n = read(fd, text, size - 1);
	close(fd);
	if (n <= 0)
		return n ? -errno : -ESRCH;
	text[n] = '\0';
	return 0;
}

uint64_t process__resident(pid_t pid)
{
	unsigned long long resident, shared;
	char text[128];

	if (read_file(target__thread(pid), "statm", text, sizeof(text)) ||
	    sscanf(text, "%*u %llu %llu", &resident, &shared) != 2 || resident < shared)
		return 0;
	return (resident - shared) * sysconf(_SC_PAGESIZE);
}

/* Fields 4, 9, 22 and 28 of proc_pid_stat(5). */
static int read_stat(pid_t pid, struct process_usage *usage)
{
	unsigned long long started, stack;
	unsigned int flags;
	char text[2048], *end;
	int err = read_file(pid, "stat", text, sizeof(text));

	if (err)
		return err;
	end = strrchr(text, ')');	/* the name may hold anything */
	if (!end || sscanf(end + 1,
			   " %*c %d %*d %*d %*d %*d %u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d"
			   " %*d %*d %llu %*u %*d %*u %*u %*u %llu",
			   &usage->parent, &flags, &started, &stack) != 4)
		return -EIO;
	usage->started = started;
	usage->stack = stack;
	usage->forked = flags & PF_FORKNOEXEC;
	return 0;
}

static bool read_kilobytes(const char *text, const char *key, uint64_t *bytes)
{
	const char *line = strstr(text, key);

	*bytes = line ? strtoull(line + strlen(key), NULL, 10) << 10 : 0;
	return line;
}

int process__usage(pid_t pid, struct process_usage *usage)
{
	pid_t thread = target__thread(pid);
	struct process_usage own = {};
	uint64_t resident, swapped;
	const char *users;
	char text[4096];
	int err;

	*usage = (struct process_usage){};
	err = read_stat(pid, usage);
	if (!err && thread != pid && !(err = read_stat(thread, &own)))
		usage->stack = own.stack;	/* the first thread has ended, with its memory */
	if (!err)
		err = read_file(thread, "status", text, sizeof(text));
	if (err)
		return err;
	if (!read_kilobytes(text, "\nRssAnon:", &resident))
		return -ESRCH;		/* a kernel thread or a zombie */
	read_kilobytes(text, "\nVmSwap:", &swapped);
	usage->anonymous = resident + swapped;
	users = strstr(text, "\nUid:");
	if (users && sscanf(users, "\nUid: %*u %u", &usage->user) != 1)
		return -EIO;
	return 0;
}
