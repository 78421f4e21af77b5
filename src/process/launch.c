// SPDX-License-Identifier: GPL-2.0-or-later
#include "process/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define END_MS 5000	/* for a program that was asked to end */
#define NOT_FOUND 127	/* exit statuses of a shell: the program is not there ... */
#define NOT_RUN 126	/* ... or cannot be run */

static int open_pidfd(pid_t pid)
{
	return syscall(SYS_pidfd_open, pid, 0);
}

static void send_signal(int pidfd, int number)
{
	syscall(SYS_pidfd_send_signal, pidfd, number, NULL, 0);
}

static void run_child(char *const *argv, int go, int failed)
{
	char byte;
	int err;

	if (read(go, &byte, 1) != 1)	/* the parent gave up */
		_exit(NOT_FOUND);
	execvp(argv[0], argv);
	err = errno;
	if (write(failed, &err, sizeof(err)) != sizeof(err))
		_exit(NOT_RUN);
	_exit(err == ENOENT ? NOT_FOUND : NOT_RUN);
}

/*
 * PR_SET_PDEATHSIG would not do: an exec that changes credentials takes it away. When our process
 * has ended, its links are gone and nothing stops the program any more.
 */
static void run_guard(int parent, int child)
{
	struct pollfd end = { .events = POLLIN };
	sigset_t all;

	sigfillset(&all);	/* what a terminal sends to us all */
	sigprocmask(SIG_SETMASK, &all, NULL);
	/* Nobody is to wait for the end of a pipe that we hold. */
	if (dup2(parent, STDIN_FILENO) < 0 || dup2(child, STDOUT_FILENO) < 0)
		_exit(1);
	close_range(STDERR_FILENO, ~0U, 0);
	end.fd = STDIN_FILENO;
	while (poll(&end, 1, -1) < 0)
		;
	send_signal(STDOUT_FILENO, SIGCONT);
	_exit(0);
}

static int start_guard(struct launch *launch)
{
	int self = open_pidfd(getpid()), err = 0;

	if (self < 0)
		return -errno;
	launch->guard = fork();
	if (launch->guard < 0)
		err = -errno;
	if (launch->guard == 0)
		run_guard(self, launch->pidfd);
	close(self);
	return err;
}

static void end_guard(struct launch *launch)
{
	if (launch->guard <= 0)
		return;
	kill(launch->guard, SIGKILL);
	waitpid(launch->guard, NULL, 0);
	launch->guard = 0;
}

/* The parent's side of a child that has been forked. */
static int watch_child(struct launch *launch, pid_t pid)
{
	int err;

	launch->pidfd = open_pidfd(pid);
	if (launch->pidfd < 0) {
		err = -errno;
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		return err;
	}
	launch->pid = pid;
	err = start_guard(launch);
	if (err)
		launch__end(launch);
	return err;
}

int launch__prepare(char *const *argv, struct launch *launch)
{
	int go[2], failed[2], err;
	pid_t pid;

	memset(launch, 0, sizeof(*launch));
	if (pipe2(go, O_CLOEXEC))
		return -errno;
	if (pipe2(failed, O_CLOEXEC)) {
		err = -errno;
		close(go[0]);
		close(go[1]);
		return err;
	}
	pid = fork();
	err = pid < 0 ? -errno : 0;
	if (pid == 0) {
		close(go[1]);
		run_child(argv, go[0], failed[1]);
	}
	close(go[0]);
	close(failed[1]);
	launch->go = go[1];
	launch->failed = failed[0];
	if (!err)
		err = watch_child(launch, pid);
	return err;
}

static bool ends_within(int pidfd, int timeout_ms)
{
	struct pollfd end = { .fd = pidfd, .events = POLLIN };

	return poll(&end, 1, timeout_ms) > 0;
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
	if (err)	/* it says so by its exit status, too */
		ends_within(launch->pidfd, END_MS);
	return -err;
}

void launch__ask_to_end(const struct launch *launch)
{
	if (launch->pid <= 0)
		return;
	send_signal(launch->pidfd, SIGTERM);
	send_signal(launch->pidfd, SIGCONT);
}

/* As a shell has it. */
static int exit_status(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int launch__end(struct launch *launch)
{
	bool ours = launch->go > 0;	/* it never ran, or was ended by us */
	int status = 0;

	if (launch->go > 0)
		close(launch->go);
	if (launch->failed > 0)
		close(launch->failed);
	launch->go = launch->failed = -1;
	if (launch->pid <= 0)
		return 0;
	if (waitpid(launch->pid, &status, WNOHANG) == 0) {
		launch__ask_to_end(launch);
		if (!ends_within(launch->pidfd, END_MS))
			send_signal(launch->pidfd, SIGKILL);
		waitpid(launch->pid, NULL, 0);
		ours = true;
	}
	end_guard(launch);
	close(launch->pidfd);
	launch->pid = 0;
	return ours ? 0 : exit_status(status);
}
