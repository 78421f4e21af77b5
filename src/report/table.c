// SPDX-License-Identifier: GPL-2.0-or-later
/* Markdown for people and CSV (RFC 4180) for programs, with the same columns. */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "report/footer.h"
#include "report/format.h"
#include "report/losses.h"
#include "report/label.h"
#include "report/processes.h"
#include "report/report.h"
#include "report/selection.h"

enum column {
	COLUMN_NAME = 0,
	COLUMN_LINE,
	COLUMN_PID,
	COLUMN_SIZE,
	COLUMN_SIZE_ERROR,
	COLUMN_SIZE_DIFF,
	COLUMN_COUNT,
	COLUMN_COUNT_ERROR,
	COLUMN_COUNT_DIFF,
	COLUMN_AVERAGE,
	COLUMN_OWNERS,
	COLUMN_MAX,
};

struct table {
	FILE *out;
	bool csv;
	bool compared;
	bool errors;
	bool several;	/* processes */
	enum group_by group_by;
};

static const char *table__title(const struct table *table, enum column column)
{
	static const char *const names[GROUP_BY_MAX] = {
		[GROUP_BY_LINE] = "File",
		[GROUP_BY_FILE] = "File",
		[GROUP_BY_FUNCTION] = "Function",
		[GROUP_BY_LIBRARY] = "Library",
		[GROUP_BY_PROCESS] = "Process",
		[GROUP_BY_CGROUP] = "Cgroup",
	};
	/* By line the names are tracemalloc's; the other tables have capitals. */
	static const char *const titles[COLUMN_MAX][2] = {
		[COLUMN_LINE] = { "linenum", "linenum" },
		[COLUMN_PID] = { "pid", "PID" },
		[COLUMN_SIZE] = { "size", "Size" },
		[COLUMN_SIZE_ERROR] = { "size_error", "Size error" },
		[COLUMN_SIZE_DIFF] = { "size_diff", "Size diff" },
		[COLUMN_COUNT] = { "count", "Count" },
		[COLUMN_COUNT_ERROR] = { "count_error", "Count error" },
		[COLUMN_COUNT_DIFF] = { "count_diff", "Count diff" },
		[COLUMN_AVERAGE] = { "average", "Average" },
		[COLUMN_OWNERS] = { "processes", "Processes" },
	};

	return column == COLUMN_NAME ? names[table->group_by]
				     : titles[column][table->group_by != GROUP_BY_LINE];
}

static bool table__has(const struct table *table, enum column column)
{
	switch (column) {
	case COLUMN_LINE:
		return table->group_by == GROUP_BY_LINE;
	case COLUMN_PID:
		return table->group_by == GROUP_BY_PROCESS;
	case COLUMN_SIZE_ERROR:
	case COLUMN_COUNT_ERROR:
		return table->errors;
	case COLUMN_SIZE_DIFF:
	case COLUMN_COUNT_DIFF:
		return table->compared;
	case COLUMN_OWNERS:
		return table->several && table->group_by != GROUP_BY_PROCESS;
	default:
		return true;
	}
}

/*
 * As text, whatever it is made of: HTML, links, emphasis, the end of a cell (GitHub Flavored Markdown,
 * 2.4 and 6). An underscore within a word is none of these.
 */
static void write_markdown(FILE *out, const char *text)
{
	bool word = false;

	for (const char *p = text; *p; p++) {
		if (*p == '<')
			fputs("&lt;", out);
		else if (*p == '>')
			fputs("&gt;", out);
		else if (*p == '&')
			fputs("&amp;", out);
		else
			fprintf(out, strchr("\\`*[]~|", *p) || (*p == '_' && !word) ? "\\%c" : "%c",
				*p);
		word = isalnum((unsigned char)*p) || (*p == '_' && word);
	}
}

/* Spreadsheets calculate what begins so, some also in its wide form; an apostrophe makes it text. */
static bool is_formula(const char *text)
{
	static const char *const starts[] = { "=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠" };

	for (size_t i = 0; i < sizeof(starts) / sizeof(*starts); i++)
		if (!strncmp(text, starts[i], strlen(starts[i])))
			return true;
	return false;
}

static void write_csv(FILE *out, const char *text)
{
	bool quote = strpbrk(text, ",;\"\t\r\n");

	if (quote)
		putc('"', out);
	if (is_formula(text))
		putc('\'', out);
	for (const char *p = text; *p; p++) {
		if (*p == '"')
			putc('"', out);
		putc(*p, out);
	}
	if (quote)
		putc('"', out);
}

