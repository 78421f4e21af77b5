// SPDX-License-Identifier: GPL-2.0-or-later
#include "report/block.h"

#include <errno.h>
#include <inttypes.h>

#include "process/view.h"
#include "report/format.h"
#include "report/source.h"
#include "report/traceback.h"

static void write_block(FILE *out, const struct report_block *block, const struct statistic *item,
			const struct report_opts *opts)
{
	char buffer[FORMAT_SIZE_MAX];

	fprintf(out, "0x%" PRIx64 " in ", block->address);
	write_text(out, block->comm ? block->comm : "?");
	fprintf(out, " (%" PRIu32 "): %s, allocated %.1f s ago\n", block->pid,
		format_size(buffer, block->size, false), block->age_ns / 1e9);
	write_traceback(out, item, opts);
}

/* The traceback is that of a snapshot which holds nothing else. */
int report__block(FILE *out, enum report_format format, struct names *names,
		  const struct report_block *block, const struct report_opts *opts)
{
	const struct trace trace = { .stack = block->stack, .size = block->size, .count = 1 };
	const struct snapshot_process process = { .pid = block->pid };
	const struct statistics_opts by_traceback = { .group_by = GROUP_BY_TRACEBACK };
	struct snapshot *snapshot = snapshot__new(names);
	struct statistics *statistics = NULL;
	int err;

	err = snapshot ? snapshot__add_process(snapshot, &process) : -ENOMEM;
	if (!err) {
		snapshot->processes[0].view = view__use(block->view);
		err = snapshot__add_trace(snapshot, 0, &trace);
	}
	if (!err)
		err = statistics__new(snapshot, NULL, &by_traceback, &statistics);
	if (!err) {
		if (format == FORMAT_JSON)
			write_json_block(out, block, statistics->items);
		else
			write_block(out, block, statistics->items, opts);
		sources__forget(opts->sources);
		err = finish_stream(out);
	}
	statistics__free(statistics);
	snapshot__free(snapshot);
	return err;
}
