// SPDX-License-Identifier: GPL-2.0-or-later
#include "report/footer.h"

#include <inttypes.h>
#include <math.h>
#include <signal.h>

#include "report/format.h"
#include "report/losses.h"

static void write_ended(FILE *out, const struct snapshot_ended *ended)
{
	char allocated[FORMAT_SIZE_MAX], held[FORMAT_SIZE_MAX];

	if (!ended->processes)
		return;
	fprintf(out,
		"Ended: %" PRIu64 " process%s; allocated: size=%s, count=%" PRIu64
		"; still held: size=%s, count=%" PRIu64 "\n",
		ended->processes, ended->processes == 1 ? "" : "es",
		format_size(allocated, ended->alloc_size, false), ended->alloc_count,
		format_size(held, ended->size, false), ended->count);
}

static void write_older(FILE *out, uint64_t frees)
{
	if (frees)
		fprintf(out, "Freed from before tracing: %" PRIu64 " block%s (no loss)\n", frees,
			frees == 1 ? "" : "s");
}

static void write_inherited(FILE *out, uint64_t frees)
{
	if (frees)
		fprintf(out, "Freed after fork: %" PRIu64 " block%s of the parent (no loss)\n",
			frees, frees == 1 ? "" : "s");
}

static void write_sampled(FILE *out, const struct snapshot *snapshot)
{
	char buffer[FORMAT_SIZE_MAX];

	if (!snapshot->sample_bytes)
		return;
	fprintf(out, "Estimated from a sample of 1 in about %s%s\n",
		format_size(buffer, snapshot->sample_bytes, false),
		snapshot__has_errors(snapshot) ? "; ± is one standard error" : "");
}

static void add_variances(const struct snapshot *snapshot, double *of_size, double *of_count)
{
	for (size_t i = 0; i <= snapshot->nprocesses; i++) {
		const struct traces *traces = snapshot__traces(snapshot, i);

		for (size_t j = 0; j < traces->count; j++) {
			*of_size += traces->items[j].size_variance;
			*of_count += traces->items[j].count_variance;
		}
	}
}

static void write_total(FILE *out, const struct snapshot *snapshot)
{
	double size_variance = 0, count_variance = 0;
	bool errors = snapshot__has_errors(snapshot);
	char buffer[FORMAT_SIZE_MAX];

	if (errors)
		add_variances(snapshot, &size_variance, &count_variance);
	fprintf(out, "Total: size=%s", format_size(buffer, snapshot->size, false));
	if (errors)
		fprintf(out, " ± %s", format_size(buffer, sqrt(size_variance), false));
	fprintf(out, ", count=%" PRIu64, snapshot->count);
	if (errors)
		fprintf(out, " ± %.0f", sqrt(count_variance));
	if (snapshot__peak_known(snapshot))
		fprintf(out, ", peak=%s", format_size(buffer, snapshot->peak_size, false));
	putc('\n', out);
}

#define GAPS_SHOWN 5

static void write_gap(FILE *out, const struct snapshot *snapshot, const struct snapshot_gap *gap)
{
	char grown[FORMAT_SIZE_MAX], tracked[FORMAT_SIZE_MAX];

	fputs("Not seen: ", out);
	if (snapshot->many || snapshot->nprocesses != 1) {
		write_text(out, gap->comm ? gap->comm : "?");
		fprintf(out, " (%" PRIu32 "): ", gap->pid);
	}
	fprintf(out, "resident memory grew by %s, tracked allocations by %s.\n",
		format_size(grown, gap->grown, false), format_size(tracked, gap->tracked, false));
	if (!gap->why)
		return;
	fputs("    ", out);
	write_text(out, gap->why);
	putc('\n', out);
}

static void write_coverage(FILE *out, const struct snapshot *snapshot)
{
	const struct snapshot_coverage *coverage = &snapshot->coverage;
	char buffer[FORMAT_SIZE_MAX];
	uint64_t unseen = 0;
	size_t i;

	for (i = 0; i < coverage->ngaps && i < GAPS_SHOWN; i++)
		write_gap(out, snapshot, &coverage->gaps[i]);
	if (i == coverage->ngaps)
		return;
	for (size_t j = i; j < coverage->ngaps; j++)
		unseen += coverage->gaps[j].unseen;
	fprintf(out, "Not seen: %s in %zu more process%s\n", format_size(buffer, unseen, false),
		coverage->ngaps - i, coverage->ngaps - i == 1 ? "" : "es");
}

static void write_own_memory(FILE *out, const struct snapshot *snapshot)
{
	char rss[FORMAT_SIZE_MAX], peak[FORMAT_SIZE_MAX], kernel[FORMAT_SIZE_MAX];

	fprintf(out, "Own memory: resident=%s, peak=%s, kernel tables=%s\n",
		format_size(rss, snapshot->own_rss, false),
		format_size(peak, snapshot->own_peak, false),
		format_size(kernel, snapshot->own_kernel, false));
}

static void write_younger(FILE *out, const struct snapshot *snapshot)
{
	char buffer[FORMAT_SIZE_MAX];
	uint64_t size, count;

	snapshot__younger(snapshot, &size, &count);
	fprintf(out, "Younger than %g s: size=%s, count=%" PRIu64 "\n", snapshot->min_age_ns / 1e9,
		format_size(buffer, size, false), count);
}

void write_footer(FILE *out, const struct snapshot *snapshot, const struct statistics *statistics,
		  const struct report_opts *opts)
{
	char buffer[FORMAT_SIZE_MAX];

	if (opts->statistics.nfilters)
		fprintf(out, "Filtered out: size=%s, count=%" PRIu64 "\n",
			format_size(buffer, statistics->filtered_size, false),
			statistics->filtered_count);
	if (snapshot->min_age_ns)
		write_younger(out, snapshot);
	write_total(out, snapshot);
	write_coverage(out, snapshot);
	write_ended(out, &snapshot->ended);
	write_older(out, snapshot->lost[LOST_FREES_UNMATCHED]);
	write_inherited(out, snapshot->frees_inherited);
	write_sampled(out, snapshot);
	write_lost(out, snapshot);
	if (opts->own_memory && snapshot->own_rss)
		write_own_memory(out, snapshot);
}
