// SPDX-License-Identifier: GPL-2.0-or-later
#include "snapshot/pprof_values.h"

const struct pprof_value pprof_values[PPROF_VALUES] = {
	{ "inuse_objects", "count", offsetof(struct trace, count) },
	{ "inuse_space", "bytes", offsetof(struct trace, size) },
	{ "alloc_objects", "count", offsetof(struct trace, alloc_count) },
	{ "alloc_space", "bytes", offsetof(struct trace, alloc_size) },
	{ "peak_objects", "count", offsetof(struct trace, peak_count) },
	{ "peak_space", "bytes", offsetof(struct trace, peak_size) },
	{ "temporary_objects", "count", offsetof(struct trace, temporary) },
	{ "usable_space", "bytes", offsetof(struct trace, usable_size) },
};
