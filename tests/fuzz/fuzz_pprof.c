// SPDX-License-Identifier: GPL-2.0-or-later
/* Reads arbitrary bytes as a profile, and reports on what could be read. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "report/report.h"
#include "snapshot/pprof.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool good)
{
	if (!good)
		abort();
}

static void check_report(FILE *out, enum report_format format, const struct snapshot *snapshot,
			 const struct snapshot *old, const struct report_opts *opts)
{
	struct statistics *kept = NULL;

	check(!report__print(out, format, snapshot, old, opts, &kept));
	check(!report__print(out, format, snapshot, old, opts, &kept));
	statistics__free(kept);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct filter filter = { .inclusive = true, .file = "*" };
	struct names *names = names__new();
	struct snapshot *snapshot;
	const char *why;
	FILE *out;
	int err;

	err = pprof__parse(data, size, names, &snapshot, &why);
	check(!err == (snapshot != NULL));
	check(err != -EINVAL || (why && *why));
	out = err ? NULL : fopen("/dev/null", "w");
	for (int group_by = 0; out && group_by < GROUP_BY_MAX; group_by++) {
		struct report_opts opts = {
			.statistics = {
				.group_by = group_by,
				.wrappers = statistics_default_wrappers,
				.filters = &filter,
				.nfilters = 1,
				.all_frames = true,
			},
			.top = 10,
			.detail = true,
		};

		check_report(out, FORMAT_TEXT, snapshot, snapshot, &opts);
		check_report(out, FORMAT_JSON, snapshot, NULL, &opts);
		check_report(out, FORMAT_TREE, snapshot, NULL, &opts);
	}
	if (out)
		fclose(out);
	snapshot__free(snapshot);
	names__free(names);
	return 0;
}
