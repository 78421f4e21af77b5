// SPDX-License-Identifier: GPL-2.0-or-later
#include "collect/words.h"

#include <stdio.h>
#include <string.h>

#include "process/process.h"

bool words__missing(const struct collect_opts *opts, const struct traced *traced,
		    const struct process *process, char words[WORDS_MAX])
{
	const struct module *other;
	char comm[16];

	if (!process || !traced->nmodules)
		return false;
	other = traced__not_followed(traced);
	memcpy(comm, process->comm, sizeof(comm));
	target__clean_comm(comm);
	if (!opts->no_blocks && other)
		snprintf(words, WORDS_MAX,
			 "another allocator was found in %s (%d): %s in %s; blocks of its own are "
			 "not followed and are missing here", comm, traced->pid,
			 other->probes.allocator, other->path);
	else if (!opts->no_blocks && !traced__followed(traced))
		snprintf(words, WORDS_MAX, "no known allocator was found in %s (%d): its "
			 "blocks are missing here", comm, traced->pid);
	else if (opts->regions && !traced__has_mappers(traced))
		snprintf(words, WORDS_MAX, "no C library was found in %s (%d): what it maps "
			 "itself is missing here", comm, traced->pid);
	else
		return false;
	return true;
}

void words__children(uint32_t nchildren, char words[WORDS_MAX])
{
	if (nchildren == 1)
		snprintf(words, WORDS_MAX, "1 child was not followed: --follow-fork");
	else
		snprintf(words, WORDS_MAX, "%u children were not followed: --follow-fork", nchildren);
}

/* The calls that are followed, in words. */
static const char *what(const struct collect_opts *opts)
{
	if (opts->no_blocks)
		return "every mapping of the program's own";
	if (opts->sample_bytes)
		return opts->regions ? "a sample of the allocator's calls and every mapping of the "
				       "program's own" : "a sample of the allocator's calls";
	return opts->regions ? "every call of the allocator and every mapping of the program's own" :
			       "every call of the allocator";
}

void words__how(const struct collect_opts *opts, bool sessions, char words[WORDS_MAX])
{
	const char *by = sessions ? "uprobe.session" : "perf uprobe";
	char older[48] = "";

	if (opts->min_age_ns)
		snprintf(older, sizeof(older), "; only blocks older than %g s",
			 opts->min_age_ns / 1e9);
	snprintf(words, WORDS_MAX, "%s, by %s%s", what(opts), by, older);
}
