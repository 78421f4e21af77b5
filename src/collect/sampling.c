// SPDX-License-Identifier: GPL-2.0-or-later
#include "collect/sampling.h"

#include <math.h>

/* Of `size` bytes a block: as many as `n` recorded ones stand for. */
static void scale(double weight, double size, uint64_t n, uint64_t *bytes, uint64_t *count)
{
	*count = llround(n * weight);
	*bytes = llround(n * weight * size);
}

void sampling__scale(uint64_t sample_bytes, uint64_t size, struct trace *trace)
{
	/* A block of no bytes counts as one there. */
	double probability = -expm1(-(double)(size ? size : 1) / sample_bytes);
	double weight = 1 / probability, n = trace->count;
	uint64_t slack = trace->usable_size > trace->size ? trace->usable_size - trace->size : 0;

	trace->count_variance = n * (1 - probability) * weight * weight;
	trace->size_variance = trace->count_variance * size * size;
	scale(weight, size, trace->count, &trace->size, &trace->count);
	scale(weight, size, trace->alloc_count, &trace->alloc_size, &trace->alloc_count);
	scale(weight, size, trace->peak_count, &trace->peak_size, &trace->peak_count);
	trace->temporary = llround(trace->temporary * weight);
	if (trace->usable_size)
		trace->usable_size = trace->size + llround(slack * weight);
}
