// SPDX-License-Identifier: GPL-2.0-or-later
/* What follows from what was found. */
#include "doctor/findings.h"

#include <string.h>

static bool has_sessions(const struct machine *machine)
{
	for (size_t i = 0; i < machine->nfeatures; i++)
		if (!strcmp(machine->features[i].key, "uprobe_session"))
			return machine->features[i].answer == ANSWER_YES;
	return false;
}

bool machine__lacks(const struct machine *machine, const struct feature *feature)
{
	return feature->answer == ANSWER_NO &&
	       (feature->need == NEEDED ||
		(feature->need == NEEDED_WITHOUT_SESSIONS && !has_sessions(machine)));
}

bool machine__can_trace(const struct machine *machine)
{
	if (*machine->missing)
		return false;
	for (size_t i = 0; i < machine->nfeatures; i++)
		if (machine__lacks(machine, &machine->features[i]))
			return false;
	return true;
}

double cost__pair_ns(const struct cost *cost)
{
	return cost->entry_return_ns + cost->entry_ns;
}

const char *carrier__reason(const struct carrier *carrier)
{
	if (carrier->probes.count)
		return NULL;
	return carrier->probes.why_refused ? carrier->probes.why_refused :
					     "recognised, but memtracebpf cannot follow it yet";
}
