// SPDX-License-Identifier: GPL-2.0-or-later
/* tracemalloc's words on a terminal. */
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "report/format.h"
#include "report/report.h"
#include "report/selection.h"

struct text {
	FILE *out;
	enum group_by group_by;
	bool compared;		/* with an older snapshot: print differences */
	char directory[PATH_MAX]; /* where we are, with a slash; files below are shown from here */
};

#define TITLE_PROCESSES 3 /* named in the title; the rest is counted */

static void text__title(struct text *text, const struct snapshot *snapshot)
{
	time_t seconds = snapshot->time_ns / 1000000000;
	char clock[16] = "--:--:--";
	struct tm tm;

	if (localtime_r(&seconds, &tm))
		strftime(clock, sizeof(clock), "%T", &tm);
	fprintf(text->out, "[ %s · ", clock);
	for (size_t i = 0; i < snapshot->nprocesses && i < TITLE_PROCESSES; i++) {
		const struct snapshot_process *process = &snapshot->processes[i];

		fputs(i ? ", " : "", text->out);
		write_text(text->out, process->comm ? process->comm : "?");
		fprintf(text->out, " (%" PRIu32 ")", process->pid);
	}
	if (snapshot->nprocesses > TITLE_PROCESSES)
		fprintf(text->out, " and %zu more", snapshot->nprocesses - TITLE_PROCESSES);
	fprintf(text->out, "%s%.1f s traced ]\n", snapshot->nprocesses ? " · " : "",
		snapshot->elapsed_ns / 1e9);
}

static void text__file(struct text *text, const char *file)
{
	size_t length = strlen(text->directory);

	if (length && !strncmp(file, text->directory, length))
		file += length;
	write_text(text->out, file);
}

/* "function (module+0x12)" for a frame without a line. */
static void text__place(struct text *text, const struct stat_frame *frame)
{
	write_text(text->out, frame->function ? frame->function : "<unknown>");
	if (!frame->module)
		return;
	fputs(" (", text->out);
	write_text(text->out, frame->module);
	if (frame->offset)
		fprintf(text->out, "+0x%" PRIx64, frame->offset);
	putc(')', text->out);
}

static void text__line_label(struct text *text, const struct stat_frame *frame)
{
	if (frame->file) {
		text__file(text, frame->file);
		fprintf(text->out, ":%" PRIu32, frame->line);
	} else if (frame->function || frame->module) {
		text__place(text, frame);
	} else {
		fputs("<unknown>:0", text->out);
	}
}

static void text__label(struct text *text, const struct stat_frame *frame)
{
	switch (text->group_by) {
	case GROUP_BY_FILE:
		if (frame->file)
			text__file(text, frame->file);
		else
			text__place(text, frame);
		break;
	case GROUP_BY_FUNCTION:
		if (frame->function && frame->file) {
			write_text(text->out, frame->function);
			fputs(" (", text->out);
			text__file(text, frame->file);
			putc(')', text->out);
		} else {
			text__place(text, frame);
		}
		break;
	case GROUP_BY_LIBRARY:
		write_text(text->out, frame->module ? frame->module : "<unknown>");
		break;
	default:
		text__line_label(text, frame);
	}
}

static void text__source(struct text *text, const struct stat_frame *frame)
{
	char *line = source__line(frame->file, frame->line);

	if (!line)
		return;
	fputs("    ", text->out);
	write_text(text->out, line);
	putc('\n', text->out);
	free(line);
}

static void text__statistic(struct text *text, const struct statistic *item)
{
	char buffer[FORMAT_SIZE_MAX];

	text__label(text, item->frames[0]);
	fprintf(text->out, ": size=%s", format_size(buffer, item->size, false));
	if (text->compared)
		fprintf(text->out, " (%s)", format_size(buffer, item->size_diff, true));
	fprintf(text->out, ", count=%" PRIu64, item->count);
	if (text->compared)
		fprintf(text->out, " (%+" PRId64 ")", item->count_diff);
	if (item->count)
		fprintf(text->out, ", average=%s",
			format_size(buffer, (double)item->size / item->count, false));
	putc('\n', text->out);
	if (text->group_by == GROUP_BY_LINE)
		text__source(text, item->frames[0]);
}

static void text__traceback_frame(struct text *text, const struct stat_frame *frame)
{
	fputs("  File \"", text->out);
	if (frame->file)
		text__file(text, frame->file);
	else
		fputs("<unknown>", text->out);
	fprintf(text->out, "\", line %" PRIu32 ", in ", frame->line);
	if (frame->file)
		write_text(text->out, frame->function ? frame->function : "<unknown>");
	else
		text__place(text, frame);
	putc('\n', text->out);
	text__source(text, frame);
}

