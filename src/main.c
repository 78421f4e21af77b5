// SPDX-License-Identifier: GPL-2.0-or-later
/* Arguments in, an exit status out: picks the command. */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "cli/cli.h"
#include "commands/commands.h"
#include "doctor/doctor.h"
#include "session/session.h"

/* Of what we open, nothing may become the stdout that we were started without. */
static void occupy_standard_streams(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && fd <= STDERR_FILENO);
	close(fd);
}

static int exit_status(int err)
{
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* Ends as COMMAND did, if there is one. */
static int trace(const struct options *options)
{
	struct session *session = NULL;
	int err = session__new(options, &session), status;

	if (!err)
		err = session__run(session);
	status = session__free(session);
	return status ? status : exit_status(err);
}

static int run_command(const struct options *options)
{
	switch (options->mode) {
	case COMMAND_TRACE:
		return trace(options);
	case COMMAND_DOCTOR:
		return exit_status(doctor__run(options->pids, options->npids,
					       options->format == FORMAT_JSON));
	default:
		return exit_status(commands__run(options));
	}
}

int main(int argc, char **argv)
{
	struct options options = {};
	enum cli_result parsed;
	int status = EXIT_SUCCESS;

	occupy_standard_streams();
	parsed = cli__parse(argc, argv, &options);
	log__set_verbose(options.verbose);
	options.report.own_memory = options.verbose;
	if (parsed == CLI_RUN)
		status = run_command(&options);
	cli__free(&options);
	return parsed == CLI_USAGE ? CLI_EXIT_USAGE : status;
}
