/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where functions return. An exception that passes through a function finds its way by the return
 * address, and a return probe replaces just that: the unwinder would meet the kernel's trampoline,
 * of which it knows nothing, and end the program. The kernel also takes for granted that a thread
 * has but one stack. So functions that may throw, or run other code of the program, are probed at
 * instructions.
 *
 * The kernel has to single-step a `ret`, which is dear. But the last jump before it is emulated,
 * and often decides all: from there on nothing but moves and pops follow. Where that holds for
 * every way to a `ret`, the jumps are probed in its place.
 */
#ifndef MT_PROBE_EXITS_H
#define MT_PROBE_EXITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "probe/code.h"

struct exit {
	uint64_t address;	/* of the instruction */
	uint64_t cookie;	/* MAKE_EXIT() */
	bool emulated;
	char text[64];
};

struct exits {
	struct exit *items;
	size_t count;
	bool all;		/* there is no other way out but by an exception */
};

/* Functions whose calls are seen themselves: their starts, and where they carry their probes. */
struct probed {
	uint64_t *starts, *probes;
	size_t count;
};

/*
 * Adds the exits of the function at `start` to `exits`: its own and those of the functions that it
 * ends in by a jump, unless they are probed. `size` is its symbol's, or 0. exits->all becomes false
 * where a way could not be followed to its end. 0 or -ENOMEM; exits__release() in any case.
 */
int exits__find(struct code *code, uint64_t start, uint64_t size, const struct probed *probed,
		struct exits *exits);
void exits__release(struct exits *exits);

#endif
