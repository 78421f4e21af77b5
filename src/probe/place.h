/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads a function of a file and chooses the instruction that carries its probe. */
#ifndef MT_PROBE_PLACE_H
#define MT_PROBE_PLACE_H

#include <stdint.h>

#include "probe/code.h"
#include "probe/instruction.h"

/*
 * For the function at `address`, of whose arguments `nargs` are read. `size` is its symbol's; 0:
 * nobody wrote it down, .eh_frame may know it. 0, -ENOEXEC where there is no code, or -errno.
 */
int place__choose(struct code *code, uint64_t address, uint64_t size, unsigned int nargs,
		  struct instruction *chosen);

#endif
