// SPDX-License-Identifier: GPL-2.0-or-later
#include "unwind/functions.h"

#include <Zydis/Zydis.h>
#include <errno.h>
#include <stdlib.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

/* Four times what musl has: bounds time and memory for files that have more, or pretend to. */
#define MAX_INSTRUCTIONS 400000
#define MAX_FUNCTIONS 100000
#define MAX_SCANNED 4000000	/* of described code, for what it calls: 0.2 s */
#define MAX_HEIGHT (1 << 24)

#define MAX_PASSES 16

#define LOST (-1)

/* What holds before an instruction. */
struct state {
	int32_t height;		/* CFA - rsp */
	int32_t bp, bx;		/* 0: the caller's value; LOST; else saved at CFA - this */
};

static const struct state at_entry = { .height = 8 };

struct function {
	uint64_t start, size;	/* size 0: unknown */
	size_t first, end;	/* its instructions in functions->in_order */
	struct function *next;
	bool rejected;
	UT_hash_handle hh;
};

struct instruction {
	uint64_t address;
	uint8_t length;
	bool is_call;
	bool is_exit;		/* leaves the function as a function must be left */
	bool returns;		/* a way leads on from here to such an exit */
	bool is_certain;
	struct state state;
	struct function *function;		/* that came here first */
	struct instruction *next, *target;	/* where it leads */
	uint64_t callee;
	UT_hash_handle hh;
};

struct functions {
	struct image *image;
	const struct pieces *pieces;
	struct function *by_start, *first, **last;
	struct instruction *instructions;	/* by address */
	struct instruction **in_order;		/* as they were found */
	size_t ninstructions, nfunctions, nscanned;
	bool no_memory;
	ZydisDecoder decoder;
};

/* The instruction at hand. */
struct decoded {
	ZydisDecodedInstruction instruction;
	ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
	uint64_t next;		/* address behind it */
};

struct functions *functions__new(struct image *image)
{
	struct functions *functions = calloc(1, sizeof(*functions));

	if (!functions)
		return NULL;
	functions->image = image;
	functions->last = &functions->first;
	ZydisDecoderInit(&functions->decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	return functions;
}

void functions__free(struct functions *functions)
{
	struct instruction *instruction, *next_instruction;
	struct function *function, *next;

	if (!functions)
		return;
	HASH_ITER(hh, functions->instructions, instruction, next_instruction) {
		HASH_DEL(functions->instructions, instruction);
		free(instruction);
	}
	HASH_ITER(hh, functions->by_start, function, next) {
		HASH_DEL(functions->by_start, function);
		free(function);
	}
	free(functions->in_order);
	free(functions);
}

void functions__expect(struct functions *functions, uint64_t start, uint64_t size)
{
	struct function *function;

	HASH_FIND(hh, functions->by_start, &start, sizeof(start), function);
	if (function || functions->nfunctions == MAX_FUNCTIONS ||
	    !unwind_image__segment_at(functions->image, start) ||
	    (functions->pieces && pieces__overlap(functions->pieces, start, start + 1)))
		return;
	function = calloc(1, sizeof(*function));
	if (!function) {
		functions->no_memory = true;
		return;
	}
	functions->nfunctions++;
	function->start = start;
	function->size = size;
	HASH_ADD(hh, functions->by_start, start, sizeof(function->start), function);
	*functions->last = function;
	functions->last = &function->next;
}

static bool is_same(const struct state *a, const struct state *b)
{
	return a->height == b->height && a->bp == b->bp && a->bx == b->bx;
}

static struct instruction *add_instruction(struct functions *functions, struct function *function,
					   uint64_t address, const struct state *state)
{
	size_t count = functions->ninstructions;
	struct instruction *instruction, **grown;

	/* Grows at the powers of two. */
	if (!(count & (count - 1))) {
		grown = reallocarray(functions->in_order, count ? 2 * count : 1, sizeof(*grown));
		if (!grown)
			return NULL;
		functions->in_order = grown;
	}
	instruction = calloc(1, sizeof(*instruction));
	if (!instruction)
		return NULL;
	instruction->address = address;
	instruction->state = *state;
	instruction->function = function;
	HASH_ADD(hh, functions->instructions, address, sizeof(instruction->address), instruction);
	functions->in_order[functions->ninstructions++] = instruction;
	return instruction;
}

/* The way through `function` leads to `address`. False: that contradicts what is known. */
static bool reach(struct functions *functions, struct function *function, uint64_t address,
		  const struct state *state, struct instruction **reached)
{
	HASH_FIND(hh, functions->instructions, &address, sizeof(address), *reached);
	if (*reached) {
		if (is_same(&(*reached)->state, state) && !(*reached)->function->rejected)
			return true;
		(*reached)->function->rejected = true;
		return false;
	}
	/* Into code that its author described: its business. */
	if (pieces__overlap(functions->pieces, address, address + 1))
		return true;
	if (!unwind_image__segment_at(functions->image, address) ||
	    functions->ninstructions == MAX_INSTRUCTIONS)
		return false;
	*reached = add_instruction(functions, function, address, state);
	functions->no_memory |= !*reached;
	return *reached;
}

static bool is_register(const ZydisDecodedOperand *operand, ZydisRegister number)
{
	return operand->type == ZYDIS_OPERAND_TYPE_REGISTER && operand->reg.value == number;
}

static bool is_stack_memory(const ZydisDecodedOperand *operand)
{
	return operand->type == ZYDIS_OPERAND_TYPE_MEMORY &&
	       operand->mem.base == ZYDIS_REGISTER_RSP &&
	       operand->mem.index == ZYDIS_REGISTER_NONE;
}

static bool writes(const struct decoded *d, ZydisRegister number)
{
	for (int i = 0; i < d->instruction.operand_count; i++) {
		const ZydisDecodedOperand *operand = &d->operands[i];

		if (operand->type == ZYDIS_OPERAND_TYPE_REGISTER &&
		    operand->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE &&
		    ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64,
						     operand->reg.value) == number)
			return true;
	}
	return false;
}

