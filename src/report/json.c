// SPDX-License-Identifier: GPL-2.0-or-later
/* One JSON object a report, on one line (RFC 8259; time as RFC 3339). */
#include <inttypes.h>
#include <time.h>

#include "report/block.h"
#include "report/format.h"
#include "report/report.h"
#include "report/selection.h"

static void write_time(FILE *out, int64_t time_ns)
{
	time_t seconds = time_ns / 1000000000;
	char text[32];
	struct tm tm;

	if (time_ns <= 0 || !gmtime_r(&seconds, &tm)) { /* a file that does not say */
		fputs("\"time\":null", out);
		return;
	}
	strftime(text, sizeof(text), "%FT%T", &tm);
	fprintf(out, "\"time\":\"%s.%03dZ\"", text, (int)(time_ns % 1000000000 / 1000000));
}

static void write_frame(FILE *out, const struct stat_frame *frame)
{
	fputs("{\"function\":", out);
	write_json_string(out, frame->function);
	fputs(",\"file\":", out);
	write_json_string(out, frame->file);
	fprintf(out, ",\"line\":%" PRIu32 ",\"module\":", frame->line);
	write_json_string(out, frame->module);
	fprintf(out, ",\"offset\":%" PRIu64 ",\"inlined\":%s}", frame->offset,
		frame->inlined ? "true" : "false");
}

static void write_json_traceback(FILE *out, const struct statistic *item)
{
	fputs("\"traceback\":[", out);
	for (uint32_t i = 0; i < item->nframes; i++) {
		struct stat_frame frame = statistic__frame(item, i);

		if (i)
			putc(',', out);
		write_frame(out, &frame);
	}
	putc(']', out);
}

static void write_json_stopped(FILE *out, const struct statistic *item)
{
	fputs(",\"stopped\":", out);
	write_json_string(out, item->stop == STOP_BOTTOM ? NULL : stop_reason__key(item->stop));
}

static void write_histogram(FILE *out, const uint64_t *histogram)
{
	const char *separator = "";

	fputs(",\"histogram\":[", out);
	for (int i = 0; i < SIZE_CLASSES; i++) {
		if (!histogram[i])
			continue;
		fprintf(out, "%s{\"min\":%" PRIu64 ",\"max\":%" PRIu64 ",\"count\":%" PRIu64 "}",
			separator, size_class__min(i), size_class__max(i), histogram[i]);
		separator = ",";
	}
	putc(']', out);
}

static void write_known(FILE *out, const char *key, bool known, uint64_t value)
{
	fprintf(out, ",\"%s\":", key);
	if (known)
		fprintf(out, "%" PRIu64, value);
	else
		fputs("null", out);
}

static void write_details(FILE *out, const struct snapshot *snapshot, const struct statistic *item)
{
	if (snapshot->without_details)
		fputs(",\"peak_size\":null,\"peak_count\":null,\"temporary\":null", out);
	else
		fprintf(out,
			",\"peak_size\":%" PRIu64 ",\"peak_count\":%" PRIu64
			",\"temporary\":%" PRIu64,
			item->peak_size, item->peak_count, item->temporary);
	write_known(out, "usable_size", item->usable_size, item->usable_size);
	write_known(out, "oldest_ms", item->oldest_ns, item->oldest_ns / 1000000);
	write_histogram(out, item->histogram);
}

static void write_errors(FILE *out, const struct snapshot *snapshot, const struct statistic *item)
{
	if (snapshot__has_errors(snapshot))
		fprintf(out, ",\"size_error\":%.1f,\"count_error\":%.1f", item->size_error,
			item->count_error);
	else
		fputs(",\"size_error\":null,\"count_error\":null", out);
}

