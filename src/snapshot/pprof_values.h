/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A sample's values, in the order in which they are written. */
#ifndef MT_SNAPSHOT_PPROF_VALUES_H
#define MT_SNAPSHOT_PPROF_VALUES_H

#include "snapshot/snapshot.h"

#define PPROF_VALUES 8

struct pprof_value {
	const char *type, *unit;
	size_t member;		/* offset of the uint64_t in struct trace */
};

extern const struct pprof_value pprof_values[PPROF_VALUES];

static inline uint64_t *pprof_value__of(const struct pprof_value *value, struct trace *trace)
{
	return (uint64_t *)((char *)trace + value->member);
}

#endif