/* What the instruction does to rsp. False: it cannot be said. */
static bool move_stack(const struct decoded *d, struct state *state)
{
	const ZydisDecodedOperand *operands = d->operands;
	int64_t height = state->height;

	switch (d->instruction.mnemonic) {
	case ZYDIS_MNEMONIC_PUSH:
	case ZYDIS_MNEMONIC_PUSHFQ:
		if (d->instruction.operand_width != 64)
			return false;
		height += 8;
		break;
	case ZYDIS_MNEMONIC_POP:
	case ZYDIS_MNEMONIC_POPFQ:
		if (d->instruction.operand_width != 64 ||
		    is_register(&operands[0], ZYDIS_REGISTER_RSP))
			return false;
		height -= 8;
		break;
	case ZYDIS_MNEMONIC_SUB:
	case ZYDIS_MNEMONIC_ADD:
		if (!writes(d, ZYDIS_REGISTER_RSP))
			return true;
		if (!is_register(&operands[0], ZYDIS_REGISTER_RSP) ||
		    operands[1].type != ZYDIS_OPERAND_TYPE_IMMEDIATE)
			return false;
		if (operands[1].imm.value.s > MAX_HEIGHT || operands[1].imm.value.s < -MAX_HEIGHT)
			return false;
		height += d->instruction.mnemonic == ZYDIS_MNEMONIC_SUB ?
			  operands[1].imm.value.s : -operands[1].imm.value.s;
		break;
	case ZYDIS_MNEMONIC_LEA:
		if (!writes(d, ZYDIS_REGISTER_RSP))
			return true;
		if (!is_register(&operands[0], ZYDIS_REGISTER_RSP) ||
		    !is_stack_memory(&operands[1]) || operands[1].mem.disp.value > MAX_HEIGHT ||
		    operands[1].mem.disp.value < -MAX_HEIGHT)
			return false;
		height -= operands[1].mem.disp.value;
		break;
	default:
		return !writes(d, ZYDIS_REGISTER_RSP);
	}
	if (height < 8 || height > MAX_HEIGHT)
		return false;
	state->height = height;
	return true;
}

/* What the instruction does to a register that belongs to the caller. */
static void move_register(const struct decoded *d, const struct state *before,
			  const struct state *after, ZydisRegister number, int32_t *saved)
{
	ZydisMnemonic mnemonic = d->instruction.mnemonic;
	int64_t source = LOST;	/* CFA - where its new value comes from */

	if (mnemonic == ZYDIS_MNEMONIC_PUSH && is_register(&d->operands[0], number)) {
		if (!*saved)
			*saved = after->height;
	} else if (writes(d, number)) {
		if (mnemonic == ZYDIS_MNEMONIC_POP && is_register(&d->operands[0], number))
			source = before->height;
		else if (mnemonic == ZYDIS_MNEMONIC_MOV && is_stack_memory(&d->operands[1]) &&
			 is_register(&d->operands[0], number))
			source = before->height - d->operands[1].mem.disp.value;
		if (*saved > 0 && source == *saved)
			*saved = 0;
		else if (!*saved)
			*saved = LOST;
	}
	/* Below the stack pointer nothing keeps. */
	if (*saved > after->height)
		*saved = LOST;
}