/* Each once: a pid can have been given to two processes, one after the other. */
static void write_pids(FILE *out, const struct statistic *item)
{
	uint32_t last = 0;

	fputs(",\"pids\":[", out);
	for (size_t i = 0; i < item->nprocesses; i++) {
		uint32_t pid = item->processes[i]->process->pid;

		if (i && pid == last)
			continue;
		fprintf(out, "%s%" PRIu32, i ? "," : "", pid);
		last = pid;
	}
	putc(']', out);
}

/* What the group is, where that is no frame. */
static void write_owner(FILE *out, const struct statistic *item, enum group_by group_by)
{
	if (group_by == GROUP_BY_CGROUP) {
		fputs("\"cgroup\":", out);
		write_json_string(out, item->cgroup);
		putc(',', out);
	} else if (group_by == GROUP_BY_PROCESS && item->process) {
		fprintf(out, "\"process\":{\"pid\":%" PRIu32 ",\"comm\":", item->process->pid);
		write_json_string(out, item->process->comm);
		fputs("},", out);
	} else if (group_by == GROUP_BY_PROCESS) {
		fputs("\"process\":null,", out);
	}
}

static void write_statistic(FILE *out, const struct snapshot *snapshot,
			    const struct statistic *item, enum group_by group_by)
{
	fprintf(out,
		"{\"size\":%" PRIu64 ",\"count\":%" PRIu64 ",\"size_diff\":%" PRId64
		",\"count_diff\":%" PRId64 ",\"alloc_size\":%" PRIu64
		",\"alloc_count\":%" PRIu64 ",",
		item->size, item->count, item->size_diff, item->count_diff, item->alloc_size,
		item->alloc_count);
	write_owner(out, item, group_by);
	write_json_traceback(out, item);
	if (group_by == GROUP_BY_TRACEBACK)
		write_json_stopped(out, item);
	write_details(out, snapshot, item);
	write_pids(out, item);
	write_errors(out, snapshot, item);
	putc('}', out);
}

static void write_json_lost(FILE *out, const struct snapshot *snapshot)
{
	const uint64_t *lost = snapshot->lost;
	const char *separator = "";

	fprintf(out,
		"\"lost\":{\"blocks\":%" PRIu64 ",\"stacks\":%" PRIu64 ",\"frames_cut\":%" PRIu64
		",\"frees_unmatched\":%" PRIu64 ",\"frees_missed\":%" PRIu64
		",\"programs_skipped\":%" PRIu64 ",\"events\":%" PRIu64 ",\"frames_cut_by\":{",
		lost[LOST_BLOCKS_FULL] + lost[LOST_BLOCKS_MEMORY] + lost[LOST_BLOCKS_RETURN] +
			lost[LOST_BLOCKS_SIZE] + lost[LOST_PROBES] +
			lost[LOST_THREAD] + lost[LOST_REGIONS],
		lost[LOST_STACKS_FULL] + lost[LOST_STACKS_MEMORY], snapshot__frames_cut(snapshot),
		lost[LOST_FREES_UNMATCHED], lost[LOST_FREES_MISSED] + lost[LOST_HEAPS],
		snapshot->programs_skipped,
		lost[LOST_EVENTS] + lost[LOST_PROCESSES] + lost[LOST_FILES] +
			lost[LOST_LIMITS]);
	for (int i = 0; i < STOP_MAX; i++) {
		if (!stop_reason__words(i))
			continue;
		fprintf(out, "%s\"%s\":%" PRIu64, separator, stop_reason__key(i),
			snapshot->frames_cut[i]);
		separator = ",";
	}
	fputs("},\"by_reason\":{", out);
	for (int i = 0; i < LOST_MAX; i++)
		fprintf(out, "%s\"%s\":%" PRIu64, i ? "," : "", lost_reason__key(i), lost[i]);
	fprintf(out, "}},\"frees_inherited\":%" PRIu64, snapshot->frees_inherited);
}

