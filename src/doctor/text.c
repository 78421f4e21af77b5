// SPDX-License-Identifier: GPL-2.0-or-later
/* For a person at a terminal. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "doctor/findings.h"
#include "report/format.h"
#include "symbol/demangle.h"

static const char *const answers[] = {
	[ANSWER_NO] = "no",
	[ANSWER_YES] = "yes",
	[ANSWER_UNKNOWN] = "?",
};

static void write_verdict(FILE *out, const struct machine *machine)
{
	if (machine__can_trace(machine)) {
		fputs("Tracing works here.\n", out);
		return;
	}
	fputs("Tracing does not work here:\n", out);
	if (*machine->missing)
		fprintf(out, "  capabilities are missing (%s): run memtracebpf as root\n",
			machine->missing);
	for (size_t i = 0; i < machine->nfeatures; i++)
		if (machine__lacks(machine, &machine->features[i]))
			fprintf(out, "  no %s: %s\n", machine->features[i].title,
				machine->features[i].without);
}

static void write_machine(FILE *out, const struct machine *machine)
{
	bool unknown = false;

	fprintf(out, "\nKernel\n  %s %s %s, %ld CPUs%s\n", machine->name.sysname,
		machine->name.release, machine->name.machine, machine->ncpus,
		machine->virtual == ANSWER_YES ? ", a virtual machine: traps cost more" : "");
	if (!*machine->missing)
		fputs("  capabilities: all that tracing needs\n", out);
	else
		fprintf(out, "  capabilities: without %s\n", machine->missing);
	for (size_t i = 0; i < machine->nsettings; i++)
		if (*machine->settings[i].value)
			fprintf(out, "  %s: %s\n", machine->settings[i].key,
				machine->settings[i].value);
	for (size_t i = 0; i < machine->nfeatures; i++) {
		const struct feature *feature = &machine->features[i];

		fprintf(out, "  %-3s  %-34s %s", answers[feature->answer], feature->title,
			feature->how);
		if (feature->answer == ANSWER_NO)
			fprintf(out, "\n       so: %s", feature->without);
		putc('\n', out);
		unknown = unknown || feature->answer == ANSWER_UNKNOWN;
	}
	if (unknown)
		fputs("  ?: could not be found out without more privileges\n", out);
}

static void write_cost(FILE *out, const struct cost *cost, bool works)
{
	double pair_ns = cost__pair_ns(cost);

	fputs("\nCost\n", out);
	if (!cost->kind) {
		fprintf(out, "  not measured: %s\n",
			works ? "no probe could be attached to a child of memtracebpf"
			      : "tracing does not work here");
		return;
	}
	fprintf(out,
		"  Empty programs attached by %s, nanoseconds added to a call that takes %.1f:\n"
		"  %8.0f  at the entry, on an instruction that the kernel emulates (push)\n"
		"  %8.0f  at the entry and the return\n"
		"  %8.0f  at the entry, on one that it has to single-step (test)\n"
		"  A malloc/free pair costs at least %.0f ns more while traced; a program that"
		" makes 100,000\n  a second loses at least %.0f %% of a CPU. What is done in them"
		" comes on top.\n",
		cost->kind, cost->call_ns, cost->entry_ns, cost->entry_return_ns, cost->stepped_ns,
		pair_ns, pair_ns * 100000 / 1e9 * 100);
}

static void write_probe(FILE *out, const struct probe *probe)
{
	char *demangled = demangle(probe->symbol);

	fprintf(out, "    +%#-8" PRIx64 " %-22s  %-14s  ", probe->offset, probe->instruction,
		probe->emulated ? "emulated" : "single-stepped");
	write_text(out, demangled ? demangled : probe->symbol);
	if (probe->kind == CALL_RETURNS)
		fputs(", where it returns", out);
	else if (probe->offset != probe->function)
		fprintf(out, "+%" PRIu64, probe->offset - probe->function);
	putc('\n', out);
	free(demangled);
}

static void write_carriers(FILE *out, const struct survey *survey)
{
	fputs("\nAllocators\n", out);
	for (size_t i = 0; i < survey->ncarriers; i++) {
		const struct carrier *carrier = &survey->carriers[i];
		const char *reason = carrier__reason(carrier);

		fputs("  ", out);
		write_text(out, carrier->path);
		fprintf(out, ": %s, %zu process%s", carrier->probes.allocator, carrier->nprocesses,
			carrier->nprocesses == 1 ? "" : "es");
		if (*carrier->build_id)
			fprintf(out, ", build id %.12s", carrier->build_id);
		putc('\n', out);
		if (reason)
			fprintf(out, "    not followed: %s\n", reason);
		for (size_t j = 0; j < carrier->probes.count; j++)
			write_probe(out, &carrier->probes.items[j]);
	}
	if (!survey->ncarriers)
		fputs("  none found\n", out);
}

static void write_carried(FILE *out, const struct survey *survey, const struct surveyed *process,
			  size_t i)
{
	const struct carrier *carrier = &survey->carriers[process->items[i].carrier];
	const char *slash = strrchr(carrier->path, '/');

	fprintf(out, "%s%s (", i ? ", " : "", carrier->probes.allocator);
	if (process->items[i].is_program)
		fputs("in the program", out);
	else
		write_text(out, slash ? slash + 1 : carrier->path);
	fputs(carrier__reason(carrier) ? "; not followed)" : ")", out);
}

static void write_processes(FILE *out, const struct survey *survey)
{
	fputs("\nProcesses\n", out);
	for (size_t i = 0; i < survey->nprocesses; i++) {
		const struct surveyed *process = &survey->processes[i];

		fprintf(out, "  %7d  ", (int)process->pid);
		write_text(out, process->comm);
		fprintf(out, "%*s", (int)(sizeof(process->comm) + 1 - strlen(process->comm)), "");
		for (size_t j = 0; j < process->count; j++)
			write_carried(out, survey, process, j);
		fputs(process->count ? "\n" : "no allocator found\n", out);
		if (!process->signs)
			continue;
		fputs("           ", out);
		write_text(out, process->signs);
		putc('\n', out);
	}
	if (survey->nunreadable)
		fprintf(out, "  %zu more cannot be looked at without more privileges\n",
			survey->nunreadable);
	if (survey->nunread_files)
		fprintf(out, "  %zu mapped files could not be read: they may carry allocators\n",
			survey->nunread_files);
}

void findings__text(FILE *out, const struct findings *findings)
{
	write_verdict(out, &findings->machine);
	write_machine(out, &findings->machine);
	write_cost(out, &findings->cost, machine__can_trace(&findings->machine));
	write_carriers(out, &findings->survey);
	write_processes(out, &findings->survey);
}