/* Does a call there end its function? Then padding follows, or another function. */
static bool ends_at(const struct functions *functions, const struct function *function, uint64_t at)
{
	const struct image_code *code = unwind_image__code_at(functions->image, at);
	const struct function *other;
	ZydisDecodedInstruction after;

	if (!code || (function->size && at - function->start >= function->size) ||
	    ZYAN_FAILED(ZydisDecoderDecodeInstruction(&functions->decoder, NULL,
						      code->data + (at - code->address),
						      code->size - (at - code->address), &after)))
		return true;
	HASH_FIND(hh, functions->by_start, &at, sizeof(at), other);
	return other || after.mnemonic == ZYDIS_MNEMONIC_NOP ||
	       after.mnemonic == ZYDIS_MNEMONIC_INT3;
}

static bool follow_jump(struct functions *functions, struct instruction *instruction,
			const struct decoded *d, const struct state *state)
{
	struct function *function = instruction->function;
	uint64_t target = d->next + d->instruction.raw.imm[0].value.s;
	bool is_clean = is_same(state, &at_entry);

	if (d->instruction.meta.category == ZYDIS_CATEGORY_COND_BR &&
	    !reach(functions, function, d->next, state, &instruction->next))
		return false;
	if (!d->instruction.raw.imm[0].is_relative) {
		instruction->is_exit = is_clean;	/* else by a table, which we cannot read */
		return true;
	}
	/* With the stack of an entry it makes no difference whether the target is one. */
	if (is_clean && target - function->start >= function->size) {
		instruction->is_exit = true;
		functions__expect(functions, target, 0);
		return true;
	}
	return reach(functions, function, target, state, &instruction->target);
}

/* An address of code is a function's, but for odd ones inside of a function. */
static void expect_address(struct functions *functions, const struct function *function,
			   uint64_t address)
{
	if (address % 16 == 0 && address - function->start >= function->size)
		functions__expect(functions, address, 0);
}

/* Goes on from an instruction that leaves `state`. False: the function cannot be followed. */
static bool follow_on(struct functions *functions, struct instruction *instruction,
		      const struct decoded *d, const struct state *state)
{
	struct function *function = instruction->function;

	switch (d->instruction.meta.category) {
	case ZYDIS_CATEGORY_CALL:
		instruction->is_call = true;
		if (d->instruction.raw.imm[0].is_relative) {
			instruction->callee = d->next + d->instruction.raw.imm[0].value.s;
			functions__expect(functions, instruction->callee, 0);
		}
		if (ends_at(functions, function, d->next))
			return true;
		break;
	case ZYDIS_CATEGORY_RET:
		instruction->is_exit = true;
		return is_same(state, &at_entry) &&
		       d->operands[0].type != ZYDIS_OPERAND_TYPE_IMMEDIATE;
	case ZYDIS_CATEGORY_COND_BR:
	case ZYDIS_CATEGORY_UNCOND_BR:
		return follow_jump(functions, instruction, d, state);
	default:
		break;
	}
	switch (d->instruction.mnemonic) {
	case ZYDIS_MNEMONIC_HLT:
	case ZYDIS_MNEMONIC_UD2:
	case ZYDIS_MNEMONIC_INT3:
		return true;
	case ZYDIS_MNEMONIC_LEA:
		if (d->operands[1].mem.base == ZYDIS_REGISTER_RIP)
			expect_address(functions, function,
				       d->next + d->operands[1].mem.disp.value);
		break;
	default:
		break;
	}
	return reach(functions, function, d->next, state, &instruction->next);
}

static bool follow(struct functions *functions, struct instruction *instruction)
{
	const struct image_code *code =
		unwind_image__code_at(functions->image, instruction->address);
	struct state before = instruction->state, after = before;
	struct decoded d;
	uint64_t at;

	if (!code)
		return false;
	at = instruction->address - code->address;
	if (ZYAN_FAILED(ZydisDecoderDecodeFull(&functions->decoder, code->data + at,
					       code->size - at, &d.instruction, d.operands)))
		return false;
	instruction->length = d.instruction.length;
	d.next = instruction->address + d.instruction.length;
	if (d.instruction.meta.category != ZYDIS_CATEGORY_CALL &&
	    d.instruction.meta.category != ZYDIS_CATEGORY_RET) {
		if (!move_stack(&d, &after))
			return false;
		move_register(&d, &before, &after, ZYDIS_REGISTER_RBP, &after.bp);
		move_register(&d, &before, &after, ZYDIS_REGISTER_RBX, &after.bx);
	}
	return follow_on(functions, instruction, &d, &after);
}

static bool find_returns(struct functions *functions, const struct function *function)
{
	bool changed = false;

	for (size_t i = function->end; i-- > function->first;) {
		struct instruction *instruction = functions->in_order[i];
		const struct instruction *next = instruction->next, *target = instruction->target;
		bool returns = instruction->is_exit || (next && next->returns) ||
			       (target && target->returns);

		changed |= returns && !instruction->returns;
		instruction->returns = returns;
	}
	return changed;
}

