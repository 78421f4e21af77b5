/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What every report for people ends with: the totals, and what is missing in them. */
#ifndef MT_REPORT_FOOTER_H
#define MT_REPORT_FOOTER_H

#include "report/report.h"

void write_footer(FILE *out, const struct snapshot *snapshot, const struct statistics *statistics,
		  const struct report_opts *opts);

#endif
