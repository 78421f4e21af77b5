// SPDX-License-Identifier: GPL-2.0-or-later
#include "probe/exits.h"

#include <Zydis/Zydis.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Bounds for files that have more, or pretend to. */
#define MAX_PARTS 128
#define MAX_PART_SIZE (1 << 20)
#define MAX_WAYS 4096
#define MAX_EXITS 256

#define MAX_STUB_SIZE 16	/* of a PLT entry that .eh_frame says nothing about */

/* Code that one entry of .eh_frame describes: a function, or the cold half of one. */
struct part {
	uint64_t start;
	size_t size;
	uint8_t *bytes;
	bool *seen;		/* by byte: an instruction begins here, and has been followed */
};

struct search {
	struct code *code;
	const uint64_t *stops;
	size_t nstops;
	struct exits *exits;
	struct part parts[MAX_PARTS];
	size_t nparts;
	uint64_t ways[MAX_WAYS];	/* addresses still to be followed */
	size_t nways;
	ZydisDecoder decoder;
};

static struct part *add_part(struct search *search, uint64_t address)
{
	struct part *part = &search->parts[search->nparts];
	uint64_t start = address, end = address + MAX_STUB_SIZE;
	ssize_t n;

	code__described(search->code, address, &start, &end);
	if (search->nparts == MAX_PARTS || end - start > MAX_PART_SIZE)
		return NULL;
	part->start = start;
	part->bytes = malloc(end - start);
	part->seen = calloc(end - start, sizeof(*part->seen));
	search->nparts++;	/* to be freed */
	n = part->bytes && part->seen ? code__read(search->code, start, part->bytes, end - start)
				      : 0;
	part->size = n > 0 ? n : 0;
	return address - start < part->size ? part : NULL;
}

static struct part *part_at(struct search *search, uint64_t address)
{
	for (size_t i = 0; i < search->nparts; i++) {
		struct part *part = &search->parts[i];

		if (address - part->start < part->size)
			return part;
	}
	return add_part(search, address);
}

static void add_way(struct search *search, uint64_t address)
{
	for (size_t i = 0; i < search->nstops; i++)
		if (search->stops[i] == address)
			return;
	if (search->nways == MAX_WAYS)
		search->exits->all = false;
	else
		search->ways[search->nways++] = address;
}

static void add_exit(struct exits *exits, uint64_t address)
{
	for (size_t i = 0; i < exits->count; i++)
		if (exits->addresses[i] == address)
			return;
	if (exits->count == MAX_EXITS)
		exits->all = false;
	else
		exits->addresses[exits->count++] = address;
}

/* Where a jump leads; false: that is decided at run time, or lies in another file. */
static bool jump_target(struct search *search, uint64_t address,
			const ZydisDecodedInstruction *insn, const ZydisDecodedOperand *operand,
			uint64_t *target)
{
	if (!ZYAN_SUCCESS(ZydisCalcAbsoluteAddress(insn, operand, address, target)))
		return false;
	if (operand->type == ZYDIS_OPERAND_TYPE_IMMEDIATE)
		return true;
	return operand->type == ZYDIS_OPERAND_TYPE_MEMORY &&
	       operand->mem.base == ZYDIS_REGISTER_RIP &&
	       code__relocated(search->code, *target, target);
}

static bool stops(const ZydisDecodedInstruction *insn)
{
	return insn->meta.category == ZYDIS_CATEGORY_INTERRUPT ||
	       insn->mnemonic == ZYDIS_MNEMONIC_UD2 || insn->mnemonic == ZYDIS_MNEMONIC_HLT;
}

/* Follows one way to where it ends or meets another. False: it gets lost. */
static bool follow_way(struct search *search, uint64_t address)
{
	ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
	struct part *part = part_at(search, address);
	ZydisDecodedInstruction insn;
	uint64_t target;

	if (!part)
		return false;
	/* What would run out of a part has called a function that does not return. */
	for (; address - part->start < part->size; address += insn.length) {
		size_t at = address - part->start;

		if (part->seen[at])
			return true;
		part->seen[at] = true;
		if (!ZYAN_SUCCESS(ZydisDecoderDecodeFull(&search->decoder, part->bytes + at,
							 part->size - at, &insn, operands)))
			return false;
		if (stops(&insn))
			return true;
		if (insn.meta.category == ZYDIS_CATEGORY_RET) {
			add_exit(search->exits, address);
			return true;
		}
		if (insn.meta.category != ZYDIS_CATEGORY_UNCOND_BR &&
		    insn.meta.category != ZYDIS_CATEGORY_COND_BR)
			continue;
		if (!jump_target(search, address, &insn, &operands[0], &target))
			return false;
		add_way(search, target);
		if (insn.meta.category == ZYDIS_CATEGORY_UNCOND_BR)
			return true;
	}
	return true;
}

static void release_parts(struct search *search)
{
	for (size_t i = 0; i < search->nparts; i++) {
		free(search->parts[i].bytes);
		free(search->parts[i].seen);
	}
}

int exits__find(struct code *code, uint64_t start, const uint64_t *stops, size_t nstops,
		struct exits *exits)
{
	struct search *search = calloc(1, sizeof(*search));

	if (search && !exits->addresses)
		exits->addresses = calloc(MAX_EXITS, sizeof(*exits->addresses));
	if (!search || !exits->addresses) {
		free(search);
		return -ENOMEM;
	}
	search->code = code;
	search->stops = stops;
	search->nstops = nstops;
	search->exits = exits;
	ZydisDecoderInit(&search->decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	search->ways[search->nways++] = start;
	while (search->nways)
		if (!follow_way(search, search->ways[--search->nways]))
			exits->all = false;
	release_parts(search);
	free(search);
	return 0;
}

void exits__release(struct exits *exits)
{
	free(exits->addresses);
	*exits = (struct exits){ 0 };
}