static void follow_function(struct functions *functions, struct function *function)
{
	struct instruction *entry;

	function->first = functions->ninstructions;
	if (!reach(functions, function, function->start, &at_entry, &entry))
		function->rejected = true;
	for (size_t i = function->first; i < functions->ninstructions && !function->rejected; i++) {
		if (!follow(functions, functions->in_order[i]))
			function->rejected = true;
	}
	function->end = functions->ninstructions;
	/* Loops inside of loops take a pass each; what is not found is not certain. */
	for (int i = 0; i < MAX_PASSES && find_returns(functions, function); i++)
		;
}

/* Does the call come back? If its function does, or if an exit fits the stack depth behind it. */
static bool comes_back(const struct functions *functions, const struct instruction *call)
{
	const struct instruction *callee;

	if (call->next->returns)
		return true;
	HASH_FIND(hh, functions->instructions, &call->callee, sizeof(call->callee), callee);
	return callee && callee->returns && !callee->function->rejected;
}

static bool find_certain(const struct functions *functions, const struct function *function)
{
	bool changed = false;

	for (size_t i = function->first; i < function->end; i++) {
		struct instruction *instruction = functions->in_order[i];
		struct instruction *next = instruction->next, *target = instruction->target;

		if (instruction->address == function->start)
			instruction->is_certain = true;
		if (!instruction->is_certain)
			continue;
		if (target && !target->is_certain)
			changed = target->is_certain = true;
		if (next && !next->is_certain &&
		    (!instruction->is_call || comes_back(functions, instruction)))
			changed = next->is_certain = true;
	}
	return changed;
}

static uint8_t saved_rule(int32_t saved, __s16 *slot)
{
	if (!saved)
		return SAVED_SAME;
	if (saved == LOST || saved % 8 || saved / 8 > INT16_MAX)
		return SAVED_UNDEFINED;
	*slot = -(saved / 8);
	return SAVED_AT_CFA;
}

static int add_piece(const struct instruction *instruction, struct pieces *pieces)
{
	const struct state *state = &instruction->state;
	struct piece piece = {
		.start = instruction->address,
		.end = instruction->address + instruction->length,
		.rule = { .cfa = CFA_SP, .cfa_offset = state->height, .ra_slot = -1 },
	};

	if (!instruction->is_certain)
		return 0;
	piece.rule.bp = saved_rule(state->bp, &piece.rule.bp_slot);
	piece.rule.bx = saved_rule(state->bx, &piece.rule.bx_slot);
	if (pieces__overlap(pieces, piece.start, piece.end))
		return 0;
	return pieces__add(pieces, &piece);
}

/* In a file without symbols, what the described code calls. */
static void expect_callees(struct functions *functions, const struct piece *piece)
{
	const struct image_code *code = unwind_image__code_at(functions->image, piece->start);
	ZydisDecodedInstruction instruction;
	uint64_t at = piece->start;

	if (!code || !unwind_image__load(functions->image, code, piece->start, piece->end))
		return;
	while (at < piece->end && functions->nscanned < MAX_SCANNED &&
	       ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(&functions->decoder, NULL,
							  code->data + (at - code->address),
							  piece->end - at, &instruction))) {
		at += instruction.length;
		functions->nscanned++;
		if (instruction.mnemonic == ZYDIS_MNEMONIC_CALL &&
		    instruction.raw.imm[0].is_relative)
			functions__expect(functions, at + instruction.raw.imm[0].value.s, 0);
	}
}

static void expect_all(struct functions *functions)
{
	struct elf_cursor cursor = { 0 };
	bool has_symbols = false;
	uint64_t start, size;

	while (unwind_image__next_function(functions->image, &cursor, &start, &size)) {
		has_symbols |= unwind_image__segment_at(functions->image, start) != NULL;
		functions__expect(functions, start, size);
	}
	for (size_t i = 0; i < functions->pieces->settled && !has_symbols; i++)
		expect_callees(functions, &functions->pieces->list[i]);
}

int functions__follow(struct functions *functions, struct pieces *pieces)
{
	struct function *function;
	int err = 0;

	functions->pieces = pieces;
	expect_all(functions);
	for (function = functions->first; function && !elf_file__is_late(functions->image->file);
	     function = function->next)
		follow_function(functions, function);
	if (functions->no_memory)
		return -ENOMEM;
	for (function = functions->first; function && !err; function = function->next) {
		if (function->rejected)
			continue;
		for (int i = 0; i < MAX_PASSES && find_certain(functions, function); i++)
			;
		for (size_t i = function->first; i < function->end && !err; i++)
			err = add_piece(functions->in_order[i], pieces);
	}
	pieces__settle(pieces);
	return err;
}
