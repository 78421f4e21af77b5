// SPDX-License-Identifier: GPL-2.0-or-later
#include "process/target.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static int hold(struct target *target)
{
	if (target->pidfd < 0)
		target->pidfd = syscall(SYS_pidfd_open, target->pid, 0);
	return target->pidfd < 0 ? -errno : 0;
}

int target__look(struct target *target)
{
	int err = hold(target);

	if (err || target->maps.count)
		return err;
	return target_maps__read(target->pid, &target->maps);
}

/* -ENOENT: no file is mapped from `start` to `end`. */
static int look_at_one(struct target *target, uint64_t start, uint64_t end)
{
	struct target_mapping *one = &target->one;

	free(one->path);
	*one = (struct target_mapping){ .start = start, .end = end, .executable = true };
	return target_mapping__read(target->pid, one);
}

static bool is_mapped(pid_t pid, uint64_t address)
{
	char path[32], byte;
	bool mapped;
	int mem;

	snprintf(path, sizeof(path), "/proc/%d/mem", (int)target__thread(pid));
	mem = open(path, O_RDONLY | O_CLOEXEC);
	if (mem < 0)
		return errno != ENOENT;		/* who knows */
	mapped = pread(mem, &byte, 1, address) == 1;
	close(mem);
	return mapped;
}

const struct target_mapping *target__mapping(struct target *target, uint64_t start, uint64_t end)
{
	const struct target_maps *maps = &target->maps;

	if (hold(target))
		return NULL;
	if (!maps->count && !look_at_one(target, start, end))
		return &target->one;
	if (!maps->count && !is_mapped(target->pid, start))
		return NULL;
	if (target__look(target))
		return NULL;
	for (size_t i = 0; i < maps->count; i++)
		if (start >= maps->items[i].start && start < maps->items[i].end)
			return &maps->items[i];
	return NULL;
}

bool target__lives(const struct target *target)
{
	struct pollfd end = { .fd = target->pidfd, .events = POLLIN };

	return target->pidfd >= 0 && !poll(&end, 1, 0);
}

void target__close(struct target *target)
{
	if (target->pidfd >= 0)
		close(target->pidfd);
	target_maps__free(&target->maps);
	free(target->one.path);
	target->one = (struct target_mapping){};
	target->pidfd = -1;
}
