// SPDX-License-Identifier: GPL-2.0-or-later
#include "process/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define END_MS 5000	/* for a program that was asked to end */

static void run_child(char *const *argv, int go, int failed)
{
	sigset_t none;
	char byte;
	int err;

	if (read(go, &byte, 1) != 1)	/* the parent gave up */
		_exit(127);
	/* Should we be killed while it is stopped for us. */
	prctl(PR_SET_PDEATHSIG, SIGCONT);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	execvp(argv[0], argv);
	err = errno;
	if (write(failed, &err, sizeof(err)) != sizeof(err))
		_exit(126);
	_exit(127);
}

int launch__prepare(char *const *argv, struct launch *launch)
{
	int go[2], failed[2], err;

	memset(launch, 0, sizeof(*launch));
	if (pipe2(go, O_CLOEXEC))
		return -errno;
	if (pipe2(failed, O_CLOEXEC)) {
		err = -errno;
		goto fail_go;
	}
	launch->pid = fork();
	if (launch->pid < 0) {
		err = -errno;
		goto fail_failed;
	}
	if (launch->pid == 0) {
		close(go[1]);
		run_child(argv, go[0], failed[1]);
	}
	close(go[0]);
	close(failed[1]);
	launch->go = go[1];
	launch->failed = failed[0];
	return 0;

fail_failed:
	close(failed[0]);
	close(failed[1]);
fail_go:
	close(go[0]);
	close(go[1]);
	launch->pid = 0;
	return err;
}

int launch__go(struct launch *launch)
{
	int err = 0;

	if (write(launch->go, "", 1) != 1)
		return -errno;
	close(launch->go);
	launch->go = -1;
	/* Nothing comes when exec has closed the other end. */
	if (read(launch->failed, &err, sizeof(err)) != sizeof(err))
		err = 0;
	close(launch->failed);
	launch->failed = -1;
	return -err;
}

static bool ends_within(pid_t pid, int timeout_ms)
{
	struct pollfd end = { .fd = syscall(SYS_pidfd_open, pid, 0), .events = POLLIN };
	bool ended = end.fd >= 0 && poll(&end, 1, timeout_ms) > 0;

	if (end.fd >= 0)
		close(end.fd);
	return ended;
}

void launch__end(struct launch *launch)
{
	if (launch->pid <= 0)
		return;
	if (launch->go > 0)
		close(launch->go);
	if (launch->failed > 0)
		close(launch->failed);
	if (waitpid(launch->pid, NULL, WNOHANG) == 0) {
		kill(launch->pid, SIGTERM);
		kill(launch->pid, SIGCONT);
		if (!ends_within(launch->pid, END_MS))
			kill(launch->pid, SIGKILL);
		waitpid(launch->pid, NULL, 0);
	}
	launch->pid = 0;
}
