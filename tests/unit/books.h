/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Snapshots written by hand for the tests. */
#ifndef MT_TESTS_UNIT_BOOKS_H
#define MT_TESTS_UNIT_BOOKS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "snapshot/snapshot.h"
#include "snapshot/statistics.h"

/* A location of its own with one frame, or with `inner` inlined into it. */
static inline uint32_t place(struct names *names, const char *function, const char *file,
			     uint32_t line, const char *module, uint64_t offset)
{
	const struct names_frame frame = { .function = function, .file = file, .line = line };
	uint32_t m = 0, l;

	if (module)
		assert_int_equal(names__module(names, module, NULL, &m), 0);
	assert_int_equal(names__location(names, m, offset, false, &l), 0);
	assert_int_equal(names__set_frames(names, l, &frame, 1), 0);
	return l;
}

/* Most recent call first; ends with 0. */
static inline uint32_t stack(struct names *names, int stop, ...)
{
	uint32_t locations[MAX_FRAMES], n = 0, index;
	va_list args;

	va_start(args, stop);
	while ((locations[n] = va_arg(args, uint32_t)))
		n++;
	va_end(args);
	assert_int_equal(names__stack(names, locations, n, stop, &index), 0);
	return index;
}

/* The same place in a file with this build id. */
static inline uint32_t place_in_build(struct names *names, const char *function, const char *file,
				      uint32_t line, const char *module, const char *build_id,
				      uint64_t offset)
{
	const struct names_frame frame = { .function = function, .file = file, .line = line };
	uint32_t m, l;

	assert_int_equal(names__module(names, module, build_id, &m), 0);
	assert_int_equal(names__location(names, m, offset, false, &l), 0);
	assert_int_equal(names__set_frames(names, l, &frame, 1), 0);
	return l;
}

static inline void hold_trace(struct snapshot *snapshot, uint32_t process, uint32_t stack,
			      uint64_t size, uint64_t count)
{
	const struct trace trace = {
		.stack = stack,
		.size = size,
		.count = count,
		.alloc_size = 2 * size,
		.alloc_count = 2 * count,
	};

	assert_int_equal(snapshot__add_trace(snapshot, process, &trace), 0);
	snapshot->size += size;
	snapshot->count += count;
	if (snapshot->peak_size < snapshot->size)
		snapshot->peak_size = snapshot->size;
}

static inline void hold_in(struct snapshot *snapshot, uint32_t process, uint32_t stack,
			   uint64_t size, uint64_t count)
{
	hold_trace(snapshot, process, stack, size, count);
	snapshot->processes[process].size += size;
	snapshot->processes[process].count += count;
}

/* The snapshot may have no processes. */
static inline void hold(struct snapshot *snapshot, uint32_t stack, uint64_t size, uint64_t count)
{
	hold_trace(snapshot, 0, stack, size, count);
}

static inline struct statistics *group(const struct snapshot *snapshot, const struct snapshot *old,
				       struct statistics_opts opts)
{
	struct statistics *statistics = NULL;

	assert_int_equal(statistics__new(snapshot, old, &opts, &statistics), 0);
	return statistics;
}

#endif