/* What has a column of its own, a line or a pid, is left out. */
static void write_name(FILE *out, const struct statistic *item, enum group_by group_by)
{
	const struct stat_frame *frame = item->nframes ? item->frames[0] : NULL;

	if (group_by == GROUP_BY_PROCESS && item->process)
		write_text(out, item->process->comm ? item->process->comm : "?");
	else if (frame && !frame->file && !frame->function && !frame->module)
		fputs("<unknown>", out);
	else if (frame && frame->file && group_by == GROUP_BY_LINE)
		write_label(out, frame, GROUP_BY_FILE);
	else
		write_group(out, item, group_by);
}

/* The name of the group, or of those that own it. */
static int table__text(const struct table *table, const struct statistic *item, bool owners)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return -ENOMEM;
	if (owners)
		write_owners(out, item);
	else
		write_name(out, item, table->group_by);
	if (fclose(out)) {
		free(text);
		return -ENOMEM;
	}
	if (table->csv)
		write_csv(table->out, text);
	else
		write_markdown(table->out, text);
	free(text);
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

static int table__cell(const struct table *table, const struct statistic *item,
		       enum column column)
{
	switch (column) {
	case COLUMN_NAME:
		return table__text(table, item, false);
	case COLUMN_OWNERS:
		return item->nprocesses ? table__text(table, item, true) : 0;
	case COLUMN_LINE:
		fprintf(table->out, "%" PRIu32, item->frames[0]->line);
		break;
	case COLUMN_PID:
		if (item->process)
			fprintf(table->out, "%" PRIu32, item->process->pid);
		break;
	case COLUMN_SIZE:
		table__size(table, item->size, false);
		break;
	case COLUMN_SIZE_ERROR:
		table__size(table, item->size_error, false);
		break;
	case COLUMN_SIZE_DIFF:
		table__size(table, item->size_diff, true);
		break;
	case COLUMN_COUNT:
		fprintf(table->out, "%" PRIu64, item->count);
		break;
	case COLUMN_COUNT_ERROR:
		fprintf(table->out, "%.0f", item->count_error);
		break;
	case COLUMN_COUNT_DIFF:
		fprintf(table->out, table->csv ? "%" PRId64 : "%+" PRId64, item->count_diff);
		break;
	case COLUMN_AVERAGE:
		if (item->count)
			table__size(table, (double)item->size / item->count, false);
		break;
	case COLUMN_MAX:
		break;
	}
	return 0;
}

/* One row; without an item the titles. */
static int table__row(const struct table *table, const struct statistic *item)
{
	const char *separator = table->csv ? "" : "| ";
	int err = 0;

	for (enum column column = 0; column < COLUMN_MAX && !err; column++) {
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
	for (enum column column = 0; column < COLUMN_MAX; column++)
		if (table__has(table, column))
			fputs(column ? " ---: |" : "| --- |", table->out);
	putc('\n', table->out);
}

/* The report's last lines, where a note can have names. */
static int write_markdown_footer(FILE *out, const struct snapshot *snapshot,
				 const struct statistics *statistics, const struct report_opts *opts)
{
	char *text = NULL;
	size_t size;
	FILE *memory = open_memstream(&text, &size);
	int err = -ENOMEM;

	if (!memory)
		return err;
	write_footer(memory, snapshot, statistics, opts);
	if (!fclose(memory)) {
		putc('\n', out);
		write_markdown(out, text);
		err = 0;
	}
	free(text);
	return err;
}

static int report_table(FILE *out, const struct snapshot *snapshot, const struct snapshot *old,
			const struct report_opts *opts, bool csv, struct statistics **kept)
{
	const struct table table = {
		.out = out,
		.csv = csv,
		.compared = old,
		.errors = snapshot__has_errors(snapshot),
		.several = snapshot->many || snapshot->nprocesses > 1,
		.group_by = opts->statistics.group_by,
	};
	struct selection selection;
	int err;

	if (opts->statistics.group_by == GROUP_BY_TRACEBACK)
		return -EINVAL;
	err = selection__init(&selection, snapshot, old, opts, false, kept);
	if (err)
		return err;
	err = table__row(&table, NULL);
	if (!csv)
		table__rule(&table);
	for (size_t i = 0; i < selection.count && !err; i++)
		err = table__row(&table, selection.items[i]);
	if (!csv && !err)
		err = write_markdown_footer(out, snapshot, selection.statistics, opts);
	selection__release(&selection);
	return err ? err : finish_stream(out);
}

int report__markdown(FILE *out, const struct snapshot *snapshot, const struct snapshot *old,
		     const struct report_opts *opts, struct statistics **kept)
{
	return report_table(out, snapshot, old, opts, false, kept);
}

/* A table has no place for what was lost: it goes to stderr. */
int report__csv(FILE *out, const struct snapshot *snapshot, const struct snapshot *old,
		const struct report_opts *opts, struct statistics **kept)
{
	write_lost(stderr, snapshot);
	return report_table(out, snapshot, old, opts, true, kept);
}
