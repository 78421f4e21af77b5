// SPDX-License-Identifier: GPL-2.0-or-later
#include "session/session.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/log.h"
#include "base/privilege.h"
#include "probe/probe.h"
#include "process/process.h"
#include "report/source.h"
#include "session/parts.h"
#include "snapshot/pprof.h"

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

/* Is there a process to look at, and may we? */
static int check_targets(const struct options *options)
{
	int err = process__check_proc();

	for (size_t i = 0; !err && i < options->npids; i++)
		err = target__check(options->pids[i]);
	if (!err)
		err = probes__check(options->allocators);
	return err ? err : privilege__check();
}

static bool outlives_first_thread(const struct options *options)
{
	for (size_t i = 0; i < options->npids; i++)
		if (target__thread(options->pids[i]) != options->pids[i])
			return true;
	return false;
}

static int open_parts(struct session *session)
{
	const struct options *options = session->options;
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
		.first_thread_ended = outlives_first_thread(options),
		.follow_fork = options->follow_fork,
		.leaks_at_exit = options->leaks_at_exit,
		.custom = options->allocators,
	};

	session->names = names__new();
	session->roots = roots__new();
	session->symbolizer = session->roots ? symbolizer__new(session->roots) : NULL;
	session->report = options->report;
	if (!options->no_source)
		session->report.sources = sources__new(NULL);
	if (!session->names || !session->symbolizer || output__open(session) ||
	    (!options->no_source && !session->report.sources)) {
		log__error("no memory");
		return -ENOMEM;
	}
	return collector__new(&opts, session->names, session->roots, session->symbolizer,
			      &session->collector);
}

int session__free(struct session *session)
{
	int status;

	if (!session)
		return 0;
	/* From now on a signal ends us at once. */
	__atomic_store_n(&session->phase, SESSION_ENDS, __ATOMIC_SEQ_CST);
	price__free(session->price);
	coverage__free(session->coverage);
	collector__free(session->collector);
	status = launch__end(&session->launch);
	symbolizer__free(session->symbolizer);
	statistics__free(session->kept);
	snapshot__free(session->last);
	sources__free(session->report.sources);
	names__free(session->names);
	roots__free(session->roots);
	signals__close(session);
	if (session->out)
		fclose(session->out);
	free(session);
	return status;
}

/* Passes the error on, after a sentence about COMMAND. */
static int starts(const struct options *options, int err)
{
	if (err)
		log__error("cannot start %s: %s", options->command[0], strerror(-err));
	return err;
}

/* What we start keeps its signals and limits. */
static int prepare(struct session *session)
{
	const struct options *options = session->options;
	int err = 0;

	if (options->command)
		err = starts(options, launch__prepare(options->command, &session->launch));
	if (!err)
		err = signals__open(session);
	if (!err)
		allow_many_files();
	return err;
}

static int add_targets(struct session *session)
{
	const struct options *options = session->options;
	int err = 0;

	for (size_t i = 0; i < options->npids; i++) {
		err = collector__add_process(session->collector, options->pids[i]);
		if (err)
			return err;
	}
	if (!err)
		err = collector__add_machine(session->collector);
	if (!err && options->command)
		err = starts(options, collector__add_child(session->collector,
							   session->launch.pid));
	return err;
}

static void set_followed(struct session *session)
{
	const struct options *options = session->options;

	session->followed = (struct followed){
		.pids = options->command ? &session->launch.pid : options->pids,
		.npids = options->command ? 1 : options->npids,
		.everything = options->everything,
		.comms = options->comms,
		.ncomms = options->ncomms,
		.cgroups = options->cgroups,
		.ncgroups = options->ncgroups,
		.users = options->users,
		.nusers = options->nusers,
		.follow_fork = options->follow_fork,
		.mappings = options->domains != DOMAIN_HEAP,
	};
}

/* Counting goes on, then what we started goes off. */
static int start(struct session *session)
{
	char *const *command = session->options->command;
	int err;

	set_followed(session);
	err = session__begin_coverage(session);
	if (err) {
		log__error("no memory");
		return err;
	}
	if (process__in_container())
		log__info("pids are those of this container");
	collector__start(session->collector);
	__atomic_store_n(&session->phase, SESSION_RUNS, __ATOMIC_SEQ_CST);
	if (!command) {
		log__info("tracing %s", collector__title(session->collector));
		custom_allocators__warn(session->options->allocators);
		waiting__begin(session);
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

int session__new(const struct options *options, struct session **out)
{
	struct session *session = calloc(1, sizeof(*session));
	int err;

	if (!session) {
		log__error("no memory");
		return -ENOMEM;
	}
	session->options = options;
	session->requests = session->ending = -1;
	err = check_targets(options);
	if (!err && options->output)
		err = pprof__try(options->output);
	if (!err)
		err = prepare(session);
	if (!err)
		err = open_parts(session);
	if (!err)
		err = add_targets(session);
	if (!err)
		err = start(session);
	if (!err && options->format == FORMAT_TEXT && !options->block)
		session->price = price__measure();
	*out = session;
	return err;
}
