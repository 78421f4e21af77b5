/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where functions return. An exception that passes through a function finds its way by the return
 * address, and a return probe replaces just that: the unwinder would meet the kernel's trampoline,
 * of which it knows nothing, and end the program. So the returns of such functions are probed as
 * instructions.
 */
#ifndef MT_EXITS_H
#define MT_EXITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "probe/code.h"

struct exits {
	uint64_t *addresses;	/* of `ret` instructions, each once */
	size_t count;
	bool all;	/* there is no other way out but by an exception */
};

/*
 * Adds the returns of the function at `start` to `exits`: its own and those of the functions that
 * it leaves by a jump, but for the `nstops` functions at `stops`: their calls are seen themselves.
 * exits->all becomes false where a way could not be followed to its end. 0 or -ENOMEM;
 * exits__release() in any case.
 */
int exits__find(struct code *code, uint64_t start, const uint64_t *stops, size_t nstops,
		struct exits *exits);
void exits__release(struct exits *exits);

#endif
