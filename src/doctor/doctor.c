// SPDX-License-Identifier: GPL-2.0-or-later
#include "doctor/doctor.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "base/log.h"
#include "doctor/findings.h"
#include "report/format.h"
#include "process/process.h"

static int check_pids(const pid_t *pids, size_t npids)
{
	int err = 0;

	for (size_t i = 0; !err && i < npids; i++)
		err = target__check(pids[i]);
	return err;
}

static int print(const struct findings *findings, bool json)
{
	int err;

	if (json)
		findings__json(stdout, findings);
	else
		findings__text(stdout, findings);
	err = finish_stream(stdout);
	if (err && err != -EPIPE)
		log__error("cannot write the report: %s", strerror(-err));
	return err == -EPIPE ? 0 : err;
}

int doctor__run(const pid_t *pids, size_t npids, bool json)
{
	struct findings findings = {};
	int err = check_pids(pids, npids);

	if (err)
		return err;
	signal(SIGPIPE, SIG_IGN);	/* whoever has gone is an error of the write */
	/* First, while no child of ours runs. */
	err = survey__take(&findings.survey, pids, npids);
	if (err)
		log__error("cannot look at the processes: %s", strerror(-err));
	if (!err) {
		machine__look(&findings.machine);
		if (machine__can_trace(&findings.machine))
			cost__measure(&findings.cost);
		err = print(&findings, json);
	}
	if (!err && !machine__can_trace(&findings.machine))
		err = -ENOTSUP;
	survey__free(&findings.survey);
	return err;
}
