// SPDX-License-Identifier: GPL-2.0-or-later
#include "report/label.h"

#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "report/format.h"
#include "report/processes.h"

void write_file(FILE *out, const char *file)
{
	char directory[PATH_MAX];
	size_t length;

	if (getcwd(directory, sizeof(directory))) {
		length = strlen(directory);
		if (!strncmp(file, directory, length) && file[length] == '/' && file[length + 1])
			file += length + 1;
	}
	write_text(out, file);
}

void write_place(FILE *out, const struct stat_frame *frame)
{
	write_text(out, frame->function ? frame->function : "<unknown>");
	if (!frame->module)
		return;
	fputs(" (", out);
	/* Of the file, but no line of it. */
	if (frame->file) {
		write_file(out, frame->file);
		fputs(", ", out);
	}
	write_text(out, frame->module);
	if (frame->offset)
		fprintf(out, "+0x%" PRIx64, frame->offset);
	putc(')', out);
}

static void write_line_label(FILE *out, const struct stat_frame *frame)
{
	if (frame->file && (frame->line || !frame->module)) {
		write_file(out, frame->file);
		fprintf(out, ":%" PRIu32, frame->line);
	} else if (frame->function || frame->module) {
		write_place(out, frame);
	} else {
		fputs("<unknown>:0", out);
	}
}

static void write_function_label(FILE *out, const struct stat_frame *frame)
{
	if (!frame->function || !frame->file) {
		write_place(out, frame);
		return;
	}
	write_text(out, frame->function);
	fputs(" (", out);
	write_file(out, frame->file);
	putc(')', out);
}

void write_label(FILE *out, const struct stat_frame *frame, enum group_by group_by)
{
	switch (group_by) {
	case GROUP_BY_FILE:
		if (frame->file)
			write_file(out, frame->file);
		else
			write_place(out, frame);
		break;
	case GROUP_BY_FUNCTION:
		write_function_label(out, frame);
		break;
	case GROUP_BY_LIBRARY:
		write_text(out, frame->module ? frame->module : "<unknown>");
		break;
	default:
		write_line_label(out, frame);
	}
}

void write_group(FILE *out, const struct statistic *item, enum group_by group_by)
{
	if (group_by == GROUP_BY_PROCESS)
		write_process(out, item->process);
	else if (group_by == GROUP_BY_CGROUP)
		write_text(out, item->cgroup ? item->cgroup : "<unknown>");
	else
		write_label(out, item->frames[0], group_by);
}
