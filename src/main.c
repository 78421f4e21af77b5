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
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/privilege.h"
#include "cli/cli.h"
#include "collect/collect.h"
#include "commands/commands.h"
#include "doctor/doctor.h"
#include "probe/probe.h"
#include "report/block.h"
#include "report/report.h"
#include "snapshot/pprof.h"
#include "target/launch.h"
#include "target/target.h"

struct tracing {
	struct options options;
	struct names *names;
	struct symbolizer *symbolizer;
	struct collector *collector;
	struct launch launch;
	struct snapshot *last;	/* of the previous report */
	struct statistics *kept; /* the same */
	uint64_t nreports;
	unsigned int nsnapshots; /* written for SIGUSR1 */
	int signals;		/* signalfd of the signals below */
};

static const int signals[] = { SIGINT, SIGTERM, SIGUSR1, SIGUSR2 };

#define MANY_FILES 16384

/*
 * Every mapped file stays open, so that it has names when it is gone. The kernel makes room for them
 * now: where there are threads it waits for a grace period to do so (fs/file.c, expand_fdtable()),
 * which would be when a new file is to be attached to.
 */
static void allow_many_files(void)
{
	struct rlimit limit;
	int fd;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, MANY_FILES);
	if (fd >= 0)
		close(fd);
}

static int open_tracing(struct tracing *tracing)
{
	const struct options *options = &tracing->options;
	struct collect_opts opts = {
		.max_blocks = options->max_blocks,
		.max_stacks = options->max_stacks,
		.nframe = options->nframe,
		.min_age_ns = options->min_age_ns,
		.usable = options->format == FORMAT_TREE || options->output,
		.sample_bytes = options->sample_bytes,
		.no_blocks = options->domains == DOMAIN_MMAP,
		.regions = options->domains != DOMAIN_HEAP,
		.nprocesses = options->npids,
		.everything = options->everything,
		.comms = options->comms,
		.ncomms = options->ncomms,
		.cgroups = options->cgroups,
		.ncgroups = options->ncgroups,
		.users = options->users,
		.nusers = options->nusers,
		.follow_fork = options->follow_fork,
		.leaks_at_exit = options->leaks_at_exit,
		.custom = options->allocators,
	};
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaddset(&set, signals[i]);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);	/* a reader that has gone is an error of the stream */
	tracing->signals = signalfd(-1, &set, SFD_CLOEXEC);
	tracing->names = names__new();
	tracing->symbolizer = symbolizer__new();
	if (tracing->signals < 0 || !tracing->names || !tracing->symbolizer)
		return -ENOMEM;
	return collector__new(&opts, tracing->names, tracing->symbolizer, &tracing->collector);
}

static void close_tracing(struct tracing *tracing)
{
	collector__free(tracing->collector);
	launch__end(&tracing->launch);
	symbolizer__free(tracing->symbolizer);
	statistics__free(tracing->kept);
	snapshot__free(tracing->last);
	names__free(tracing->names);
	if (tracing->signals > 0)
		close(tracing->signals);
}

/* Passes the error on, after a sentence about COMMAND. */
static int starts(const struct options *options, int err)
{
	if (err)
		log__error("cannot start %s: %s", options->command[0], strerror(-err));
	return err;
}

static int add_targets(struct tracing *tracing)
{
	const struct options *options = &tracing->options;
	int err = 0;

	if (options->command)
		err = starts(options, launch__prepare(options->command, &tracing->launch));
	allow_many_files();	/* after the fork: what we start keeps its limit */
	for (size_t i = 0; i < options->npids; i++) {
		err = collector__add_process(tracing->collector, options->pids[i]);
		if (err)
			return err;
	}
	if (!err)
		err = collector__add_machine(tracing->collector);
	if (!err && options->command)
		err = starts(options, collector__add_child(tracing->collector,
							   tracing->launch.pid));
	return err;
}

