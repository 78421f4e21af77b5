// SPDX-License-Identifier: GPL-2.0-or-later
/* INT, TERM and HUP end a session, USR1 asks for a snapshot, USR2 begins again. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/log.h"
#include "session/parts.h"
#include "snapshot/pprof.h"

/* SIGUSR2: tracemalloc's clear_traces(). */
static void clear(struct session *session)
{
	int err = collector__clear(session->collector) ?: session__begin_coverage(session);

	if (err)
		log__error("cannot clear the tracked allocations: %s", strerror(-err));
	else
		log__info("cleared all tracked allocations; counting begins here");
	snapshot__free(session->last);
	session->last = NULL;
}

void signals__answer(struct session *session)
{
	struct signalfd_siginfo info;

	if (read(session->requests, &info, sizeof(info)) != sizeof(info))
		return;
	if (info.ssi_signo == SIGUSR1)
		session__write_numbered(session);
	else
		clear(session);
}

/* ---- signals to end ---- */

static void add_ends(sigset_t *set)
{
	struct sigaction hangup;

	sigaddset(set, SIGINT);
	sigaddset(set, SIGTERM);
	/* Who started us by nohup wants us to outlive the terminal. */
	if (!sigaction(SIGHUP, NULL, &hangup) && hangup.sa_handler != SIG_IGN)
		sigaddset(set, SIGHUP);
}

/*
 * The first signal asks for a last report. Before there is anything to report, after that report and
 * at a second signal we end at once, whatever the other threads do or wait for: the kernel takes
 * our probes away, as after SIGKILL.
 */
static void *listen(void *context)
{
	struct session *session = context;
	sigset_t ends;
	int number;

	sigemptyset(&ends);
	add_ends(&ends);
	for (;;) {
		enum session_phase phase = SESSION_RUNS;

		if (sigwait(&ends, &number))
			continue;
		if (!__atomic_compare_exchange_n(&session->phase, &phase, SESSION_ENDS, false,
						 __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
			launch__ask_to_end(&session->launch);
			_exit(128 + number);
		}
		eventfd_write(session->ending, 1);
	}
	return NULL;
}

int signals__open(struct session *session)
{
	sigset_t requests, all;
	int err;

	sigemptyset(&requests);
	sigaddset(&requests, SIGUSR1);
	sigaddset(&requests, SIGUSR2);
	all = requests;
	add_ends(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	signal(SIGPIPE, SIG_IGN);	/* a reader that has gone is an error of the stream */
	signal(SIGXFSZ, SIG_IGN);	/* as is a file that must not be larger */
	session->requests = signalfd(-1, &requests, SFD_CLOEXEC | SFD_NONBLOCK);
	session->ending = eventfd(0, EFD_CLOEXEC);
	if (session->requests < 0 || session->ending < 0)
		err = -errno;
	else
		err = -pthread_create(&session->listener, NULL, listen, session);
	session->listens = !err;
	if (err)
		log__error("cannot wait for signals: %s", strerror(-err));
	return err;
}

void signals__close(struct session *session)
{
	if (session->listens) {
		pthread_cancel(session->listener);
		pthread_join(session->listener, NULL);
	}
	if (session->requests >= 0)
		close(session->requests);
	if (session->ending >= 0)
		close(session->ending);
}
