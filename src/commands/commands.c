// SPDX-License-Identifier: GPL-2.0-or-later
#include "commands/commands.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "base/log.h"
#include "snapshot/pprof.h"

static int print(const struct options *options, const struct snapshot *snapshot,
		 const struct snapshot *old)
{
	struct statistics *kept = NULL;
	int err = report__print(stdout, options->format, snapshot, old, &options->report, &kept);

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
