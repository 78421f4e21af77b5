// SPDX-License-Identifier: GPL-2.0-or-later
/* tracemalloc's words on a terminal. */
#include <inttypes.h>

#include "report/columns.h"
#include "report/footer.h"
#include "report/format.h"
#include "report/label.h"
#include "report/processes.h"
#include "report/report.h"
#include "report/selection.h"
#include "report/source.h"
#include "report/title.h"
#include "report/traceback.h"

struct text {
	FILE *out;
	const struct snapshot *snapshot;
	const struct report_opts *opts;
	enum group_by group_by;
	bool compared;		/* with an older snapshot: print differences */
	bool errors;		/* print those of estimates */
};

static void text__histogram(struct text *text, const uint64_t *histogram)
{
	const char *separator = "    sizes: ";
	char min[FORMAT_SIZE_MAX];

	for (int i = 0; i < SIZE_CLASSES; i++) {
		if (!histogram[i])
			continue;
		fprintf(text->out, "%s%s+: %" PRIu64, separator,
			format_size(min, size_class__min(i), false), histogram[i]);
		separator = ", ";
	}
	if (*separator == ',')
		putc('\n', text->out);
}

static void text__detail(struct text *text, const struct statistic *item)
{
	char buffer[FORMAT_SIZE_MAX];

	if (!text->opts->detail)
		return;
	fprintf(text->out, "    allocated: size=%s, count=%" PRIu64,
		format_size(buffer, item->alloc_size, false), item->alloc_count);
	if (!text->snapshot->without_details)
		fprintf(text->out, ", temporary=%" PRIu64 "; at the peak: size=%s, count=%" PRIu64,
			item->temporary, format_size(buffer, item->peak_size, false),
			item->peak_count);
	if (item->oldest_ns)
		fprintf(text->out, "; oldest: %.1f s", item->oldest_ns / 1e9);
	putc('\n', text->out);
	text__histogram(text, item->histogram);
}

static bool text__several(const struct text *text)
{
	return text->snapshot->many || text->snapshot->nprocesses > 1;
}

/* Which processes it is about, where that is not clear anyway. */
static void text__owners(struct text *text, const struct statistic *item)
{
	if (text->group_by == GROUP_BY_PROCESS) {
		write_watched(text->out, text->snapshot, item->process);
	} else if (text__several(text) && item->nprocesses) {
		fputs(", in ", text->out);
		write_owners(text->out, item);
	}
}

static void text__statistic(struct text *text, const struct statistic *item)
{
	char buffer[FORMAT_SIZE_MAX];

	write_group(text->out, item, text->group_by);
	fprintf(text->out, ": size=%s", format_size(buffer, item->size, false));
	if (text->errors)
		fprintf(text->out, " ± %s", format_size(buffer, item->size_error, false));
	if (text->compared)
		fprintf(text->out, " (%s)", format_size(buffer, item->size_diff, true));
	fprintf(text->out, ", count=%" PRIu64, item->count);
	if (text->errors)
		fprintf(text->out, " ± %.0f", item->count_error);
	if (text->compared)
		fprintf(text->out, " (%+" PRId64 ")", item->count_diff);
	if (item->count)
		fprintf(text->out, ", average=%s",
			format_size(buffer, (double)item->size / item->count, false));
	text__owners(text, item);
	putc('\n', text->out);
	if (text->group_by == GROUP_BY_LINE)
		write_source(text->out, item, item->frames[0], text->opts);
	text__detail(text, item);
}

/* The form of the traceback example in tracemalloc's documentation. */
static void text__traceback(struct text *text, const struct statistic *item)
{
	fprintf(text->out, "%" PRIu64, item->count);
	if (text->errors)
		fprintf(text->out, " ± %.0f", item->count_error);
	fprintf(text->out, " memory blocks: %.1f", item->size / 1024.0);
	if (text->errors)
		fprintf(text->out, " ± %.1f", item->size_error / 1024);
	fputs(" KiB", text->out);
	if (text->compared)
		fprintf(text->out, " (%+" PRId64 " blocks, %+.1f KiB)", item->count_diff,
			item->size_diff / 1024.0);
	text__owners(text, item);
	putc('\n', text->out);
	write_traceback(text->out, item, text->opts);
	text__detail(text, item);
}

