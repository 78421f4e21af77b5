// SPDX-License-Identifier: GPL-2.0-or-later
/* What can be asked of a session, at any moment. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "report/block.h"
#include "session/parts.h"
#include "snapshot/pprof.h"
#include "process/process.h"

/* VmRSS and VmHWM, proc_pid_status(5): the latter since we were started, in bytes; 0: not known. */
static void own_memory(uint64_t *resident, uint64_t *peak)
{
	FILE *status = fopen("/proc/self/status", "re");
	unsigned long long kib;
	char line[256];

	*resident = *peak = 0;
	while (status && fgets(line, sizeof(line), status)) {
		if (sscanf(line, "VmRSS: %llu kB", &kib) == 1)
			*resident = kib << 10;
		else if (sscanf(line, "VmHWM: %llu kB", &kib) == 1)
			*peak = kib << 10;
	}
	if (status)
		fclose(status);
}

static uint64_t size_at_fork(void *context, pid_t pid)
{
	const struct session *session = context;

	return collector__size_at_fork(session->collector, pid);
}

int session__begin_coverage(struct session *session)
{
	coverage__free(session->coverage);
	session->coverage = coverage__new(&session->followed, size_at_fork, session);
	return session->coverage ? 0 : -ENOMEM;
}

int session__snapshot(struct session *session, bool ages, bool own,
		      struct snapshot **out)
{
	struct snapshot *snapshot = NULL;
	int err = collector__snapshot(session->collector, ages, &snapshot);

	if (!err && session->coverage)
		err = coverage__measure(session->coverage, snapshot);
	if (!err)
		err = symbolizer__name_all(session->symbolizer, session->names);
	if (!err)
		snapshot->lost[LOST_LIMITS] += symbolizer__cut(session->symbolizer);
	/* Of it all, names take most. */
	if (!err && own) {
		own_memory(&snapshot->own_rss, &snapshot->own_peak);
		snapshot->own_kernel = collector__memory(session->collector);
	}
	if (err) {
		log__error("cannot read the tracked allocations: %s", strerror(-err));
		snapshot__free(snapshot);
		return err;
	}
	*out = snapshot;
	return 0;
}

static int report_books(struct session *session)
{
	const struct options *options = session->options;
	bool all = options->format == FORMAT_JSON || options->output;
	struct snapshot *snapshot = NULL;
	int err = session__snapshot(session, all || options->report.detail,
				    all || options->report.own_memory, &snapshot);

	if (err)
		return err;
	session->report.pair_ns = price__of_pair(session->price);
	if (!session->out_err)
		err = report__print(session->out, options->format, snapshot, session->last,
				    &session->report, &session->kept);
	snapshot__free(session->last);
	session->last = snapshot;
	collector__forget_killed(session->collector);
	if (options->reset_peak)
		collector__reset_peak(session->collector);
	return err;
}

static int report_block(struct session *session)
{
	const struct options *options = session->options;
	struct collected_block found;
	struct report_block block;
	char comm[16];
	int err = collector__find_block(session->collector, options->block, &found);

	if (err == -ENOENT) {
		log__error("no block at 0x%llx is tracked: it was allocated before tracing "
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
		.view = found.view,
	};
	return report__block(session->out, options->format, session->names, &block, &session->report);
}

int session__report(struct session *session)
{
	bool of_block = session->options->block;
	int err = of_block ? report_block(session) : report_books(session);

	session->nreports++;
	if (err && session->out_err)
		err = session->out_err;
	if (err && err != -EPIPE && err != -ENOENT)
		log__error("cannot write the report: %s", strerror(-err));
	return err;
}

int session__report_exited(struct session *session)
{
	const struct options *options = session->options;
	struct statistics *kept = NULL;
	struct snapshot *snapshot;
	int err = 0;

	while (!err && collector__take_exited(session->collector, &snapshot) > 0) {
		err = symbolizer__name_all(session->symbolizer, session->names);
		if (!err && !session->out_err)
			err = report__print(session->out, options->format, snapshot, NULL,
					    &session->report, &kept);
		snapshot__free(snapshot);
	}
	statistics__free(kept);
	return err;
}

/* The oldest of more than --keep goes. */
static void drop_numbered(const struct session *session, const char *output)
{
	unsigned int keep = session->options->keep;
	char *path;

	if (!keep || session->nsnapshots <= keep)
		return;
	path = pprof__numbered_path(output, session->nsnapshots - keep);
	if (path && unlink(path) && errno != ENOENT)
		log__warn("cannot remove %s: %s", path, strerror(errno));
	free(path);
}

void session__write_numbered(struct session *session)
{
	const char *output = session->options->output ? session->options->output :
							"memtracebpf.pb.gz";
	char *path = pprof__numbered_path(output, ++session->nsnapshots);
	struct snapshot *snapshot = NULL;

	if (!path)
		log__error("no memory for a snapshot");
	else if (!session__snapshot(session, true, true, &snapshot) &&
		 !pprof__write(snapshot, path)) {
		log__info("wrote %s", path);
		drop_numbered(session, output);
	}
	snapshot__free(snapshot);
	free(path);
}

int session__write_last(struct session *session)
{
	const char *output = session->options->output;
	int err;

	if (!output || !session->last)
		return 0;
	err = pprof__write(session->last, output);
	if (!err)
		log__info("wrote %s", output);
	return err;
}
