// SPDX-License-Identifier: GPL-2.0-or-later
/* Markdown for people and CSV (RFC 4180) for programs, with the same columns. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "report/footer.h"
#include "report/format.h"
#include "report/label.h"
#include "report/report.h"
#include "report/selection.h"

#define MAX_COLUMNS 7

struct table {
	FILE *out;
	bool csv;
	bool compared;
	bool by_line;
	enum group_by group_by;
};

/* By line the names are tracemalloc's; the other tables have capitals. */
static const char *const line_columns[] = { "File", "linenum",	  "size",   "size_diff",
					    "count", "count_diff", "average" };
static const char *const other_columns[] = { NULL,    NULL,	     "Size",   "Size diff",
					     "Count", "Count diff", "Average" };

static const char *table__title(const struct table *table, size_t column)
{
	static const char *const first[GROUP_BY_MAX] = {
		[GROUP_BY_FILE] = "File",
		[GROUP_BY_FUNCTION] = "Function",
		[GROUP_BY_LIBRARY] = "Library",
		[GROUP_BY_PROCESS] = "Process",
		[GROUP_BY_CGROUP] = "Cgroup",
	};

	if (table->by_line)
		return line_columns[column];
	return column ? other_columns[column] : first[table->group_by];
}

static bool table__has(const struct table *table, size_t column)
{
	switch (column) {
	case 1:
		return table->by_line;
	case 3:
	case 5:
		return table->compared;
	}
	return true;
}

/* A name, with what ends a cell escaped. */
static void table__name(const struct table *table, const char *name)
{
	bool quote = table->csv && strpbrk(name, ",\"");

	if (quote)
		putc('"', table->out);
	for (const char *p = name; *p; p++) {
		if (quote && *p == '"')
			putc('"', table->out);
		if (!table->csv && *p == '|')
			putc('\\', table->out);
		putc(*p, table->out);
	}
	if (quote)
		putc('"', table->out);
}

/* By line the file alone: its line has a column. */
static int table__label(const struct table *table, const struct stat_frame *frame)
{
	enum group_by group_by = table->by_line && frame->file ? GROUP_BY_FILE : table->group_by;
	char *label = NULL;
	size_t size;
	FILE *out = open_memstream(&label, &size);

	if (!out)
		return -ENOMEM;
	if (!frame->file && !frame->function && !frame->module)
		fputs("<unknown>", out);
	else
		write_label(out, frame, group_by);
	if (fclose(out)) {
		free(label);
		return -ENOMEM;
	}
	table__name(table, label);
	free(label);
	return 0;
}

static void table__size(const struct table *table, double size, bool sign)
{
	char buffer[FORMAT_SIZE_MAX];

	if (table->csv)
		fprintf(table->out, "%.0f", size);
	else
		fputs(format_size(buffer, size, sign), table->out);
}

static int table__cell(const struct table *table, const struct statistic *item, size_t column)
{
	switch (column) {
	case 0:
		return table__label(table, item->frames[0]);
	case 1:
		fprintf(table->out, "%" PRIu32, item->frames[0]->line);
		break;
	case 2:
		table__size(table, item->size, false);
		break;
	case 3:
		table__size(table, item->size_diff, true);
		break;
	case 4:
		fprintf(table->out, "%" PRIu64, item->count);
		break;
	case 5:
		fprintf(table->out, table->csv ? "%" PRId64 : "%+" PRId64, item->count_diff);
		break;
	case 6:
		if (item->count)
			table__size(table, (double)item->size / item->count, false);
		break;
	}
	return 0;
}

/* One row; without an item the titles. */
static int table__row(const struct table *table, const struct statistic *item)
{
	const char *separator = table->csv ? "" : "| ";
	int err = 0;

	for (size_t column = 0; column < MAX_COLUMNS && !err; column++) {
		if (!table__has(table, column))
			continue;
		fputs(separator, table->out);
		separator = table->csv ? "," : " | ";
		if (item)
			err = table__cell(table, item, column);
		else
			fputs(table__title(table, column), table->out);
	}
	fputs(table->csv ? "\r\n" : " |\n", table->out);
	return err;
}

static void table__rule(const struct table *table)
{
	for (size_t column = 0; column < MAX_COLUMNS; column++)
		if (table__has(table, column))
			fputs(column ? " ---: |" : "| --- |", table->out);
	putc('\n', table->out);
}

static int report_table(FILE *out, const struct snapshot *snapshot, const struct snapshot *old,
			const struct report_opts *opts, bool csv)
{
	const struct table table = {
		.out = out,
		.csv = csv,
		.compared = old,
		.by_line = opts->statistics.group_by == GROUP_BY_LINE,
		.group_by = opts->statistics.group_by,
	};
	struct selection selection;
	int err;

	if (opts->statistics.group_by == GROUP_BY_TRACEBACK)
		return -EINVAL;
	err = selection__init(&selection, snapshot, old, opts, false);
	if (err)
		return err;
	err = table__row(&table, NULL);
	if (!csv)
		table__rule(&table);
	for (size_t i = 0; i < selection.count && !err; i++)
		err = table__row(&table, &selection.items[i]);
	if (!csv) {
		putc('\n', out);
		write_footer(out, snapshot, selection.statistics, opts);
	}
	selection__release(&selection);
	return err ? err : finish_stream(out);
}

int report__markdown(FILE *out, const struct snapshot *snapshot, const struct snapshot *old,
		     const struct report_opts *opts)
{
	return report_table(out, snapshot, old, opts, false);
}

/* A table has no place for what was lost: it goes to stderr. */
int report__csv(FILE *out, const struct snapshot *snapshot, const struct snapshot *old,
		const struct report_opts *opts)
{
	write_lost(stderr, snapshot);
	return report_table(out, snapshot, old, opts, true);
}
