/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef MT_BASE_SATURATE_H
#define MT_BASE_SATURATE_H

#include <stdint.h>

/* Sums stay what a pprof file can hold, an int64. */
static inline void add_saturated(uint64_t *sum, uint64_t n)
{
	*sum = n > INT64_MAX || *sum > INT64_MAX - n ? INT64_MAX : *sum + n;
}

#endif
