/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Processes, in text. */
#ifndef MT_REPORT_PROCESSES_H
#define MT_REPORT_PROCESSES_H

#include <stdio.h>

#include "report/report.h"

/* "redis-server (4711)"; "<unknown>" for NULL. */
void write_process(FILE *out, const struct snapshot_process *process);
/* Of a statistic: "redis-server (4711)", "3 processes"; at least one must be known. */
void write_owners(FILE *out, const struct statistic *item);
/* ", watched for 3.0 s", of a process that has not been watched from the beginning. */
void write_watched(FILE *out, const struct snapshot *snapshot,
		   const struct snapshot_process *process);
/* A table of all processes, the biggest first; `compared`: with their growth. */
void write_processes(FILE *out, const struct snapshot *snapshot,
		     const struct statistics *statistics, bool compared,
		     const struct report_opts *opts);

#endif
