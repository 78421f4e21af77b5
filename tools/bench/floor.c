// SPDX-License-Identifier: GPL-2.0-or-later
/* floor -p PID: attaches empty programs to the probes that memtracebpf takes, until SIGINT. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "probe/empty.h"
#include "process/process.h"

static int attach(pid_t pid, const struct probe_programs *programs)
{
	struct target_maps maps;
	struct probe_links *links;
	int n = 0;

	if (target_maps__read(pid, &maps))
		return -1;
	for (size_t i = 0; i < maps.count; i++) {
		struct probes probes;
		char path[32];
		int fd;

		if (!maps.items[i].executable || !maps.items[i].inode)
			continue;
		fd = target__open_mapping(pid, &maps.items[i]);
		if (fd < 0 || probes__find(fd, maps.items[i].path, NULL, &probes) || !probes.count)
			continue;
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		if (!probe__attach(programs, path, maps.items[i].path, pid, &probes, &links))
			n++;
	}
	return n ? 0 : -1;
}

int main(int argc, char **argv)
{
	struct probe_programs programs;
	sigset_t set;
	int sig;

	if (argc < 3 || empty_programs__load(&programs))
		return 1;
	if (attach(atoi(argv[2]), &programs))
		return 1;
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fprintf(stderr, "tracing nothing\n");
	return sigwait(&set, &sig);
}
