// SPDX-License-Identifier: GPL-2.0-or-later
#include "probe/flow.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Bounds for files that have more, or pretend to. */
#define MAX_PART_SIZE (1 << 20)
#define MAX_WAYS 4096
#define MAX_JUMPS 16384
#define MAX_RETURNS 256

#define MAX_STUB_SIZE 16	/* of a PLT entry that .eh_frame says nothing about */

static struct part *add_part(struct flow *flow, uint64_t address)
{
	struct part *part = &flow->parts[flow->nparts];
	uint64_t start = address, end = address + MAX_STUB_SIZE;
	ssize_t n;

	if (flow->nparts == MAX_PARTS || elf_file__is_late(&flow->code->file))
		return NULL;
	if (!code__described(flow->code, address, &start, &end) &&
	    address - flow->start < flow->size) {
		start = flow->start;
		end = start + flow->size;
	}
	if (end - start > MAX_PART_SIZE)
		return NULL;
	part->start = start;
	part->bytes = malloc(end - start);
	part->lengths = calloc(end - start, 1);
	flow->nparts++;		/* to be freed */
	n = part->bytes && part->lengths ?
		    code__read(flow->code, start, part->bytes, end - start) : 0;
	part->size = n > 0 ? n : 0;
	return address - start < part->size ? part : NULL;
}

static struct part *find_part(const struct flow *flow, uint64_t address)
{
	for (size_t i = 0; i < flow->nparts; i++)
		if (address - flow->parts[i].start < flow->parts[i].size)
			return (struct part *)&flow->parts[i];
	return NULL;
}

static void add_way(struct flow *flow, uint64_t from, uint64_t to)
{
	for (size_t i = 0; i < flow->nstops; i++)
		if (flow->stops[i] == to)
			return;
	if (flow->nways == MAX_WAYS || flow->njumps == MAX_JUMPS) {
		flow->all = false;
		return;
	}
	flow->jumps[flow->njumps++] = (struct jump){ from, to };
	flow->ways[flow->nways++] = to;
}

static void add_return(struct flow *flow, uint64_t address)
{
	if (flow->nreturns == MAX_RETURNS)
		flow->all = false;
	else
		flow->returns[flow->nreturns++] = address;
}

/* Where a jump leads; false: that is decided at run time, or lies in another file. */
static bool jump_target(const struct flow *flow, const struct step *step, uint64_t *target)
{
	const ZydisDecodedOperand *operand = &step->operands[0];

	if (!ZYAN_SUCCESS(ZydisCalcAbsoluteAddress(&step->insn, operand, step->address, target)))
		return false;
	if (operand->type == ZYDIS_OPERAND_TYPE_IMMEDIATE)
		return true;
	return operand->type == ZYDIS_OPERAND_TYPE_MEMORY &&
	       operand->mem.base == ZYDIS_REGISTER_RIP &&
	       code__relocated(flow->code, *target, target);
}

/* Does nothing run behind it? */
static bool is_end(const ZydisDecodedInstruction *insn)
{
	return insn->meta.category == ZYDIS_CATEGORY_RET ||
	       insn->meta.category == ZYDIS_CATEGORY_UNCOND_BR ||
	       insn->meta.category == ZYDIS_CATEGORY_INTERRUPT ||
	       insn->mnemonic == ZYDIS_MNEMONIC_UD2 || insn->mnemonic == ZYDIS_MNEMONIC_HLT;
}

static bool decode(const struct flow *flow, const struct part *part, uint64_t address,
		   struct step *step)
{
	size_t at = address - part->start;

	step->address = address;
	return ZYAN_SUCCESS(ZydisDecoderDecodeFull(&flow->decoder, part->bytes + at,
						   part->size - at, &step->insn, step->operands));
}

/*
 * Is it the jump of a `switch`? Compilers load the distance from a table and add where that lies, or
 * jump by a table of addresses. What is loaded and jumped to as it is, is somebody's function.
 */
static bool is_table_jump(const struct flow *flow, const struct step *jump)
{
	const ZydisDecodedOperand *to = &jump->operands[0];
	struct step before;

	if (to->type == ZYDIS_OPERAND_TYPE_MEMORY)
		return to->mem.index != ZYDIS_REGISTER_NONE && to->mem.scale == 8;
	return to->type == ZYDIS_OPERAND_TYPE_REGISTER &&
	       flow__before(flow, jump->address, &before) == 1 &&
	       before.insn.mnemonic == ZYDIS_MNEMONIC_ADD &&
	       before.operands[0].type == ZYDIS_OPERAND_TYPE_REGISTER &&
	       before.operands[1].type == ZYDIS_OPERAND_TYPE_REGISTER &&
	       before.operands[0].reg.value == to->reg.value;
}

