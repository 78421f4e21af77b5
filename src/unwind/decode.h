/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Unwind rules for code that comes without unwind information, read off its instructions. */
#ifndef MT_UNWIND_DECODE_H
#define MT_UNWIND_DECODE_H

#include "unwind/image.h"
#include "unwind/pieces.h"

/*
 * Adds to `pieces`, for code that none of the settled ones covers: the outermost frames (the ELF
 * entry, the child's side of clone), the return from signal handlers, and the functions of which
 * every step of the stack pointer can be followed. What is not certain stays uncovered. Settles.
 * 0 or -ENOMEM.
 */
int decode__uncovered(struct image *image, struct pieces *pieces);

#endif
