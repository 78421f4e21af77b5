// SPDX-License-Identifier: GPL-2.0-or-later
/* Arguments in, reports out: puts the rooms together and keeps the time. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/privilege.h"
#include "cli/cli.h"
#include "collect/collect.h"
#include "commands/commands.h"
#include "report/block.h"
#include "report/report.h"
#include "snapshot/pprof.h"
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
	unsigned int nsnapshots; /* written for SIGUSR1 */
	int signals;		/* signalfd of the signals below */
};

static const int signals[] = { SIGINT, SIGTERM, SIGUSR1, SIGUSR2 };

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

/* Every mapped file stays open, so that it has names when it is gone. */
static void allow_many_files(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static int open_session(struct session *session)
{
	const struct options *options = &session->options;
	struct collect_opts opts = {
		.max_blocks = options->max_blocks,
		.max_stacks = options->max_stacks,
		.nframe = options->nframe,
		.min_age_ns = options->min_age_ns,
		.usable = options->format == FORMAT_TREE || options->output,
		.nprocesses = options->npids,
	};
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaddset(&set, signals[i]);
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
	if (session->signals > 0)
		close(session->signals);
}

static int add_targets(struct session *session)
{
	const struct options *options = &session->options;
	int err = 0;

	if (options->command)
		err = launch__prepare(options->command, &session->launch);
	allow_many_files();	/* after the fork: what we start keeps its limit */
	for (size_t i = 0; i < options->npids; i++) {
		err = collector__add_process(session->collector, options->pids[i]);
		if (err)
			return err;
	}
	if (!options->command)
		return 0;
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
		log__error("cannot run %s: %s; give the path of a program, or its name if it is "
			   "in PATH", command[0], strerror(-err));
		return err;
	}
	log__info("tracing %s (%d)", command[0], session->launch.pid);
	return 0;
}

static uint64_t resident_memory(void)
{
	unsigned long long size, resident = 0;
	FILE *statm = fopen("/proc/self/statm", "re");

	if (statm && fscanf(statm, "%llu %llu", &size, &resident) != 2)
		resident = 0;
	if (statm)
		fclose(statm);
	return resident * sysconf(_SC_PAGESIZE);
}

/* The books as a snapshot with names. */
static int take_snapshot(struct session *session, bool ages, struct snapshot **snapshot)
{
	int err = collector__snapshot(session->collector, ages, snapshot);

	if (!err) {
		(*snapshot)->own_rss = resident_memory();
		(*snapshot)->own_kernel = collector__memory(session->collector);
	}
	if (!err)
		err = symbolizer__name_all(session->symbolizer, session->names);
	if (err)
		log__error("cannot read the books: %s", strerror(-err));
	return err;
}

static int report_books(struct session *session)
{
	const struct options *options = &session->options;
	bool ages = options->report.detail || options->format == FORMAT_JSON || options->output;
	struct snapshot *snapshot = NULL;
	int err = take_snapshot(session, ages, &snapshot);

	if (err)
		return err;
	err = report__print(stdout, options->format, snapshot, session->last, &options->report);
	snapshot__free(session->last);
	session->last = snapshot;
	if (options->reset_peak)
		collector__reset_peak(session->collector);
	return err;
}

static int report_block(struct session *session)
{
	const struct options *options = &session->options;
	struct collected_block found;
	struct report_block block;
	char comm[16];
	int err = collector__find_block(session->collector, options->block, &found);

	if (err == -ENOENT) {
		log__error("no block at 0x%llx is in the books: it was allocated before tracing "
			   "began, or freed", (unsigned long long)options->block);
		return err;
	}
	if (!err)
		err = symbolizer__name_all(session->symbolizer, session->names);
	if (err) {
		log__error("cannot look for the block: %s", strerror(-err));
		return err;
	}
	target__comm(found.pid, comm);
	block = (struct report_block){
		.pid = found.pid,
		.comm = comm,
		.address = found.address,
		.size = found.size,
		.age_ns = found.age_ns,
		.stack = found.stack,
	};
	return report__block(stdout, options->format, session->names, &block, &options->report);
}

static int report(struct session *session)
{
	bool of_block = session->options.block;
	int err = of_block ? report_block(session) : report_books(session);

	session->nreports++;
	if (err && err != -EPIPE && err != -ENOENT)
		log__error("cannot write the report: %s", strerror(-err));
	return err;
}

/* SIGUSR1: one more file. That it cannot be written does not end the tracing. */
static void write_numbered(struct session *session)
{
	const char *output = session->options.output;
	char *path = pprof__numbered_path(output ? output : "memtracebpf.pb.gz",
					  ++session->nsnapshots);
	struct snapshot *snapshot = NULL;

	if (!path)
		log__error("no memory for a snapshot");
	else if (!take_snapshot(session, true, &snapshot) && !pprof__write(snapshot, path))
		log__info("wrote %s", path);
	snapshot__free(snapshot);
	free(path);
}

/* SIGUSR2: tracemalloc's clear_traces(). */
static void clear(struct session *session)
{
	int err = collector__clear(session->collector);

	if (err)
		log__error("cannot clear the books: %s", strerror(-err));
	else
		log__info("forgot all books, counting anew");
	snapshot__free(session->last);
	session->last = NULL;
}

/* False: it is a signal to end. */
static bool handle_signal(struct session *session)
{
	struct signalfd_siginfo info;

	if (read(session->signals, &info, sizeof(info)) != sizeof(info))
		return true;
	if (info.ssi_signo == SIGUSR1)
		write_numbered(session);
	else if (info.ssi_signo == SIGUSR2)
		clear(session);
	else
		return false;
	return true;
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
		if (fds[1].revents && !handle_signal(session))
			return true;
		if (fds[2].revents & (POLLERR | POLLHUP) || collector__ended(session->collector))
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
		if (options->block && err == -ENOENT && !last)
			err = 0;	/* it may come yet */
	}
	/* That nobody reads the reports is no reason to lose the snapshot. */
	if ((!err || err == -EPIPE) && options->output && session->last) {
		err = pprof__write(session->last, options->output);
		if (!err)
			log__info("wrote %s", options->output);
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

static int trace(struct session *session)
{
	int err = check_targets(&session->options);

	if (!err)
		err = open_session(session);
	if (!err)
		err = add_targets(session);
	if (!err)
		err = start(session);
	if (!err)
		err = run(session);
	close_session(session);
	return err == -EPIPE ? 0 : err;		/* the reader has seen enough */
}

/* Of what we open, nothing may become the stdout that we were started without. */
static void occupy_standard_streams(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && fd <= STDERR_FILENO);
	close(fd);
}

int main(int argc, char **argv)
{
	struct session session = {};
	enum cli_result parsed;
	int err = 0;

	occupy_standard_streams();
	parsed = cli__parse(argc, argv, &session.options);
	log__set_verbose(session.options.verbose);
	session.options.report.own_memory = session.options.verbose;
	if (parsed == CLI_RUN)
		err = session.options.mode == COMMAND_TRACE ? trace(&session) :
							      commands__run(&session.options);
	cli__free(&session.options);
	if (parsed == CLI_USAGE)
		return CLI_EXIT_USAGE;
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}
