// SPDX-License-Identifier: GPL-2.0-or-later
/* As tracemalloc.Snapshot.filter_traces(). */
#include "snapshot/filter.h"

#include <fnmatch.h>
#include <string.h>

uint8_t filters__match_frame(const struct statistics_opts *opts, const char *file, uint32_t line)
{
	uint8_t matches = 0;

	for (size_t i = 0; i < opts->nfilters; i++) {
		const struct filter *filter = &opts->filters[i];

		if (filter->domain || (filter->line && filter->line != line) ||
		    fnmatch(filter->file, file ? file : "<unknown>", FNM_NOESCAPE))
			continue;
		matches |= filter->inclusive ? FILTER_INCLUDED : FILTER_EXCLUDED;
	}
	return matches;
}

uint8_t filters__match_domain(const struct statistics_opts *opts, const char *domain)
{
	uint8_t matches = 0;

	for (size_t i = 0; i < opts->nfilters; i++) {
		const struct filter *filter = &opts->filters[i];

		if (filter->domain && !strcmp(filter->domain, domain ? domain : "malloc"))
			matches |= filter->inclusive ? FILTER_INCLUDED : FILTER_EXCLUDED;
	}
	return matches;
}

bool filters__pass(const struct statistics_opts *opts, uint8_t matches)
{
	bool any_inclusive = false;

	for (size_t i = 0; i < opts->nfilters; i++)
		any_inclusive |= opts->filters[i].inclusive;
	return !(matches & FILTER_EXCLUDED) && (!any_inclusive || matches & FILTER_INCLUDED);
}