static void write_json_coverage(FILE *out, const struct snapshot *snapshot)
{
	const struct snapshot_coverage *coverage = &snapshot->coverage;

	if (!coverage->measured) {
		fputs(",\"coverage\":null", out);
		return;
	}
	fprintf(out,
		",\"coverage\":{\"grown\":%" PRIu64 ",\"tracked\":%" PRIu64 ",\"unseen\":%" PRIu64
		",\"not_seen\":[",
		coverage->grown, coverage->tracked, coverage->unseen);
	for (size_t i = 0; i < coverage->ngaps; i++) {
		const struct snapshot_gap *gap = &coverage->gaps[i];

		fprintf(out, "%s{\"pid\":%" PRIu32 ",\"comm\":", i ? "," : "", gap->pid);
		write_json_string(out, gap->comm);
		fprintf(out, ",\"grown\":%" PRIu64 ",\"tracked\":%" PRIu64 ",\"unseen\":%" PRIu64
			",\"why\":", gap->grown, gap->tracked, gap->unseen);
		write_json_string(out, gap->why);
		putc('}', out);
	}
	fputs("]}", out);
}

static void write_own_memory(FILE *out, const struct snapshot *snapshot)
{
	if (snapshot->own_rss)
		fprintf(out, ",\"own_memory\":{\"rss\":%" PRIu64 ",\"peak_rss\":%" PRIu64
			",\"kernel\":%" PRIu64 "}",
			snapshot->own_rss, snapshot->own_peak, snapshot->own_kernel);
	else
		fputs(",\"own_memory\":null", out);
}

static void write_json_processes(FILE *out, const struct statistics *statistics)
{
	fputs(",\"processes\":[", out);
	for (size_t i = 0; i < statistics->nprocesses; i++) {
		const struct stat_process *item = &statistics->processes[i];
		const struct snapshot_process *process = item->process;

		fprintf(out, "%s{\"pid\":%" PRIu32 ",\"comm\":", i ? "," : "", process->pid);
		write_json_string(out, process->comm);
		fputs(",\"cgroup\":", out);
		write_json_string(out, process->cgroup);
		write_known(out, "since_ms", process->since_ns, process->since_ns / 1000000);
		fprintf(out,
			",\"size\":%" PRIu64 ",\"count\":%" PRIu64 ",\"size_diff\":%" PRId64
			",\"count_diff\":%" PRId64 "}",
			process->size, process->count, item->size_diff, item->count_diff);
	}
	putc(']', out);
}

static void write_json_ended(FILE *out, const struct snapshot *snapshot)
{
	const struct snapshot_ended *ended = &snapshot->ended;

	fprintf(out,
		",\"ended\":{\"processes\":%" PRIu64 ",\"alloc_size\":%" PRIu64
		",\"alloc_count\":%" PRIu64 ",\"size\":%" PRIu64 ",\"count\":%" PRIu64
		"},\"exited\":%s",
		ended->processes, ended->alloc_size, ended->alloc_count, ended->size,
		ended->count, snapshot->exited ? "true" : "false");
}

static void write_json_killed(FILE *out, const struct snapshot *snapshot)
{
	char signal[FORMAT_SIGNAL_MAX];

	fprintf(out, ",\"killed\":{\"count\":%" PRIu64 ",\"processes\":[", snapshot->nkilled);
	for (int i = 0; i < KILLED_NAMED && snapshot->killed[i].comm[0]; i++) {
		const struct snapshot_killed *killed = &snapshot->killed[i];

		fprintf(out, "%s{\"pid\":%" PRIu32 ",\"comm\":", i ? "," : "", killed->pid);
		write_json_string(out, killed->comm);
		fprintf(out, ",\"signal\":\"%s\"}", format_signal(signal, killed->signal));
	}
	fputs("]}", out);
}

