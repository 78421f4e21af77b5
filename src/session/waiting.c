// SPDX-License-Identifier: GPL-2.0-or-later
/* What is selected may not run yet: that is said, and who comes first. */
#include <stdlib.h>

#include "base/log.h"
#include "coverage/followed.h"
#include "session/parts.h"

static bool is_selected(const struct options *options)
{
	return options->ncomms || options->nusers || options->ncgroups;
}

static bool nobody_runs(const struct session *session)
{
	size_t count = 0;
	pid_t *pids = NULL;
	int err = followed__list(&session->followed, &pids, &count);

	free(pids);
	return !err && !count;
}

void waiting__begin(struct session *session)
{
	const struct options *options = session->options;
	size_t nkinds = options->ncomms + options->nusers + options->ncgroups + options->npids;

	if (!is_selected(options) || !nobody_runs(session))
		return;
	session->waits = true;
	if (nkinds == 1 && options->ncomms)
		log__info("no process is called %s; waiting", options->comms[0]);
	else if (nkinds == 1 && options->ncgroups)
		log__info("no process is in cgroup %s; waiting", options->cgroups[0]);
	else if (nkinds == 1)
		log__info("no process runs as user %u; waiting", options->users[0]);
	else
		log__info("no process is selected by all that is asked for; waiting");
}

void waiting__look(struct session *session)
{
	char comm[16];
	pid_t pid = session->waits ? collector__first(session->collector, comm) : 0;

	if (!pid)
		return;
	session->waits = false;
	log__info("the first has come: %s (%d)", comm, pid);
}
