// SPDX-License-Identifier: GPL-2.0-or-later
#include "report/losses.h"

#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>

#include "report/format.h"

#define FEW 1000	/* less than one of so many is few */
#define MAX_MODULES 16

struct losses {
	FILE *out;
	const struct snapshot *snapshot;
	uint64_t allocations;	/* ever, of processes that have ended too */
	uint64_t few;		/* that were left for one line */
};

/* True: so few that it goes to the line of all these. */
static bool is_few(struct losses *losses, uint64_t count)
{
	if (count >= losses->allocations / FEW)
		return false;
	losses->few += count;
	return true;
}

static void write_reason(struct losses *losses, enum lost_reason reason)
{
	uint64_t count = losses->snapshot->lost[reason];

	if (!count || reason == LOST_FREES_UNMATCHED || is_few(losses, count))
		return;
	fprintf(losses->out, "Lost: %" PRIu64 " %s: %s (%s)\n", count,
		lost_reason__noun(reason, count), lost_reason__cause(reason),
		lost_reason__effect(reason));
}

/* Allocations whose tracebacks end in a file. */
struct cut_in {
	uint32_t module;
	uint64_t count;
};

static void add_cut(struct cut_in cuts[MAX_MODULES], uint32_t module, uint64_t count)
{
	for (int i = 0; i < MAX_MODULES; i++) {
		if (cuts[i].count && cuts[i].module != module)
			continue;
		cuts[i].module = module;
		cuts[i].count += count;
		return;
	}
}

/* The file in which most tracebacks end for this reason; NULL: none is known. */
static const char *most_cut(const struct snapshot *snapshot, enum stop_reason stop)
{
	struct cut_in cuts[MAX_MODULES] = {}, *most = cuts;

	for (size_t i = 0; i <= snapshot->nprocesses; i++) {
		const struct traces *traces = snapshot__traces(snapshot, i);

		for (size_t j = 0; j < traces->count; j++) {
			const struct trace *trace = &traces->items[j];
			struct names_stack stack = names__get_stack(snapshot->names, trace->stack);

			if (stack.stop != stop || !stack.nlocations)
				continue;
			add_cut(cuts,
				names__get_location(snapshot->names,
						    stack.locations[stack.nlocations - 1])
					->module,
				trace->alloc_count);
		}
	}
	for (int i = 1; i < MAX_MODULES; i++)
		if (cuts[i].count > most->count)
			most = &cuts[i];
	return most->count ? names__get_module(snapshot->names, most->module)->path : NULL;
}

static void write_cut(struct losses *losses, enum stop_reason stop)
{
	uint64_t count = losses->snapshot->frames_cut[stop];
	const char *file;

	if (!count || !stop_reason__words(stop) || is_few(losses, count))
		return;
	fprintf(losses->out, "Lost: the way up of %" PRIu64 " allocation%s: %s", count,
		count == 1 ? "" : "s", stop_reason__words(stop));
	file = most_cut(losses->snapshot, stop);
	if (file) {
		fputs(", most of them in ", losses->out);
		write_text(losses->out, file);
	}
	fputs(" (sums and lines are right)\n", losses->out);
}

/* Tracing may have done it: these are the signals of a program that went wrong. */
static bool is_crash(uint32_t signal)
{
	return signal == SIGILL || signal == SIGTRAP || signal == SIGABRT || signal == SIGBUS ||
	       signal == SIGSEGV;
}

static void write_killed(FILE *out, const struct snapshot *snapshot)
{
	char signal[FORMAT_SIGNAL_MAX];
	uint64_t named = 0;

	for (; named < KILLED_NAMED && snapshot->killed[named].comm[0]; named++) {
		const struct snapshot_killed *killed = &snapshot->killed[named];

		fputs("Killed: ", out);
		write_text(out, killed->comm);
		fprintf(out, " (%" PRIu32 ") was killed by %s while traced%s\n", killed->pid,
			format_signal(signal, killed->signal),
			is_crash(killed->signal) ? "; if it lives when it is not traced, please "
						   "report that as a bug of memtracebpf" : "");
	}
	if (snapshot->nkilled > named)
		fprintf(out, "Killed: %" PRIu64 " more\n", snapshot->nkilled - named);
}

void write_lost(FILE *out, const struct snapshot *snapshot)
{
	struct losses losses = { out, snapshot, snapshot__allocations(snapshot), 0 };

	write_killed(out, snapshot);
	for (int i = 0; i < LOST_MAX; i++)
		write_reason(&losses, i);
	for (int i = 0; i < STOP_MAX; i++)
		write_cut(&losses, i);
	if (snapshot->programs_skipped && !is_few(&losses, snapshot->programs_skipped))
		fprintf(out, "Lost: %" PRIu64 " event%s: the kernel skipped the probe (sums may be "
			     "wrong)\n", snapshot->programs_skipped,
			snapshot->programs_skipped == 1 ? "" : "s");
	if (losses.few)
		fprintf(out, "Lost: %" PRIu64 " event%s, less than a thousandth each of %" PRIu64
			     " allocations; --format json has the causes\n", losses.few,
			losses.few == 1 ? "" : "s", losses.allocations);
	if (snapshot->note) {
		fputs("Note: ", out);
		write_text(out, snapshot->note);
		putc('\n', out);
	}
}
