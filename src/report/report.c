// SPDX-License-Identifier: GPL-2.0-or-later
#include "report/report.h"

int report__print(FILE *out, enum report_format format, const struct snapshot *snapshot,
		  const struct snapshot *old, const struct report_opts *opts,
		  struct statistics **kept)
{
	static report_fn *const reports[] = {
		[FORMAT_TEXT] = report__text,
		[FORMAT_TRACEMALLOC_TEXT] = report__text,
		[FORMAT_JSON] = report__json,
		[FORMAT_MARKDOWN] = report__markdown,
		[FORMAT_CSV] = report__csv,
		[FORMAT_TREE] = report__tree,
		[FORMAT_TRACEMALLOC] = report__tracemalloc,
	};
	struct report_opts with_terminal = *opts;

	if (format == FORMAT_TEXT)
		with_terminal.terminal = terminal__look();
	return reports[format](out, snapshot, old, &with_terminal, kept);
}