static void text__others(struct text *text, const struct selection *selection)
{
	static const char *const nouns[GROUP_BY_MAX][2] = {
		[GROUP_BY_LINE] = { "line", "lines" },
		[GROUP_BY_FILE] = { "file", "files" },
		[GROUP_BY_FUNCTION] = { "function", "functions" },
		[GROUP_BY_TRACEBACK] = { "traceback", "tracebacks" },
		[GROUP_BY_LIBRARY] = { "library", "libraries" },
		[GROUP_BY_PROCESS] = { "process", "processes" },
		[GROUP_BY_CGROUP] = { "cgroup", "cgroups" },
	};
	char buffer[FORMAT_SIZE_MAX];

	if (!selection->other_groups)
		return;
	fprintf(text->out, "%" PRIu64 " other %s", selection->other_groups,
		nouns[text->group_by][selection->other_groups != 1]);
	/* Cumulative groups share blocks: a sum would mean nothing. */
	if (!text->opts->statistics.cumulative)
		fprintf(text->out, ": size=%s, count=%" PRIu64,
			format_size(buffer, selection->other_size, false), selection->other_count);
	putc('\n', text->out);
}

static void text__lines(struct text *text, const struct selection *selection)
{
	for (size_t i = 0; i < selection->count; i++)
		if (text->group_by == GROUP_BY_TRACEBACK)
			text__traceback(text, selection->items[i]);
		else
			text__statistic(text, selection->items[i]);
}

static int text__columns(struct text *text, const struct selection *selection)
{
	struct wrappers wrappers;
	const struct row_layout layout = {
		.out = text->out,
		.opts = text->opts,
		.group_by = text->group_by,
		.compared = text->compared,
		.errors = text->errors,
		.owners = text__several(text) && text->group_by != GROUP_BY_PROCESS,
		.wrappers = &wrappers,
	};
	int err = wrappers__init(&wrappers, text->opts->statistics.wrappers);

	if (err)
		return err;
	if (selection->count)
		write_column_titles(&layout);
	for (size_t i = 0; i < selection->count; i++) {
		const struct statistic *item = selection->items[i];

		write_columns(&layout, item);
		if (text->group_by == GROUP_BY_LINE)
			write_source(text->out, item, item->frames[0], text->opts);
		text__detail(text, item);
	}
	wrappers__release(&wrappers);
	return 0;
}

int report__text(FILE *out, const struct snapshot *snapshot, const struct snapshot *old,
		 const struct report_opts *opts, struct statistics **kept)
{
	struct text text = {
		.out = out,
		.snapshot = snapshot,
		.opts = opts,
		.group_by = opts->statistics.group_by,
		.compared = old,
		.errors = snapshot__has_errors(snapshot),
	};
	struct report_opts with_histogram = *opts;
	struct selection selection;
	int err;

	with_histogram.statistics.histogram = opts->detail;
	err = selection__init(&selection, snapshot, old, &with_histogram, false, kept);
	if (err)
		return err;
	write_title(out, snapshot, old, opts);
	if (snapshot->many && text.group_by != GROUP_BY_PROCESS)
		write_processes(out, snapshot, selection.statistics, old, opts);
	if (opts->terminal.width)
		err = text__columns(&text, &selection);
	else
		text__lines(&text, &selection);
	text__others(&text, &selection);
	write_footer(out, snapshot, selection.statistics, opts);
	if (old)
		write_beginnings(out, snapshot, old);
	sources__forget(opts->sources);
	selection__release(&selection);
	return err ? err : finish_stream(out);
}
