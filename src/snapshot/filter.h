/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef MT_SNAPSHOT_FILTER_H
#define MT_SNAPSHOT_FILTER_H

#include "snapshot/statistics.h"

/* What filters say of a frame, a traceback or a domain; to be or'ed. */
enum filter_match {
	FILTER_INCLUDED = 1,
	FILTER_EXCLUDED = 2,
};

uint8_t filters__match_frame(const struct statistics_opts *opts, const char *file, uint32_t line);
uint8_t filters__match_domain(const struct statistics_opts *opts, const char *domain);
/* The verdict over all matches of a trace. */
bool filters__pass(const struct statistics_opts *opts, uint8_t matches);

#endif
