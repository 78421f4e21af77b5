// SPDX-License-Identifier: GPL-2.0-or-later
#include "report/title.h"

#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

#include "report/format.h"
#include "report/processes.h"

#define SEC_NS 1000000000LL
#define TITLE_PROCESSES 3 /* named in the title; the rest is counted */
#define MANY_A_SECOND 100000
/* Two snapshots of one run agree better than this on when it began. */
#define SAME_BEGINNING_NS (SEC_NS / 2)

static void write_title_processes(FILE *out, const struct snapshot *snapshot)
{
	if (snapshot->many) {
		fprintf(out, "%zu process%s · ", snapshot->nprocesses,
			snapshot->nprocesses == 1 ? "" : "es");
		return;
	}
	for (size_t i = 0; i < snapshot->nprocesses && i < TITLE_PROCESSES; i++) {
		fputs(i ? ", " : "", out);
		write_process(out, &snapshot->processes[i]);
	}
	if (snapshot->nprocesses > TITLE_PROCESSES)
		fprintf(out, " and %zu more", snapshot->nprocesses - TITLE_PROCESSES);
	if (snapshot->nprocesses)
		fputs(snapshot->exited ? " has ended · " : " · ", out);
}

static void write_clock(FILE *out, int64_t time_ns)
{
	time_t seconds = time_ns / SEC_NS;
	char clock[16] = "--:--:--";
	struct tm tm;

	if (time_ns > 0 && localtime_r(&seconds, &tm))
		strftime(clock, sizeof(clock), "%T", &tm);
	fputs(clock, out);
}

/* "only src/\*.c, without *_test.c": of files, then of allocators. */
static void write_filters(FILE *out, const struct statistics_opts *opts, bool inclusive)
{
	const char *separator = inclusive ? " · only " : " · without ";

	for (size_t i = 0; i < opts->nfilters; i++) {
		const struct filter *filter = &opts->filters[i];

		if (filter->inclusive != inclusive)
			continue;
		fputs(separator, out);
		separator = inclusive ? " or " : ", ";
		write_text(out, filter->domain ? filter->domain : filter->file);
		if (filter->line)
			fprintf(out, ":%" PRIu32, filter->line);
	}
}

int64_t counting_began_ns(const struct snapshot *snapshot)
{
	if (!snapshot->time_ns || !snapshot->elapsed_ns)
		return 0;
	return snapshot->time_ns - (int64_t)snapshot->elapsed_ns;
}

static void write_file_and_times(FILE *out, const struct snapshot *snapshot)
{
	int64_t began = counting_began_ns(snapshot);

	write_text(out, snapshot->file);
	fputs(" (", out);
	write_clock(out, snapshot->time_ns);
	if (began) {
		fputs(", counting since ", out);
		write_clock(out, began);
	}
	putc(')', out);
}

/* "89,000": no more than three digits mean anything. */
static void write_grouped(FILE *out, double number)
{
	uint64_t digit = 1, rounded;

	while (number / digit >= 1000)
		digit *= 10;
	rounded = (uint64_t)(number / digit + 0.5) * digit;
	if (rounded >= 1000000)
		fprintf(out, "%" PRIu64 ",%03" PRIu64 ",", rounded / 1000000,
			rounded / 1000 % 1000);
	else if (rounded >= 1000)
		fprintf(out, "%" PRIu64 ",", rounded / 1000);
	fprintf(out, rounded >= 1000 ? "%03" PRIu64 : "%" PRIu64, rounded % 1000);
}

/* How often there is an allocation, since the report before, and what tracing them costs. */
static void write_price(FILE *out, const struct snapshot *snapshot, const struct snapshot *old,
			const struct report_opts *opts)
{
	uint64_t count = snapshot__allocations(snapshot), before = old ? snapshot__allocations(old) : 0;
	uint64_t ns = snapshot->elapsed_ns - (old ? old->elapsed_ns : 0);
	double rate, percent;

	if (!opts->pair_ns || !ns || count < before || snapshot->exited)
		return;
	rate = (count - before) * 1e9 / ns;
	percent = rate * opts->pair_ns / 1e7;
	if (percent < 1)
		return;
	write_grouped(out, rate);
	fprintf(out, " allocations/s; tracing costs %s about %.0f %% of a CPU%s\n",
		snapshot->nprocesses == 1 && !snapshot->many ? "this process" : "these processes",
		percent,
		rate < MANY_A_SECOND ? "" :
		snapshot->sample_bytes ? "; the allocator's own sampler would cost less" :
					 "; --sample-bytes 512K would cost less");
}

void write_title(FILE *out, const struct snapshot *snapshot, const struct snapshot *old,
		 const struct report_opts *opts)
{
	fputs("[ ", out);
	write_clock(out, snapshot->time_ns);
	fputs(" · ", out);
	write_title_processes(out, snapshot);
	fprintf(out, "%.1f s traced", snapshot->elapsed_ns / 1e9);
	if (snapshot->min_age_ns)
		fprintf(out, " · blocks older than %g s", snapshot->min_age_ns / 1e9);
	write_filters(out, &opts->statistics, true);
	write_filters(out, &opts->statistics, false);
	fputs(" ]\n", out);
	write_price(out, snapshot, old, opts);
	if (!old || !old->file || !snapshot->file)
		return;
	fputs("from ", out);
	write_file_and_times(out, old);
	fputs(" to ", out);
	write_file_and_times(out, snapshot);
	putc('\n', out);
}

void write_beginnings(FILE *out, const struct snapshot *snapshot, const struct snapshot *old)
{
	int64_t before = counting_began_ns(old), after = counting_began_ns(snapshot);

	if (!old->file || !before || !after || llabs(after - before) < SAME_BEGINNING_NS)
		return;
	fprintf(out, "Note: the snapshots began to count %.1f s apart, each with empty tables: a "
		     "block counts only in the one that saw it begin, so that a steady leak shows "
		     "no growth; take both in one run (--snapshot-every SEC, or SIGUSR1)\n",
		llabs(after - before) / 1e9);
}