static void write_head(FILE *out, const struct snapshot *snapshot, enum group_by group_by)
{
	fputs("{\"version\":1,", out);
	write_time(out, snapshot->time_ns);
	fprintf(out, ",\"elapsed_ms\":%" PRIu64 ",\"pids\":[", snapshot->elapsed_ns / 1000000);
	for (size_t i = 0; i < snapshot->nprocesses; i++)
		fprintf(out, "%s%" PRIu32, i ? "," : "", snapshot->processes[i].pid);
	fprintf(out,
		"],\"group_by\":\"%s\",\"traced\":{\"size\":%" PRIu64 ",\"count\":%" PRIu64
		",\"peak_size\":",
		group_by__name(group_by), snapshot->size, snapshot->count);
	if (snapshot__peak_known(snapshot))
		fprintf(out, "%" PRIu64 "}", snapshot->peak_size);
	else
		fputs("null}", out);
}

static void write_json_younger(FILE *out, const struct snapshot *snapshot)
{
	uint64_t size, count;

	write_known(out, "min_age_ms", snapshot->min_age_ns, snapshot->min_age_ns / 1000000);
	if (!snapshot->min_age_ns) {
		fputs(",\"younger\":null", out);
		return;
	}
	snapshot__younger(snapshot, &size, &count);
	fprintf(out, ",\"younger\":{\"size\":%" PRIu64 ",\"count\":%" PRIu64 "}", size, count);
}

/* The file that the differences are against. */
static void write_json_compared(FILE *out, const struct snapshot *old)
{
	if (!old || !old->file) {
		fputs(",\"compared_with\":null", out);
		return;
	}
	fputs(",\"compared_with\":{\"file\":", out);
	write_json_string(out, old->file);
	putc(',', out);
	write_time(out, old->time_ns);
	fprintf(out, ",\"elapsed_ms\":%" PRIu64 "}", old->elapsed_ns / 1000000);
}

int report__json(FILE *out, const struct snapshot *snapshot, const struct snapshot *old,
		 const struct report_opts *opts, struct statistics **kept)
{
	enum group_by group_by = opts->statistics.group_by;
	struct report_opts with_histogram = *opts;
	struct selection selection;
	int err;

	with_histogram.statistics.histogram = true;
	err = selection__init(&selection, snapshot, old, &with_histogram, true, kept);
	if (err)
		return err;
	write_head(out, snapshot, group_by);
	write_json_processes(out, selection.statistics);
	write_json_ended(out, snapshot);
	write_json_killed(out, snapshot);
	write_known(out, "sample_bytes", snapshot->sample_bytes, snapshot->sample_bytes);
	write_json_younger(out, snapshot);
	write_json_compared(out, old);
	fputs(",\"statistics\":[", out);
	for (size_t i = 0; i < selection.count; i++) {
		if (i)
			putc(',', out);
		write_statistic(out, snapshot, selection.items[i], group_by);
	}
	fprintf(out,
		"],\"other\":{\"groups\":%" PRIu64 ",\"size\":%" PRIu64 ",\"count\":%" PRIu64 "},",
		selection.other_groups, selection.other_size, selection.other_count);
	write_json_lost(out, snapshot);
	fprintf(out, ",\"filtered\":{\"size\":%" PRIu64 ",\"count\":%" PRIu64 "}",
		selection.statistics->filtered_size, selection.statistics->filtered_count);
	write_json_coverage(out, snapshot);
	write_own_memory(out, snapshot);
	fputs(",\"note\":", out);
	write_json_string(out, snapshot->note);
	fputs("}\n", out);
	selection__release(&selection);
	return finish_stream(out);
}

void write_json_block(FILE *out, const struct report_block *block, const struct statistic *item)
{
	fprintf(out, "{\"version\":1,\"pid\":%" PRIu32 ",\"address\":%" PRIu64 ",\"size\":%" PRIu64
		",\"age_ms\":%" PRIu64 ",", block->pid, block->address, block->size,
		block->age_ns / 1000000);
	write_json_traceback(out, item);
	write_json_stopped(out, item);
	fputs("}\n", out);
}
