// SPDX-License-Identifier: GPL-2.0-or-later
/* One JSON object, on one line (RFC 8259). */
#include <inttypes.h>
#include <string.h>

#include "doctor/findings.h"
#include "report/format.h"

/* "key":"value" with what separates it from the one before. */
static void write_pair(FILE *out, const char *separator, const char *key, const char *value)
{
	fprintf(out, "%s\"%s\":", separator, key);
	write_json_string(out, value);
}

static const char *known(const char *text)
{
	return *text ? text : NULL;
}

static const char *truth(bool value)
{
	return value ? "true" : "false";
}

static const char *answer(enum answer answer)
{
	return answer == ANSWER_UNKNOWN ? "null" : truth(answer == ANSWER_YES);
}

static void write_machine(FILE *out, const struct machine *machine)
{
	write_pair(out, "\"kernel\":{", "release", machine->name.release);
	write_pair(out, ",", "machine", machine->name.machine);
	fprintf(out, ",\"cpus\":%ld,\"virtual_machine\":%s", machine->ncpus,
		answer(machine->virtual));
	for (size_t i = 0; i < machine->nsettings; i++)
		write_pair(out, ",", machine->settings[i].key, known(machine->settings[i].value));
	write_pair(out, "},", "missing_capabilities", known(machine->missing));
	fputs(",\"features\":[", out);
	for (size_t i = 0; i < machine->nfeatures; i++) {
		const struct feature *feature = &machine->features[i];

		write_pair(out, i ? ",{" : "{", "name", feature->key);
		write_pair(out, ",", "title", feature->title);
		fprintf(out, ",\"available\":%s,\"keeps_from_tracing\":%s",
			answer(feature->answer), truth(machine__lacks(machine, feature)));
		write_pair(out, ",", "how", feature->how);
		write_pair(out, ",", "without", feature->without);
		putc('}', out);
	}
	fputs("],", out);
}

static void write_cost(FILE *out, const struct cost *cost)
{
	if (!cost->kind) {
		fputs("\"cost\":null,", out);
		return;
	}
	write_pair(out, "\"cost\":{", "attached_by", cost->kind);
	fprintf(out,
		",\"call_ns\":%.1f,\"entry_ns\":%.1f,\"entry_return_ns\":%.1f,\"stepped_ns\":%.1f,"
		"\"pair_ns\":%.1f},",
		cost->call_ns, cost->entry_ns, cost->entry_return_ns, cost->stepped_ns,
		cost__pair_ns(cost));
}

static void write_probe(FILE *out, const struct probe *probe)
{
	write_pair(out, "{", "function", probe->symbol);
	fprintf(out, ",\"offset\":%" PRId64 ",\"file_offset\":%" PRIu64,
		(int64_t)(probe->offset - probe->function), probe->offset);
	write_pair(out, ",", "instruction", probe->instruction);
	fprintf(out, ",\"emulated\":%s,\"at_return\":%s}", truth(probe->emulated),
		truth(probe->kind == CALL_RETURNS));
}

static void write_carrier(FILE *out, const struct carrier *carrier)
{
	write_pair(out, "{", "path", carrier->path);
	write_pair(out, ",", "build_id", known(carrier->build_id));
	write_pair(out, ",", "allocator", carrier->probes.allocator);
	write_pair(out, ",", "not_followed", carrier__reason(carrier));
	fprintf(out, ",\"processes\":%zu,\"probes\":[", carrier->nprocesses);
	for (size_t i = 0; i < carrier->probes.count; i++) {
		if (i)
			putc(',', out);
		write_probe(out, &carrier->probes.items[i]);
	}
	fputs("]}", out);
}

static void write_process(FILE *out, const struct survey *survey, const struct surveyed *process)
{
	fprintf(out, "{\"pid\":%d", (int)process->pid);
	write_pair(out, ",", "comm", process->comm);
	fputs(",\"allocators\":[", out);
	for (size_t i = 0; i < process->count; i++) {
		const struct carrier *carrier = &survey->carriers[process->items[i].carrier];

		write_pair(out, i ? ",{" : "{", "name", carrier->probes.allocator);
		write_pair(out, ",", "file", carrier->path);
		write_pair(out, ",", "build_id", known(carrier->build_id));
		fprintf(out, ",\"in_program\":%s,\"followed\":%s}",
			truth(process->items[i].is_program), truth(!carrier__reason(carrier)));
	}
	fputs("],\"not_seen\":", out);
	write_json_string(out, process->signs);
	putc('}', out);
}

static void write_survey(FILE *out, const struct survey *survey)
{
	fputs("\"files\":[", out);
	for (size_t i = 0; i < survey->ncarriers; i++) {
		if (i)
			putc(',', out);
		write_carrier(out, &survey->carriers[i]);
	}
	fputs("],\"processes\":[", out);
	for (size_t i = 0; i < survey->nprocesses; i++) {
		if (i)
			putc(',', out);
		write_process(out, survey, &survey->processes[i]);
	}
	fprintf(out, "],\"unreadable_processes\":%zu,\"unreadable_files\":%zu",
		survey->nunreadable, survey->nunread_files);
}

void findings__json(FILE *out, const struct findings *findings)
{
	fprintf(out, "{\"version\":1,\"works\":%s,", truth(machine__can_trace(&findings->machine)));
	write_machine(out, &findings->machine);
	write_cost(out, &findings->cost);
	write_survey(out, &findings->survey);
	fputs("}\n", out);
}
