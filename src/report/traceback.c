// SPDX-License-Identifier: GPL-2.0-or-later
#include "report/traceback.h"

#include <inttypes.h>

#include "report/format.h"
#include "report/label.h"
#include "report/source.h"

void write_source(FILE *out, const struct statistic *item, const struct stat_frame *frame,
		  const struct report_opts *opts)
{
	const char *line = sources__line(opts->sources, item, frame);
	unsigned int width = opts->terminal.width;

	if (!line)
		return;
	fputs("    ", out);
	if (width && !opts->wide)
		write_cell(out, line, width - 4, false);
	else
		write_text(out, line);
	putc('\n', out);
}

static void write_python_frame(FILE *out, const struct statistic *item,
			       const struct stat_frame *frame, const struct report_opts *opts)
{
	fputs("  File \"", out);
	if (frame->file)
		write_file(out, frame->file);
	else
		fputs("<unknown>", out);
	fprintf(out, "\", line %" PRIu32 ", in ", frame->line);
	if (frame->file)
		write_text(out, frame->function ? frame->function : "<unknown>");
	else
		write_place(out, frame);
	putc('\n', out);
	write_source(out, item, frame, opts);
}

void write_stopped(FILE *out, const struct statistic *item)
{
	struct stat_frame last;

	if (item->stop == STOP_BOTTOM)
		return;
	if (item->stop == STOP_LIMIT_ASKED) {
		fputs("  [stopped: the traceback limit of --nframe]\n", out);
		return;
	}
	last = statistic__frame(item, item->nframes - 1);
	fprintf(out, "  [stopped: %s", stop_reason__words(item->stop));
	if (item->stop == STOP_NO_ROWS && last.module) {
		fputs(" in ", out);
		write_text(out, last.module);
	}
	fputs("]\n", out);
}

void write_frames(FILE *out, const struct statistic *item, const struct report_opts *opts,
		  frame_writer *write_frame)
{
	unsigned int limit = opts->limit;
	uint32_t n = limit && limit < item->nframes ? limit : item->nframes;
	bool reversed = opts->most_recent_last, whole = n == item->nframes;

	if (whole && reversed)
		write_stopped(out, item);
	for (uint32_t i = 0; i < n; i++) {
		struct stat_frame frame = statistic__frame(item, reversed ? n - 1 - i : i);

		write_frame(out, item, &frame, opts);
	}
	if (whole && !reversed)
		write_stopped(out, item);
}

void write_traceback(FILE *out, const struct statistic *item, const struct report_opts *opts)
{
	write_frames(out, item, opts, write_python_frame);
}
