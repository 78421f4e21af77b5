// SPDX-License-Identifier: GPL-2.0-or-later
#include "report/processes.h"

#include <inttypes.h>
#include <string.h>

#include "base/saturate.h"
#include "report/format.h"

#define LINE_WIDTH 80 /* of the smallest terminal */
#define COMM_WIDTH 15 /* a name's length in the kernel, but for escapes */
/* Attaching takes a moment: who waited for it has been watched from the beginning. */
#define SINCE_THE_BEGINNING_NS 100000000ULL

struct columns {
	bool growth, watched, cgroup;
};

void write_process(FILE *out, const struct snapshot_process *process)
{
	if (!process) {
		fputs("<unknown>", out);
		return;
	}
	write_text(out, process->comm ? process->comm : "?");
	fprintf(out, " (%" PRIu32 ")", process->pid);
}

void write_owners(FILE *out, const struct statistic *item)
{
	if (item->nprocesses == 1)
		write_process(out, item->processes[0]->process);
	else
		fprintf(out, "%zu processes", item->nprocesses);
}

static bool came_later(const struct snapshot *snapshot, const struct snapshot_process *process)
{
	return process->since_ns &&
	       process->since_ns + SINCE_THE_BEGINNING_NS < snapshot->elapsed_ns;
}

void write_watched(FILE *out, const struct snapshot *snapshot,
		   const struct snapshot_process *process)
{
	if (process && came_later(snapshot, process))
		fprintf(out, ", watched for %.1f s", process->since_ns / 1e9);
}

/* Columns only where they tell processes apart. */
static struct columns choose_columns(const struct snapshot *snapshot, bool compared)
{
	struct columns columns = { .growth = compared };

	for (size_t i = 0; i < snapshot->nprocesses; i++) {
		const struct snapshot_process *process = &snapshot->processes[i];

		columns.watched |= came_later(snapshot, process);
		columns.cgroup |= process->cgroup != snapshot->processes[0].cgroup;
	}
	return columns;
}

/* Returns how wide it is. */
static int write_titles(FILE *out, struct columns columns)
{
	int width = fprintf(out, "%7s %-*s %10s", "PID", COMM_WIDTH, "COMMAND", "SIZE");

	if (columns.growth)
		width += fprintf(out, " %10s", "GROWTH");
	width += fprintf(out, " %9s", "COUNT");
	if (columns.watched)
		width += fprintf(out, " %9s", "WATCHED");
	if (columns.cgroup)
		fputs("  CGROUP", out);
	putc('\n', out);
	return width;
}

/* The last part of the path says most: "redis.service", "docker-1b2c3d4e5f60..." */
static const char *short_cgroup(const char *cgroup)
{
	const char *slash = cgroup ? strrchr(cgroup, '/') : NULL;

	if (!cgroup)
		return "?";
	return slash && slash[1] ? slash + 1 : cgroup;
}

static void write_row(FILE *out, const struct snapshot *snapshot, const struct stat_process *item,
		      struct columns columns, int width)
{
	const struct snapshot_process *process = item->process;
	char buffer[FORMAT_SIZE_MAX];

	fprintf(out, "%7" PRIu32 " ", process->pid);
	write_cell(out, process->comm ? process->comm : "?", COMM_WIDTH, true);
	fprintf(out, " %10s", format_size(buffer, process->size, false));
	if (columns.growth)
		fprintf(out, " %10s", format_size(buffer, item->size_diff, true));
	fprintf(out, " %9" PRIu64, process->count);
	if (columns.watched && came_later(snapshot, process))
		fprintf(out, " %7.1f s", process->since_ns / 1e9);
	else if (columns.watched)
		fprintf(out, " %9s", "");
	if (columns.cgroup) {
		fputs("  ", out);
		write_cell(out, short_cgroup(process->cgroup), LINE_WIDTH - width - 2, false);
	}
	putc('\n', out);
}

void write_processes(FILE *out, const struct snapshot *snapshot,
		     const struct statistics *statistics, bool compared,
		     const struct report_opts *opts)
{
	struct columns columns = choose_columns(snapshot, compared);
	uint64_t others = 0, size = 0, count = 0, shown = 0;
	char buffer[FORMAT_SIZE_MAX];
	int width;

	if (!statistics->nprocesses)
		return;
	width = write_titles(out, columns);
	for (size_t i = 0; i < statistics->nprocesses; i++) {
		const struct stat_process *item = &statistics->processes[i];

		if ((!opts->top || shown < opts->top) && item->process->size >= opts->min_size) {
			shown++;
			write_row(out, snapshot, item, columns, width);
			continue;
		}
		others++;
		add_saturated(&size, item->process->size);
		count += item->process->count;
	}
	if (others)
		fprintf(out, "and %" PRIu64 " more: size=%s, count=%" PRIu64 "\n", others,
			format_size(buffer, size, false), count);
	putc('\n', out);
}
