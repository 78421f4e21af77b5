/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Stretches of code, each with what describes its frames. */
#ifndef MT_UNWIND_PIECES_H
#define MT_UNWIND_PIECES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "unwind/cfi.h"

/* [start, end): what the entry `fde` says, or, without one, a single rule. */
struct piece {
	uint64_t start, end;
	const struct cfi_fde *fde;
	struct unwind_rule rule;
};

struct pieces {
	struct piece *list;
	size_t count;
	size_t settled;		/* so many of them are sorted and do not overlap */
};

/* 0 or -ENOMEM. */
int pieces__add(struct pieces *pieces, const struct piece *piece);
/* Whether the settled pieces cover any of [start, end). */
bool pieces__overlap(const struct pieces *pieces, uint64_t start, uint64_t end);
/*
 * Sorts all. Where two overlap, the one that starts later holds from its start on, and of two with
 * the same start the first that was added: what a search of .eh_frame_hdr's table would find.
 */
void pieces__settle(struct pieces *pieces);
void pieces__release(struct pieces *pieces);

#endif
