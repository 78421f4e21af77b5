// SPDX-License-Identifier: GPL-2.0-or-later
#include "doctor/findings.h"

#include <string.h>
#include <unistd.h>

static void read_setting(const char *path, char *value, size_t size)
{
	FILE *in = fopen(path, "re");

	*value = '\0';
	if (!in)
		return;
	if (!fgets(value, size, in))
		*value = '\0';
	fclose(in);
	value[strcspn(value, "\n")] = '\0';
}

/* "none [integrity] confidentiality": the one in brackets (security/lockdown/lockdown.c). */
static void choose_bracketed(char *value)
{
	char *begin = strchr(value, '['), *end = begin ? strchr(begin, ']') : NULL;

	if (!end)
		return;
	*end = '\0';
	memmove(value, begin + 1, end - begin);
}

static void read_settings(struct machine *machine)
{
	static const struct {
		const char *key, *path;
	} settings[MAX_SETTINGS] = {
		{ "perf_event_paranoid", "/proc/sys/kernel/perf_event_paranoid" },
		{ "unprivileged_bpf_disabled", "/proc/sys/kernel/unprivileged_bpf_disabled" },
		{ "lockdown", "/sys/kernel/security/lockdown" },
	};

	for (size_t i = 0; i < MAX_SETTINGS && settings[i].key; i++) {
		struct setting *setting = &machine->settings[machine->nsettings++];

		setting->key = settings[i].key;
		read_setting(settings[i].path, setting->value, sizeof(setting->value));
		choose_bracketed(setting->value);
	}
}

/* The processor says whether a hypervisor runs it (CPUID 1, ECX bit 31). */
static enum answer is_virtual(void)
{
	FILE *in = fopen("/proc/cpuinfo", "re");
	enum answer answer = ANSWER_UNKNOWN;
	char line[8192];

	while (in && answer == ANSWER_UNKNOWN && fgets(line, sizeof(line), in))
		if (!strncmp(line, "flags", strlen("flags")))
			answer = strstr(line, " hypervisor") ? ANSWER_YES : ANSWER_NO;
	if (in)
		fclose(in);
	return answer;
}

void machine__look(struct machine *machine)
{
	*machine = (struct machine){};
	uname(&machine->name);
	machine->ncpus = sysconf(_SC_NPROCESSORS_ONLN);
	machine->virtual = is_virtual();
	privilege__missing(machine->missing);
	read_settings(machine);
	features__find(!*machine->missing, machine->features, &machine->nfeatures);
}
