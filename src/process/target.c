// SPDX-License-Identifier: GPL-2.0-or-later
#include "process/target.h"

#include <errno.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

int target__look(struct target *target)
{
	if (target->pidfd < 0)
		target->pidfd = syscall(SYS_pidfd_open, target->pid, 0);
	if (target->pidfd < 0)
		return -errno;
	return target->maps.count ? 0 : target_maps__read(target->pid, &target->maps);
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
	target->pidfd = -1;
}
