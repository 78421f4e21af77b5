/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reports as strings. */
#ifndef MT_TESTS_UNIT_REPORTS_H
#define MT_TESTS_UNIT_REPORTS_H

#include "books.h"

#include <stdio.h>

#include "process/root.h"
#include "process/view.h"
#include "report/report.h"
#include "report/source.h"

/* The report as a string, which the caller frees. (Inlined, gcc 12 warns of dangling pointers.) */
static __attribute__((noinline)) char *print(report_fn *report, const struct snapshot *now,
					     const struct snapshot *old, struct report_opts opts)
{
	struct roots *roots = roots__new();
	struct view *view = view__of_caller(roots);
	struct statistics *kept = NULL;
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	opts.sources = sources__new(view);
	assert_int_equal(report(out, now, old, &opts, &kept), 0);
	sources__free(opts.sources);
	view__release(view);
	roots__free(roots);
	statistics__free(kept);
	fclose(out);
	return text;
}

static void assert_report(report_fn *report, const struct snapshot *now,
			  const struct snapshot *old, struct report_opts opts, const char *expected)
{
	char *text = print(report, now, old, opts);

	assert_string_equal(text, expected);
	free(text);
}

#endif
