// SPDX-License-Identifier: GPL-2.0-or-later
/* Arguments in, reports out: puts the rooms together and keeps the time. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/privilege.h"
#include "cli/cli.h"
#include "collect/collect.h"
#include "report/report.h"
#include "target/launch.h"
#include "target/target.h"

struct session {
	struct options options;
	struct names *names;
	struct symbolizer *symbolizer;
	struct collector *collector;
	struct launch launch;
	struct snapshot *last;	/* of the previous report */
	uint64_t nreports;
	int signals;		/* signalfd of SIGINT and SIGTERM */
};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

static int open_session(struct session *session)
{
	const struct options *options = &session->options;
	struct collect_opts opts = {
		.max_blocks = options->max_blocks,
		.max_stacks = options->max_stacks,
		.nframe = options->nframe,
		.min_age_ns = options->min_age_ns,
		.nprocesses = options->npids,
	};
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);	/* a reader that has gone is an error of the stream */
	session->signals = signalfd(-1, &set, SFD_CLOEXEC);
	session->names = names__new();
	session->symbolizer = symbolizer__new();
	if (session->signals < 0 || !session->names || !session->symbolizer)
		return -ENOMEM;
	return collector__new(&opts, session->names, session->symbolizer, &session->collector);
}

static void close_session(struct session *session)
{
	collector__free(session->collector);
	launch__end(&session->launch);
	symbolizer__free(session->symbolizer);
	snapshot__free(session->last);
	names__free(session->names);
	cli__free(&session->options);
	if (session->signals > 0)
		close(session->signals);
}

static int add_targets(struct session *session)
{
	const struct options *options = &session->options;
	int err;

	for (size_t i = 0; i < options->npids; i++) {
		err = collector__add_process(session->collector, options->pids[i]);
		if (err)
			return err;
	}
	if (!options->command)
		return 0;
	err = launch__prepare(options->command, &session->launch);
	if (!err)
		err = collector__add_child(session->collector, session->launch.pid);
	if (err)
		log__error("cannot start %s: %s", options->command[0], strerror(-err));
	return err;
}

/* Counting goes on, then what we started goes off. */
static int start(struct session *session)
{
	char *const *command = session->options.command;
	int err;

	collector__start(session->collector);
	if (!command) {
		log__info("tracing %s", collector__title(session->collector));
		return 0;
	}
	err = launch__go(&session->launch);
	if (err) {
		log__error("cannot run %s: %s", command[0], strerror(-err));
		return err;
	}
	log__info("tracing %s (%d)", command[0], session->launch.pid);
	return 0;
}

static int report(struct session *session)
{
	const struct report_opts *opts = &session->options.report;
	struct snapshot *snapshot;
	int err = collector__snapshot(session->collector, &snapshot);

	if (!err)
		err = symbolizer__name_all(session->symbolizer, session->names);
	if (err) {
		log__error("cannot read the books: %s", strerror(-err));
		return err;
	}
	if (session->options.format == FORMAT_JSON)
		err = report__json(stdout, snapshot, session->last, opts);
	else
		err = report__text(stdout, snapshot, session->last, opts);
	snapshot__free(session->last);
	session->last = snapshot;
	session->nreports++;
	return err;
}

/* Waits until `deadline_ns`; true: it is time to end, for a signal, the targets' end or because
 * nobody reads our output any more. */
static bool wait_until(struct session *session, uint64_t deadline_ns)
{
	struct pollfd fds[] = {
		{ .fd = collector__fd(session->collector), .events = POLLIN },
		{ .fd = session->signals, .events = POLLIN },
		{ .fd = STDOUT_FILENO },	/* POLLERR: a pipe without a reader */
	};

	for (;;) {
		uint64_t now = now_ns();
		struct timespec left = {};

		if (now >= deadline_ns)
			return false;
		left.tv_sec = (deadline_ns - now) / 1000000000ULL;
		left.tv_nsec = (deadline_ns - now) % 1000000000ULL;
		if (ppoll(fds, 3, &left, NULL) < 0 && errno != EINTR)
			return true;
		if (fds[0].revents)
			collector__handle_events(session->collector);
		if (fds[1].revents || fds[2].revents & (POLLERR | POLLHUP) ||
		    collector__ended(session->collector))
			return true;
	}
}

static int run(struct session *session)
{
	const struct options *options = &session->options;
	uint64_t next = now_ns(), end = options->duration_ns ? next + options->duration_ns : ~0ULL;
	bool last = false;
	int err = 0;

	while (!last && !err) {
		next += options->interval_ns;
		last = wait_until(session, next < end ? next : end) || next >= end;
		last = last || (options->count && session->nreports + 1 >= options->count);
		err = report(session);
	}
	return err;
}

/* Is there a process to look at, and may we? */
static int check_targets(const struct options *options)
{
	int err;

	for (size_t i = 0; i < options->npids; i++) {
		err = target__check(options->pids[i]);
		if (err)
			return err;
	}
	return privilege__check();
}

int main(int argc, char **argv)
{
	struct session session = {};
	enum cli_result parsed = cli__parse(argc, argv, &session.options);
	int err = 0;

	if (parsed == CLI_RUN) {
		log__set_verbose(session.options.verbose);
		err = check_targets(&session.options);
		if (!err)
			err = open_session(&session);
		if (!err)
			err = add_targets(&session);
		if (!err)
			err = start(&session);
		if (!err)
			err = run(&session);
	}
	close_session(&session);
	if (parsed == CLI_USAGE)
		return CLI_EXIT_USAGE;
	return err && err != -EPIPE ? EXIT_FAILURE : EXIT_SUCCESS;
}
