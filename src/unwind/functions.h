/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Follows the stack pointer through functions that come without unwind information (musl is built
 * so). A function is believed if every way through it that we see leads with one and the same stack
 * depth to each instruction, and to each return with the registers of the caller restored.
 */
#ifndef MT_UNWIND_FUNCTIONS_H
#define MT_UNWIND_FUNCTIONS_H

#include "unwind/image.h"
#include "unwind/pieces.h"

struct functions;

struct functions *functions__new(struct image *image);	/* NULL: no memory */
void functions__free(struct functions *functions);		/* takes NULL */
/* A function starts at `start`; size 0: unknown. */
void functions__expect(struct functions *functions, uint64_t start, uint64_t size);
/* Adds what is certain, and settles; 0 or -ENOMEM. It knows the functions that symbols name. */
int functions__follow(struct functions *functions, struct pieces *pieces);

#endif
