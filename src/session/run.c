// SPDX-License-Identifier: GPL-2.0-or-later
/* Keeps the time of a session: a report at each interval, until it is time to end. */
#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "base/clock.h"
#include "probe/custom.h"
#include "session/parts.h"

#define FIRST_REPORT_NS 1000000000ULL	/* on a terminal somebody waits for it */

/* Writes the snapshot that is due; returns when the next one is. */
static uint64_t write_due(struct session *session, uint64_t due_ns, uint64_t now_ns)
{
	if (now_ns < due_ns)
		return due_ns;
	session__write_numbered(session);
	return due_ns + session->options->snapshot_every_ns;
}

static struct timespec time_until(uint64_t then_ns, uint64_t now_ns)
{
	uint64_t left = then_ns > now_ns ? then_ns - now_ns : 0;

	return (struct timespec){ left / 1000000000ULL, left % 1000000000ULL };
}

#define LOOK_NS 100000000ULL	/* for the first that is selected */

/* Waits until `deadline_ns`; true: it is time to end, for a signal, the targets' end or because
 * nobody reads our output any more. */
static bool wait_until(struct session *session, uint64_t deadline_ns)
{
	struct pollfd fds[] = {
		{ .fd = collector__fd(session->collector), .events = POLLIN },
		{ .fd = session->requests, .events = POLLIN },
		{ .fd = session->ending, .events = POLLIN },
		{ .fd = STDOUT_FILENO },	/* POLLERR: a pipe without a reader */
	};

	/* Also where reports take longer than the interval: at least one look. */
	for (;;) {
		uint64_t now = clock_ns(CLOCK_MONOTONIC);
		struct timespec timeout;

		session->snapshot_ns = write_due(session, session->snapshot_ns, now);
		timeout = time_until(session->snapshot_ns < deadline_ns ? session->snapshot_ns :
									  deadline_ns, now);
		if (session->waits && (timeout.tv_sec || timeout.tv_nsec > (long)LOOK_NS))
			timeout = (struct timespec){ .tv_nsec = LOOK_NS };
		if (ppoll(fds, 4, &timeout, NULL) < 0 && errno != EINTR)
			return true;
		if (fds[0].revents)
			collector__handle_events(session->collector);
		waiting__look(session);
		if (session__report_exited(session))
			return true;
		if (fds[1].revents)
			signals__answer(session);
		if (fds[2].revents)
			return true;
		if (fds[3].revents & (POLLERR | POLLHUP) || collector__ended(session->collector))
			return true;
		if (now >= deadline_ns)
			return false;
	}
}

/* When the first report is due, after the beginning. */
static uint64_t first_report(const struct options *options)
{
	bool waited_for = options->format == FORMAT_TEXT && !options->count &&
			  !options->duration_ns && !options->min_age_ns && isatty(STDOUT_FILENO);

	return waited_for && options->interval_ns > FIRST_REPORT_NS ? FIRST_REPORT_NS :
								      options->interval_ns;
}

int session__run(struct session *session)
{
	const struct options *options = session->options;
	uint64_t next = clock_ns(CLOCK_MONOTONIC);
	uint64_t end = options->duration_ns ? next + options->duration_ns : ~0ULL;
	bool last = false;
	int err = 0, written;

	session->snapshot_ns = options->snapshot_every_ns ? next + options->snapshot_every_ns :
							    ~0ULL;
	if (options->diff)
		err = session__snapshot(session, false, false, &session->last);
	while (!last && !err) {
		if (options->diff)
			next = end;
		else
			next += session->nreports ? options->interval_ns : first_report(options);
		last = wait_until(session, next < end ? next : end) || next >= end;
		last = last || (options->count && session->nreports + 1 >= options->count);
		if (last) {	/* of those that ended while others were reported, too */
			collector__handle_events(session->collector);
			session__report_exited(session);
		}
		err = session__report(session);
		if (options->block && err == -ENOENT && !last)
			err = 0;	/* it may come yet */
		if (options->output && err == session->out_err && err != -EPIPE)
			err = 0;	/* the snapshot is worth going on */
	}
	written = session__write_last(session);
	if (!err || err == -EPIPE)
		err = written ? written : session->out_err;
	if (!err && options->command)
		custom_allocators__warn(options->allocators);
	return err == -EPIPE ? 0 : err;	/* the reader has seen enough */
}
