// SPDX-License-Identifier: GPL-2.0-or-later
/* INT and TERM end a session, USR1 asks for a snapshot, USR2 begins again. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/log.h"
#include "session/parts.h"
#include "snapshot/pprof.h"

static const int answered[] = { SIGINT, SIGTERM, SIGUSR1, SIGUSR2 };

int signals__open(struct session *session)
{
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(answered) / sizeof(answered[0]); i++)
		sigaddset(&set, answered[i]);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);	/* a reader that has gone is an error of the stream */
	session->signals = signalfd(-1, &set, SFD_CLOEXEC);
	if (session->signals >= 0)
		return 0;
	log__error("cannot wait for signals: %s", strerror(errno));
	return -errno;
}

/* SIGUSR1: one more file. That it cannot be written does not end the tracing. */
static void write_numbered(struct session *session)
{
	const char *output = session->options->output;
	char *path = pprof__numbered_path(output ? output : "memtracebpf.pb.gz",
					  ++session->nsnapshots);
	struct snapshot *snapshot = NULL;

	if (!path)
		log__error("no memory for a snapshot");
	else if (!session__snapshot(session, true, true, &snapshot) && !pprof__write(snapshot, path))
		log__info("wrote %s", path);
	snapshot__free(snapshot);
	free(path);
}

/* SIGUSR2: tracemalloc's clear_traces(). */
static void clear(struct session *session)
{
	int err = collector__clear(session->collector) ?: session__begin_coverage(session);

	if (err)
		log__error("cannot clear the books: %s", strerror(-err));
	else
		log__info("forgot all books, counting anew");
	snapshot__free(session->last);
	session->last = NULL;
}

bool signals__handle(struct session *session)
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
