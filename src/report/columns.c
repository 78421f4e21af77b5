// SPDX-License-Identifier: GPL-2.0-or-later
#include "report/columns.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "report/folded.h"
#include "report/format.h"
#include "report/label.h"
#include "report/processes.h"
#include "report/shorten.h"
#include "report/traceback.h"

#define SIZE_COLUMN 10
#define COUNT_COLUMN 9
#define LABEL_MIN 16	/* so much of a line is left for where, however narrow the terminal */
#define FRAME_INDENT 4

#define RED "\x1b[31m"
#define GREEN "\x1b[32m"
#define NO_COLOUR "\x1b[0m"

void write_column_titles(const struct row_layout *layout)
{
	fprintf(layout->out, "%*s", SIZE_COLUMN, "SIZE");
	if (layout->errors)
		fprintf(layout->out, " %*s", SIZE_COLUMN, "+/-");
	if (layout->compared)
		fprintf(layout->out, " %*s", SIZE_COLUMN, "GROWTH");
	fprintf(layout->out, " %*s", COUNT_COLUMN, "COUNT");
	if (layout->errors)
		fprintf(layout->out, " %*s", COUNT_COLUMN, "+/-");
	fputs("  WHERE\n", layout->out);
}

static void write_growth(const struct row_layout *layout, int64_t growth)
{
	const char *colour = growth > 0 ? RED : GREEN;
	bool coloured = layout->opts->terminal.colour && growth;
	char buffer[FORMAT_SIZE_MAX];

	fprintf(layout->out, "%s %*s%s", coloured ? colour : "", SIZE_COLUMN,
		format_size(buffer, growth, true), coloured ? NO_COLOUR : "");
}

/* Returns how wide it is. */
static int write_numbers(const struct row_layout *layout, const struct statistic *item)
{
	int width = SIZE_COLUMN + 1 + COUNT_COLUMN + 2;
	char buffer[FORMAT_SIZE_MAX];

	fprintf(layout->out, "%*s", SIZE_COLUMN, format_size(buffer, item->size, false));
	if (layout->errors)
		fprintf(layout->out, " %*s", SIZE_COLUMN,
			format_size(buffer, item->size_error, false));
	if (layout->compared)
		write_growth(layout, item->size_diff);
	fprintf(layout->out, " %*" PRIu64, COUNT_COLUMN, item->count);
	if (layout->errors)
		fprintf(layout->out, " %*.0f", COUNT_COLUMN, item->count_error);
	fputs("  ", layout->out);
	width += layout->errors ? SIZE_COLUMN + COUNT_COLUMN + 2 : 0;
	return width + (layout->compared ? SIZE_COLUMN + 1 : 0);
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}

/* "f", and where there is no line "f (libfoo.so+0x12)", without a name "libfoo.so+0x12". */
static void write_short_function(FILE *out, const struct stat_frame *frame, bool with_module)
{
	char *name = frame->function ? shorten_function(frame->function) : NULL;

	if (name)
		write_text(out, name);
	if (with_module && frame->module) {
		fputs(name ? " (" : "", out);
		write_text(out, base_name(frame->module));
		if (frame->offset)
			fprintf(out, "+0x%" PRIx64, frame->offset);
		fputs(name ? ")" : "", out);
	} else if (!name) {
		fputs("<unknown>", out);
	}
	free(name);
}

/* Without control characters, so that its width is known; the caller frees, NULL: no memory. */
static char *printed(void (*write)(FILE *out, const void *what), const void *what)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	write(out, what);
	if (fclose(out)) {
		free(text);
		return NULL;
	}
	return text;
}

static void print_line(FILE *out, const void *what)
{
	const struct stat_frame *frame = what;

	write_file(out, frame->file);
	fprintf(out, ":%" PRIu32, frame->line);
}

static void print_file(FILE *out, const void *what)
{
	write_file(out, what);
}

static void print_path(FILE *out, const void *what)
{
	write_text(out, what);
}

static void print_function(FILE *out, const void *what)
{
	write_short_function(out, what, false);
}

static void print_place(FILE *out, const void *what)
{
	write_short_function(out, what, true);
}

static void print_owners(FILE *out, const void *what)
{
	write_owners(out, what);
}

/* The end of `text` in `width` characters, as a path is known by its end. Returns what it took. */
static int write_end(FILE *out, const char *text, int width)
{
	const char *end;
	_Bool cut;

	if (!text)
		return 0;
	end = shorten_path(text, width, &cut);
	fprintf(out, "%s%s", cut ? "…" : "", end);
	return text_width(end) + cut;
}

