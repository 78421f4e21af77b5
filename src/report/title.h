/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef MT_REPORT_TITLE_H
#define MT_REPORT_TITLE_H

#include "report/report.h"

/* The line above a report in text: when, of what, for how long, and what is left out. Where `old`
 * comes from a file, a second line says from which to which. */
void write_title(FILE *out, const struct snapshot *snapshot, const struct snapshot *old,
		 const struct report_opts *opts);

/* When counting began, in nanoseconds since the epoch; 0: not known. */
int64_t counting_began_ns(const struct snapshot *snapshot);

/* A sentence where the two counted from different moments on: what was allocated before the later
 * one is missing in one of them. */
void write_beginnings(FILE *out, const struct snapshot *snapshot, const struct snapshot *old);

#endif
