// SPDX-License-Identifier: GPL-2.0-or-later
/* Standard output, of which nobody knows whether and when it is read. */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <unistd.h>

#include "session/parts.h"

#define LAST_WAIT_MS 1000	/* for a reader, after a signal to end */

/* Waits until something can be written, with as much patience as there is left. 0 or -errno. */
static int wait_for_reader(struct session *session)
{
	struct pollfd fds[] = {
		{ .fd = STDOUT_FILENO, .events = POLLOUT },
		{ .fd = session->ending, .events = POLLIN },
	};
	int n;

	do
		n = poll(fds, 2, -1);
	while (n < 0 && errno == EINTR);
	if (n > 0 && !fds[0].revents) {
		do
			n = poll(fds, 1, LAST_WAIT_MS);
		while (n < 0 && errno == EINTR);
	}
	if (n < 0)
		return -errno;
	return fds[0].revents ? 0 : -EPIPE;
}

/* A pipe that poll() calls writable takes PIPE_BUF bytes without waiting (pipe(7)). */
static int write_some(struct session *session, const char *data, size_t size, size_t *written)
{
	int err = wait_for_reader(session);
	ssize_t n;

	if (err)
		return err;
	n = write(STDOUT_FILENO, data, size < PIPE_BUF ? size : PIPE_BUF);
	if (n > 0)
		*written += n;
	return n < 0 && errno != EAGAIN && errno != EINTR ? -errno : 0;
}

static ssize_t write_all(void *context, const char *data, size_t size)
{
	struct session *session = context;
	size_t written = 0;
	int err = 0;

	while (!err && written < size)
		err = write_some(session, data + written, size - written, &written);
	if (!err)
		return size;
	if (!session->out_err)
		session->out_err = err;
	errno = -err;
	return 0;
}

int output__open(struct session *session)
{
	session->out = fopencookie(session, "w", (cookie_io_functions_t){ .write = write_all });
	return session->out ? 0 : -ENOMEM;
}
