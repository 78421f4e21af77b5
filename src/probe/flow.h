/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The ways through a function, as far as they can be followed in its code. */
#ifndef MT_PROBE_FLOW_H
#define MT_PROBE_FLOW_H

#include <Zydis/Zydis.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "probe/code.h"

#define MAX_PARTS 128

/* Code that one entry of .eh_frame describes: a function, or the cold half of one. */
struct part {
	uint64_t start;
	size_t size;
	uint8_t *bytes;
	uint8_t *lengths;	/* by byte: of the instruction that begins here; 0: none was met */
	bool has_table;		/* a table says where a jump leads */
};

struct jump {
	uint64_t from, to;
};

/* A jump to a function of another file. */
struct way_out {
	uint64_t from;		/* the jump, or the stub of the PLT that it is in */
	const char *name;
	bool is_stub;
};

#define MAX_WAYS_OUT 32

struct flow {
	struct code *code;
	uint64_t start, size;	/* of the function; size 0: not known */
	const uint64_t *stops;	/* not to be followed beyond these */
	size_t nstops;
	struct part parts[MAX_PARTS];
	size_t nparts;
	struct jump *jumps;	/* direct ones, conditional or not */
	size_t njumps;
	uint64_t *returns;	/* `ret` instructions, each once */
	size_t nreturns;
	struct way_out out[MAX_WAYS_OUT];
	size_t nout;
	bool tables;		/* jumps by a table are not among the jumps */
	uint64_t *ways;		/* addresses still to be followed */
	size_t nways;
	bool all;		/* every way was followed to its end */
	ZydisDecoder decoder;
};

/* An instruction with its operands. */
struct step {
	uint64_t address;
	ZydisDecodedInstruction insn;
	ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
};

/*
 * Follows all ways from `start`, also into functions that it ends in by a jump, but for those at
 * `stops`. The function's size counts where .eh_frame does not describe it; 0: it is not known.
 * 0 or -ENOMEM; flow__release() in any case.
 */
int flow__follow(struct flow *flow, struct code *code, uint64_t start, uint64_t size,
		 const uint64_t *stops, size_t nstops);
void flow__release(struct flow *flow);

/* The bytes at an instruction that was met, up to the end of its part; NULL: it was not. */
const uint8_t *flow__bytes(const struct flow *flow, uint64_t address, size_t *size);
/* The instruction that may run before the one at `address` without a jump. Returns how many there
 * are: more than one where ways see the same bytes as different instructions. */
int flow__before(const struct flow *flow, uint64_t address, struct step *step);

#endif
