/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Statistics in columns, for a terminal: numbers first, then where, in one line of its width. */
#ifndef MT_REPORT_COLUMNS_H
#define MT_REPORT_COLUMNS_H

#include "report/report.h"
#include "snapshot/wrappers.h"

struct row_layout {
	FILE *out;
	const struct report_opts *opts;	/* terminal.width is not 0 */
	enum group_by group_by;
	bool compared;	/* with an older snapshot: a column of growth */
	bool errors;	/* of estimates: columns of them */
	bool owners;	/* say which processes hold it */
	const struct wrappers *wrappers;	/* folded in tracebacks */
};

void write_column_titles(const struct row_layout *layout);
/* A traceback takes a line more for each frame. */
void write_columns(const struct row_layout *layout, const struct statistic *item);

#endif