/* The beginning of it. */
static int write_beginning(FILE *out, const char *text, int width)
{
	if (!text)
		return 0;
	write_cell(out, text, width, false);
	return text_width(text) < width ? text_width(text) : width;
}

/* "server.c:37", and "  new_item" where there is room for it. Returns the width. */
static int write_line_and_function(FILE *out, const struct stat_frame *frame, int width)
{
	char *line = printed(print_line, frame);
	char *function = frame->function ? printed(print_function, frame) : NULL;
	int taken = write_end(out, line, width);

	if (function && taken + 2 + text_width(function) <= width)
		taken += fprintf(out, "  %s", function) - (int)strlen(function) +
			 text_width(function);
	free(line);
	free(function);
	return taken;
}

static int write_where(FILE *out, const struct stat_frame *frame, enum group_by group_by, int width)
{
	bool end = false;
	char *text;
	int taken;

	if (frame->file && frame->line &&
	    (group_by == GROUP_BY_LINE || group_by == GROUP_BY_TRACEBACK))
		return write_line_and_function(out, frame, width);
	if (group_by == GROUP_BY_LIBRARY && frame->module) {
		text = printed(print_path, frame->module);
		end = true;
	} else if (group_by == GROUP_BY_FILE && frame->file) {
		text = printed(print_file, frame->file);
		end = true;
	} else {
		bool in_file = group_by == GROUP_BY_FUNCTION && frame->file;

		text = printed(in_file ? print_function : print_place, frame);
	}
	taken = end ? write_end(out, text, width) : write_beginning(out, text, width);
	free(text);
	return taken;
}

static int write_group_label(const struct row_layout *layout, const struct statistic *item,
			     int width)
{
	char *cgroup;
	int taken;

	if (layout->group_by == GROUP_BY_PROCESS) {
		write_process(layout->out, item->process);
		return 0;
	}
	if (layout->group_by == GROUP_BY_TRACEBACK) {
		const struct stat_frame first = folded__first(item, layout->wrappers);

		return write_where(layout->out, &first, layout->group_by, width);
	}
	if (layout->group_by != GROUP_BY_CGROUP)
		return write_where(layout->out, item->frames[0], layout->group_by, width);
	cgroup = item->cgroup ? printed(print_path, item->cgroup) : NULL;
	taken = write_end(layout->out, cgroup ? cgroup : "<unknown>", width);
	free(cgroup);
	return taken;
}

static void write_folded_frame(FILE *out, const struct stat_frame *frame,
			       const struct report_opts *opts, const char *behind)
{
	int width = (int)opts->terminal.width - FRAME_INDENT - text_width(behind);

	fprintf(out, "%*s", FRAME_INDENT, "");
	write_where(out, frame, GROUP_BY_TRACEBACK, width < LABEL_MIN ? LABEL_MIN : width);
	fprintf(out, "%s\n", behind);
}

static void write_short_frame(FILE *out, const struct statistic *item __unused,
			      const struct stat_frame *frame, const struct report_opts *opts)
{
	write_folded_frame(out, frame, opts, "");
}

/* As long as it takes, with names whole. */
static void write_whole_row(const struct row_layout *layout, const struct statistic *item)
{
	bool traceback = layout->group_by == GROUP_BY_TRACEBACK;

	write_numbers(layout, item);
	if (!traceback)
		write_group(layout->out, item, layout->group_by);
	if (layout->owners && item->nprocesses) {
		fputs(traceback ? "in " : ", in ", layout->out);
		write_owners(layout->out, item);
	}
	putc('\n', layout->out);
	if (traceback)
		write_traceback(layout->out, item, layout->opts);
}

/* In the width of the terminal: first the name is shortened, then the owners go. */
static void write_row(const struct row_layout *layout, const struct statistic *item)
{
	char *owners = layout->owners && item->nprocesses ? printed(print_owners, item) : NULL;
	int left = (int)layout->opts->terminal.width - write_numbers(layout, item);
	int taken = owners ? text_width(owners) + 4 : 0;

	if (left - taken < LABEL_MIN)
		taken = 0;
	left -= taken;
	write_group_label(layout, item, left < LABEL_MIN ? LABEL_MIN : left);
	if (taken)
		fprintf(layout->out, " in %s", owners);
	putc('\n', layout->out);
	free(owners);
	if (layout->group_by != GROUP_BY_TRACEBACK)
		return;
	if (layout->opts->most_recent_last)
		write_frames(layout->out, item, layout->opts, write_short_frame);
	else
		write_folded(layout->out, item, layout->opts, layout->wrappers,
			     write_folded_frame);
}

void write_columns(const struct row_layout *layout, const struct statistic *item)
{
	if (layout->opts->wide)
		write_whole_row(layout, item);
	else
		write_row(layout, item);
}