/* Counting goes on, then what we started goes off. */
static int start(struct tracing *tracing)
{
	char *const *command = tracing->options.command;
	int err;

	collector__start(tracing->collector);
	if (!command) {
		log__info("tracing %s", collector__title(tracing->collector));
		custom_allocators__warn(tracing->options.allocators);
		return 0;
	}
	err = launch__go(&tracing->launch);
	if (err) {
		log__error("cannot run %s: %s; give the path of a program, or its name if it is "
			   "in PATH", command[0], strerror(-err));
		return err;
	}
	log__info("tracing %s (%d)", command[0], tracing->launch.pid);
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

/* The books as a snapshot with names; with ages and our own memory, which are dear, if asked. */
static int take_snapshot(struct tracing *tracing, bool ages, bool own_memory,
			 struct snapshot **snapshot)
{
	int err = collector__snapshot(tracing->collector, ages, snapshot);

	if (!err && own_memory) {
		(*snapshot)->own_rss = resident_memory();
		(*snapshot)->own_kernel = collector__memory(tracing->collector);
	}
	if (!err)
		err = symbolizer__name_all(tracing->symbolizer, tracing->names);
	if (err)
		log__error("cannot read the books: %s", strerror(-err));
	return err;
}

static int report_books(struct tracing *tracing)
{
	const struct options *options = &tracing->options;
	bool all = options->format == FORMAT_JSON || options->output;
	struct snapshot *snapshot = NULL;
	int err = take_snapshot(tracing, all || options->report.detail,
				all || options->report.own_memory, &snapshot);

	if (err)
		return err;
	err = report__print(stdout, options->format, snapshot, tracing->last, &options->report,
			    &tracing->kept);
	snapshot__free(tracing->last);
	tracing->last = snapshot;
	if (options->reset_peak)
		collector__reset_peak(tracing->collector);
	return err;
}

static int report_block(struct tracing *tracing)
{
	const struct options *options = &tracing->options;
	struct collected_block found;
	struct report_block block;
	char comm[16];
	int err = collector__find_block(tracing->collector, options->block, &found);

	if (err == -ENOENT) {
		log__error("no block at 0x%llx is in the books: it was allocated before tracing "
			   "began, or freed", (unsigned long long)options->block);
		return err;
	}
	if (!err)
		err = symbolizer__name_all(tracing->symbolizer, tracing->names);
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
	return report__block(stdout, options->format, tracing->names, &block, &options->report);
}

static int report(struct tracing *tracing)
{
	bool of_block = tracing->options.block;
	int err = of_block ? report_block(tracing) : report_books(tracing);

	tracing->nreports++;
	if (err && err != -EPIPE && err != -ENOENT)
		log__error("cannot write the report: %s", strerror(-err));
	return err;
}

/* SIGUSR1: one more file. That it cannot be written does not end the tracing. */
static void write_numbered(struct tracing *tracing)
{
	const char *output = tracing->options.output;
	char *path = pprof__numbered_path(output ? output : "memtracebpf.pb.gz",
					  ++tracing->nsnapshots);
	struct snapshot *snapshot = NULL;

	if (!path)
		log__error("no memory for a snapshot");
	else if (!take_snapshot(tracing, true, true, &snapshot) && !pprof__write(snapshot, path))
		log__info("wrote %s", path);
	snapshot__free(snapshot);
	free(path);
}

/* SIGUSR2: tracemalloc's clear_traces(). */
static void clear(struct tracing *tracing)
{
	int err = collector__clear(tracing->collector);

	if (err)
		log__error("cannot clear the books: %s", strerror(-err));
	else
		log__info("forgot all books, counting anew");
	snapshot__free(tracing->last);
	tracing->last = NULL;
}

/* False: it is a signal to end. */
static bool handle_signal(struct tracing *tracing)
{
	struct signalfd_siginfo info;

	if (read(tracing->signals, &info, sizeof(info)) != sizeof(info))
		return true;
	if (info.ssi_signo == SIGUSR1)
		write_numbered(tracing);
	else if (info.ssi_signo == SIGUSR2)
		clear(tracing);
	else
		return false;
	return true;
}

/* What processes that have ended still held. */
static int report_exited(struct tracing *tracing)
{
	const struct options *options = &tracing->options;
	struct statistics *kept = NULL;
	struct snapshot *snapshot;
	int err = 0;

	while (!err && collector__take_exited(tracing->collector, &snapshot) > 0) {
		err = symbolizer__name_all(tracing->symbolizer, tracing->names);
		if (!err)
			err = report__print(stdout, options->format, snapshot, NULL,
					    &options->report, &kept);
		snapshot__free(snapshot);
	}
	statistics__free(kept);
	return err;
}

/* Waits until `deadline_ns`; true: it is time to end, for a signal, the targets' end or because
 * nobody reads our output any more. */
static bool wait_until(struct tracing *tracing, uint64_t deadline_ns)
{
	struct pollfd fds[] = {
		{ .fd = collector__fd(tracing->collector), .events = POLLIN },
		{ .fd = tracing->signals, .events = POLLIN },
		{ .fd = STDOUT_FILENO },	/* POLLERR: a pipe without a reader */
	};

	/* Also where reports take longer than the interval: at least one look. */
	for (;;) {
		uint64_t now = clock_ns(CLOCK_MONOTONIC);
		uint64_t left = deadline_ns > now ? deadline_ns - now : 0;
		struct timespec timeout = { left / 1000000000ULL, left % 1000000000ULL };

		if (ppoll(fds, 3, &timeout, NULL) < 0 && errno != EINTR)
			return true;
		if (fds[0].revents)
			collector__handle_events(tracing->collector);
		if (report_exited(tracing))
			return true;
		if (fds[1].revents && !handle_signal(tracing))
			return true;
		if (fds[2].revents & (POLLERR | POLLHUP) || collector__ended(tracing->collector))
			return true;
		if (!left)
			return false;
	}
}

static int run(struct tracing *tracing)
{
	const struct options *options = &tracing->options;
	uint64_t next = clock_ns(CLOCK_MONOTONIC);
	uint64_t end = options->duration_ns ? next + options->duration_ns : ~0ULL;
	bool last = false;
	int err = 0;

	while (!last && !err) {
		next += options->interval_ns;
		last = wait_until(tracing, next < end ? next : end) || next >= end;
		last = last || (options->count && tracing->nreports + 1 >= options->count);
		if (last) {	/* of those that ended while others were reported, too */
			collector__handle_events(tracing->collector);
			report_exited(tracing);
		}
		err = report(tracing);
		if (options->block && err == -ENOENT && !last)
			err = 0;	/* it may come yet */
	}
	/* That nobody reads the reports is no reason to lose the snapshot. */
	if ((!err || err == -EPIPE) && options->output && tracing->last) {
		err = pprof__write(tracing->last, options->output);
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
	err = probes__check(options->allocators);
	return err ? err : privilege__check();
}

static int trace(struct tracing *tracing)
{
	int err = check_targets(&tracing->options);

	if (!err)
		err = open_tracing(tracing);
	if (!err)
		err = add_targets(tracing);
	if (!err)
		err = start(tracing);
	if (!err)
		err = run(tracing);
	if (!err && tracing->options.command)
		custom_allocators__warn(tracing->options.allocators);
	close_tracing(tracing);
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

static int run_command(struct tracing *tracing)
{
	const struct options *options = &tracing->options;

	switch (options->mode) {
	case COMMAND_TRACE:
		return trace(tracing);
	case COMMAND_DOCTOR:
		return doctor__run(options->pids, options->npids, options->format == FORMAT_JSON);
	default:
		return commands__run(options);
	}
}

int main(int argc, char **argv)
{
	struct tracing tracing = {};
	enum cli_result parsed;
	int err = 0;

	occupy_standard_streams();
	parsed = cli__parse(argc, argv, &tracing.options);
	log__set_verbose(tracing.options.verbose);
	tracing.options.report.own_memory = tracing.options.verbose;
	if (parsed == CLI_RUN)
		err = run_command(&tracing);
	cli__free(&tracing.options);
	if (parsed == CLI_USAGE)
		return CLI_EXIT_USAGE;
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}