/* Why the traceback is not complete, where it is not. */
static void text__stopped(struct text *text, const struct statistic *item)
{
	const struct stat_frame *last = item->frames[item->nframes - 1];

	if (item->stop == STOP_BOTTOM)
		return;
	if (item->stop == STOP_LIMIT_ASKED) {
		fputs("  [stopped: the traceback limit of --nframe]\n", text->out);
		return;
	}
	fprintf(text->out, "  [stopped: %s", stop_reason__words(item->stop));
	if (item->stop == STOP_NO_ROWS && last->module) {
		fputs(" in ", text->out);
		write_text(text->out, last->module);
	}
	fputs("]\n", text->out);
}

/* The form of the traceback example in tracemalloc's documentation. */
static void text__traceback(struct text *text, const struct statistic *item)
{
	fprintf(text->out, "%" PRIu64 " memory blocks: %.1f KiB", item->count, item->size / 1024.0);
	if (text->compared)
		fprintf(text->out, " (%+" PRId64 " blocks, %+.1f KiB)", item->count_diff,
			item->size_diff / 1024.0);
	putc('\n', text->out);
	for (uint32_t i = 0; i < item->nframes; i++)
		text__traceback_frame(text, item->frames[i]);
	text__stopped(text, item);
}

static void text__others(struct text *text, const struct selection *selection)
{
	static const char *const nouns[GROUP_BY_MAX][2] = {
		[GROUP_BY_LINE] = { "line", "lines" },
		[GROUP_BY_FILE] = { "file", "files" },
		[GROUP_BY_FUNCTION] = { "function", "functions" },
		[GROUP_BY_TRACEBACK] = { "traceback", "tracebacks" },
		[GROUP_BY_LIBRARY] = { "library", "libraries" },
	};
	char buffer[FORMAT_SIZE_MAX];

	if (!selection->other_groups)
		return;
	fprintf(text->out, "%" PRIu64 " other %s: size=%s, count=%" PRIu64 "\n",
		selection->other_groups, nouns[text->group_by][selection->other_groups != 1],
		format_size(buffer, selection->other_size, false), selection->other_count);
}

static void text__total(struct text *text, const struct snapshot *snapshot)
{
	char size[FORMAT_SIZE_MAX], peak[FORMAT_SIZE_MAX];

	fprintf(text->out, "Total: size=%s, count=%" PRIu64 ", peak=%s\n",
		format_size(size, snapshot->size, false), snapshot->count,
		format_size(peak, snapshot->peak_size, false));
}

static void text__lost(struct text *text, const struct snapshot *snapshot)
{
	for (int i = 0; i < LOST_MAX; i++)
		if (snapshot->lost[i])
			fprintf(text->out, "Lost: %" PRIu64 " %s\n", snapshot->lost[i],
				lost_reason__words(i));
	for (int i = 0; i < STOP_MAX; i++)
		if (snapshot->frames_cut[i] && stop_reason__words(i))
			fprintf(text->out, "Lost: %" PRIu64 " tracebacks cut short: %s\n",
				snapshot->frames_cut[i], stop_reason__words(i));
	if (snapshot->programs_skipped)
		fprintf(text->out, "Lost: %" PRIu64 " events: the kernel skipped the probe\n",
			snapshot->programs_skipped);
	if (snapshot->note) {
		fputs("Note: ", text->out);
		write_text(text->out, snapshot->note);
		putc('\n', text->out);
	}
}

int report__text(FILE *out, const struct snapshot *snapshot, const struct snapshot *old,
		 const struct report_opts *opts)
{
	struct text text = {
		.out = out,
		.group_by = opts->statistics.group_by,
		.compared = old,
	};
	struct selection selection;
	int err;

	if (getcwd(text.directory, sizeof(text.directory) - 1))
		strcat(text.directory, "/");
	else
		text.directory[0] = '\0';
	err = selection__init(&selection, snapshot, old, opts, false);
	if (err)
		return err;
	text__title(&text, snapshot);
	for (size_t i = 0; i < selection.count; i++)
		if (text.group_by == GROUP_BY_TRACEBACK)
			text__traceback(&text, &selection.items[i]);
		else
			text__statistic(&text, &selection.items[i]);
	text__others(&text, &selection);
	text__total(&text, snapshot);
	text__lost(&text, snapshot);
	selection__release(&selection);
	return finish_stream(out);
}