/* A jump that does not lead into the file. `way` is where the way to it began. */
static bool add_way_out(struct flow *flow, struct part *part, uint64_t way,
			const struct step *jump)
{
	const ZydisDecodedOperand *to = &jump->operands[0];
	struct way_out out = { .from = jump->address };
	uint64_t slot;

	if (is_table_jump(flow, jump)) {
		part->has_table = flow->tables = true;
		return true;
	}
	if (to->type != ZYDIS_OPERAND_TYPE_MEMORY || to->mem.base != ZYDIS_REGISTER_RIP ||
	    !ZYAN_SUCCESS(ZydisCalcAbsoluteAddress(&jump->insn, to, jump->address, &slot)))
		return false;
	out.name = code__import(flow->code, slot);
	out.is_stub = way != flow->start && jump->address - way <= 4;	/* endbr64 */
	if (out.is_stub)
		out.from = way;
	if (!out.name || flow->nout == MAX_WAYS_OUT)
		return false;
	flow->out[flow->nout++] = out;
	return true;
}

/* Follows one way to where it ends or meets another. False: it gets lost. */
static bool follow_way(struct flow *flow, uint64_t address)
{
	struct part *part = find_part(flow, address);
	uint64_t way = address, target;
	struct step step;

	if (!part)
		part = add_part(flow, address);
	if (!part)
		return false;
	/* What would run out of a part has called a function that does not return. */
	for (; address - part->start < part->size; address += step.insn.length) {
		if (part->lengths[address - part->start])
			return true;
		if (!decode(flow, part, address, &step))
			return false;
		part->lengths[address - part->start] = step.insn.length;
		if (step.insn.meta.category == ZYDIS_CATEGORY_RET)
			add_return(flow, address);
		if (step.insn.meta.category == ZYDIS_CATEGORY_UNCOND_BR ||
		    step.insn.meta.category == ZYDIS_CATEGORY_COND_BR) {
			if (jump_target(flow, &step, &target))
				add_way(flow, address, target);
			else if (!add_way_out(flow, part, way, &step))
				return false;
		}
		if (is_end(&step.insn))
			return true;
	}
	return true;
}

/* Every instruction of a part may be where its table leads. False: all were met. */
static bool add_unmet(struct flow *flow)
{
	for (size_t i = 0; i < flow->nparts && flow->all; i++) {
		const struct part *part = &flow->parts[i];
		size_t at = 0;

		while (part->has_table && at < part->size && part->lengths[at])
			at += part->lengths[at];
		if (part->has_table && at < part->size) {
			flow->ways[flow->nways++] = part->start + at;
			return true;
		}
	}
	return false;
}

int flow__follow(struct flow *flow, struct code *code, uint64_t start, uint64_t size,
		 const uint64_t *stops, size_t nstops)
{
	*flow = (struct flow){ .code = code, .start = start, .size = size, .stops = stops,
			       .nstops = nstops, .all = true };
	flow->ways = calloc(MAX_WAYS, sizeof(*flow->ways));
	flow->jumps = calloc(MAX_JUMPS, sizeof(*flow->jumps));
	flow->returns = calloc(MAX_RETURNS, sizeof(*flow->returns));
	if (!flow->ways || !flow->jumps || !flow->returns)
		return -ENOMEM;
	ZydisDecoderInit(&flow->decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	flow->ways[flow->nways++] = start;
	do {
		while (flow->nways)
			if (!follow_way(flow, flow->ways[--flow->nways]))
				flow->all = false;
	} while (add_unmet(flow));
	return 0;
}

void flow__release(struct flow *flow)
{
	for (size_t i = 0; i < flow->nparts; i++) {
		free(flow->parts[i].bytes);
		free(flow->parts[i].lengths);
	}
	free(flow->ways);
	free(flow->jumps);
	free(flow->returns);
}

const uint8_t *flow__bytes(const struct flow *flow, uint64_t address, size_t *size)
{
	const struct part *part = find_part(flow, address);

	if (!part || !part->lengths[address - part->start])
		return NULL;
	*size = part->size - (address - part->start);
	return part->bytes + (address - part->start);
}

int flow__before(const struct flow *flow, uint64_t address, struct step *step)
{
	const struct part *part = find_part(flow, address);
	int found = 0;

	for (size_t n = 1; part && n <= ZYDIS_MAX_INSTRUCTION_LENGTH; n++) {
		struct step before;

		if (address - part->start < n || part->lengths[address - part->start - n] != n ||
		    !decode(flow, part, address - n, &before) || is_end(&before.insn))
			continue;
		*step = before;
		found++;
	}
	return found;
}
