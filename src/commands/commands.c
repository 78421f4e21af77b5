// SPDX-License-Identifier: GPL-2.0-or-later
#include "commands/commands.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "base/log.h"
#include "process/root.h"
#include "process/view.h"
#include "report/source.h"
#include "snapshot/pprof.h"

/* Source files are read as the user who runs us could read them: a snapshot may name any. */
static struct sources *open_sources(struct roots *roots)
{
	struct view *view = roots ? view__of_caller(roots) : NULL;
	struct sources *sources = view ? sources__new(view) : NULL;

	view__release(view);
	return sources;
}

static int print(const struct options *options, const struct snapshot *snapshot,
		 const struct snapshot *old)
{
	struct roots *roots = options->no_source ? NULL : roots__new();
	struct report_opts report = options->report;
	struct statistics *kept = NULL;
	int err;

	report.sources = open_sources(roots);
	err = report__print(stdout, options->format, snapshot, old, &report, &kept);
	sources__free(report.sources);
	roots__free(roots);
	statistics__free(kept);
	if (err == -EPIPE)	/* the reader has seen enough */
		return 0;
	if (err)
		log__error("cannot write the report: %s", strerror(-err));
	return err;
}

int commands__run(const struct options *options)
{
	struct snapshot *first = NULL, *second = NULL;
	/* One for both: what is equal has equal pointers. */
	struct names *names = names__new();
	int err;

	if (!names) {
		log__error("no memory");
		return -ENOMEM;
	}
	signal(SIGPIPE, SIG_IGN);
	err = pprof__read(options->files[0], names, &first);
	if (!err && options->mode == COMMAND_DIFF)
		err = pprof__read(options->files[1], names, &second);
	if (!err)
		err = second ? print(options, second, first) : print(options, first, NULL);
	snapshot__free(second);
	snapshot__free(first);
	names__free(names);
	return err;
}
