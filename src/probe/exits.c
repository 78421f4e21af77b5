// SPDX-License-Identifier: GPL-2.0-or-later
#include "probe/exits.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/types.h"
#include "probe/allocators.h"
#include "probe/flow.h"
#include "probe/instruction.h"

/* Bounds for files that have more, or pretend to. */
#define MAX_EXITS 256
#define MAX_STEPS 64	/* looked back from a return */

/*
 * What will be at the return, as it is before an instruction from which all ways lead to it. At
 * the return the stack pointer points at the return address, rax is the block, and the other two
 * registers are the caller's (psABI 3.2.1).
 */
struct outlook {
	uint64_t address;	/* of the instruction */
	enum call_register block;
	int64_t depth;		/* bytes from the stack pointer up to the return address */
	int64_t bp_depth;	/* rbp is to be popped from so far below it; 0: it is there already */
	int64_t bx_depth;
};

struct search {
	const struct flow *flow;
	const struct probed *probed;
	struct exit found[MAX_EXITS];
	size_t nfound;
	unsigned int nsteps;
};

static bool fits(int64_t depth)
{
	return depth >= 0 && depth <= 8 * MAX_EXIT_WORDS && depth % 8 == 0;
}

/* The probe at the jump at `from`, which leads to what is foreseen on `condition`. */
static bool add_jump(struct search *search, const struct outlook *outlook, uint64_t from,
		     enum call_condition condition)
{
	struct exit *exit = &search->found[search->nfound];
	size_t size;
	const uint8_t *bytes = flow__bytes(search->flow, from, &size);

	if (search->nfound == MAX_EXITS || !bytes || !fits(outlook->depth) ||
	    !fits(outlook->bp_depth) || !fits(outlook->bx_depth))
		return false;
	/* What is probed already could be run before this or after it. */
	for (size_t i = 0; i < search->probed->count; i++)
		if (search->probed->probes[i] == from)
			return false;
	exit->address = from;
	exit->cookie = MAKE_EXIT(outlook->block, condition, outlook->depth / 8,
				 outlook->bp_depth / 8, outlook->bx_depth / 8);
	exit->emulated = instruction__describe(bytes, size, from, exit->text, sizeof(exit->text));
	search->nfound++;
	return exit->emulated;
}

/* The condition of jcc, as its opcode has it (Intel SDM, appendix B.1.4.7). */
static bool jump_condition(const struct flow *flow, uint64_t address,
			   enum call_condition *condition)
{
	size_t size;
	const uint8_t *bytes = flow__bytes(flow, address, &size);

	*condition = CONDITION_NONE;
	if (!bytes || size < 2)
		return false;
	if (bytes[0] == 0xe9 || bytes[0] == 0xeb)
		return true;
	if (bytes[0] >= 0x70 && bytes[0] <= 0x7f)
		*condition = CONDITION_FIRST + (bytes[0] & 0xf);
	else if (bytes[0] == 0x0f && bytes[1] >= 0x80 && bytes[1] <= 0x8f)
		*condition = CONDITION_FIRST + (bytes[1] & 0xf);
	return *condition != CONDITION_NONE;
}

static bool look_back(struct search *search, const struct outlook *outlook);

static bool add_jumps(struct search *search, const struct outlook *outlook)
{
	for (size_t i = 0; i < search->flow->njumps; i++) {
		const struct jump *jump = &search->flow->jumps[i];
		enum call_condition condition;

		if (jump->to == outlook->address &&
		    (!jump_condition(search->flow, jump->from, &condition) ||
		     !add_jump(search, outlook, jump->from, condition)))
			return false;
	}
	return true;
}

static ZydisRegister whole(const ZydisDecodedOperand *operand)
{
	return ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, operand->reg.value);
}

static bool is_register(const ZydisDecodedOperand *operand)
{
	return operand->type == ZYDIS_OPERAND_TYPE_REGISTER && operand->size == 64;
}

/* How far the instruction moves the stack pointer. False: nobody knows. */
static bool moves_stack(const struct step *step, int64_t *bytes)
{
	const ZydisDecodedOperand *to = &step->operands[0], *by = &step->operands[1];

	switch (step->insn.mnemonic) {
	case ZYDIS_MNEMONIC_POP:
		*bytes = 8;
		return is_register(to) && to->reg.value != ZYDIS_REGISTER_RSP;
	case ZYDIS_MNEMONIC_ADD:
	case ZYDIS_MNEMONIC_SUB:
		*bytes = step->insn.mnemonic == ZYDIS_MNEMONIC_ADD ? by->imm.value.s
								   : -by->imm.value.s;
		return is_register(to) && by->type == ZYDIS_OPERAND_TYPE_IMMEDIATE;
	default:
		return false;
	}
}

/* Undoes what the instruction does to one register. False: the outlook ends here. */
static bool undo_write(const struct step *step, ZydisRegister written, struct outlook *outlook)
{
	const ZydisDecodedOperand *from = &step->operands[1];
	bool pops = step->insn.mnemonic == ZYDIS_MNEMONIC_POP;
	int64_t moved;

	if (written == instruction__register(outlook->block)) {
		if (step->insn.mnemonic != ZYDIS_MNEMONIC_MOV || !is_register(&step->operands[0]) ||
		    !is_register(from))
			return false;
		outlook->block = instruction__register_number(from->reg.value);
		return outlook->block != IN_NONE;
	}
	switch (written) {
	case ZYDIS_REGISTER_RSP:
		if (!moves_stack(step, &moved))
			return false;
		outlook->depth += moved;
		return true;
	/* Popped: depth is what it was before, as rsp comes first among what pop writes, or will be. */
	case ZYDIS_REGISTER_RBP:
		return pops || outlook->bp_depth;
	case ZYDIS_REGISTER_RBX:
		return pops || outlook->bx_depth;
	default:
		return true;
	}
}

/* The outlook before the instruction, given that behind it. False: there is none. */
static bool undo(const struct step *step, struct outlook *outlook)
{
	for (unsigned int i = 0; i < step->insn.operand_count; i++) {
		const ZydisDecodedOperand *operand = &step->operands[i];

		if (operand->type == ZYDIS_OPERAND_TYPE_REGISTER &&
		    (operand->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) &&
		    !undo_write(step, whole(operand), outlook))
			return false;
	}
	outlook->address = step->address;
	if (step->insn.mnemonic != ZYDIS_MNEMONIC_POP)
		return true;
	/* Only the last pop of each counts: what is behind it is no longer the caller's. */
	if (step->operands[0].reg.value == ZYDIS_REGISTER_RBP && !outlook->bp_depth)
		outlook->bp_depth = outlook->depth;
	if (step->operands[0].reg.value == ZYDIS_REGISTER_RBX && !outlook->bx_depth)
		outlook->bx_depth = outlook->depth;
	return true;
}

static bool look_before(struct search *search, const struct outlook *outlook,
			const struct step *before)
{
	struct outlook earlier = *outlook;
	enum call_condition condition;

	switch (before->insn.meta.category) {
	case ZYDIS_CATEGORY_COND_BR:
		return jump_condition(search->flow, before->address, &condition) &&
		       add_jump(search, outlook, before->address,
				CONDITION_FIRST + ((condition - CONDITION_FIRST) ^ 1));
	case ZYDIS_CATEGORY_CALL:
	case ZYDIS_CATEGORY_SYSCALL:
		return false;
	default:
		return undo(before, &earlier) && look_back(search, &earlier);
	}
}

/* Finds the jumps on all ways to the outlook. False: on one there is none in time. */
static bool look_back(struct search *search, const struct outlook *outlook)
{
	struct step before;
	size_t known = search->nfound;
	int n = flow__before(search->flow, outlook->address, &before);

	for (size_t i = 0; i < search->probed->count; i++)
		if (search->probed->starts[i] == outlook->address)
			return false;
	if (n > 1 || ++search->nsteps > MAX_STEPS || !add_jumps(search, outlook))
		return false;
	if (n && !look_before(search, outlook, &before))
		return false;
	return search->nfound > known;
}

static int add_exit(struct exits *exits, const struct exit *exit)
{
	for (size_t i = 0; i < exits->count; i++)
		if (exits->items[i].address == exit->address &&
		    exits->items[i].cookie == exit->cookie)
			return 0;
	if (exits->count == MAX_EXITS)
		exits->all = false;
	else
		exits->items[exits->count++] = *exit;
	return 0;
}

static void add_return(struct search *search, uint64_t address, struct exits *exits)
{
	struct outlook at_return = { .address = address, .block = IN_AX };

	search->nfound = 0;
	search->nsteps = 0;
	if (!search->flow->tables && look_back(search, &at_return)) {
		for (size_t i = 0; i < search->nfound; i++)
			add_exit(exits, &search->found[i]);
		return;
	}
	add_exit(exits, &(struct exit){
		.address = address,
		.cookie = EXIT_AT_RETURN,
		.text = "ret",
	});
}

/* Of the C library, what returns its first argument. */
static bool returns_first(const char *name)
{
	static const char *const names[] = { "memset", "memcpy", "memmove", "__memset_chk",
					     "__memcpy_chk", "__memmove_chk" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(name, names[i]))
			return true;
	return false;
}

/* The calls of allocators are seen themselves. */
static bool is_allocation(const char *name)
{
	for (const struct function *f = standard_functions; f->symbol; f++)
		if (!strcmp(name, f->symbol))
			return true;
	for (const struct function *f = cxx_operators; f->symbol; f++)
		if (!strcmp(name, f->symbol))
			return true;
	return false;
}

/* The function ends in a jump to one of another file, whose end is not seen. */
static bool add_way_out(struct search *search, const struct way_out *out, struct exits *exits)
{
	struct outlook there = { .address = out->from, .block = IN_DI };

	if (is_allocation(out->name))
		return true;
	search->nfound = 0;
	if (!returns_first(out->name) ||
	    !(out->is_stub ? add_jumps(search, &there) :
			     (add_jump(search, &there, out->from, CONDITION_NONE),
			      search->nfound)))
		return false;
	for (size_t i = 0; i < search->nfound; i++)
		add_exit(exits, &search->found[i]);
	return true;
}

int exits__find(struct code *code, uint64_t start, uint64_t size, const struct probed *probed,
		struct exits *exits)
{
	struct search *search = calloc(1, sizeof(*search));
	struct flow flow = {};
	int err;

	if (!exits->items)
		exits->items = calloc(MAX_EXITS, sizeof(*exits->items));
	err = search && exits->items ?
		      flow__follow(&flow, code, start, size, probed->starts, probed->count) :
		      -ENOMEM;
	if (!err) {
		search->flow = &flow;
		search->probed = probed;
		for (size_t i = 0; i < flow.nreturns; i++)
			add_return(search, flow.returns[i], exits);
		for (size_t i = 0; i < flow.nout; i++)
			exits->all &= add_way_out(search, &flow.out[i], exits);
		exits->all &= flow.all;
	}
	flow__release(&flow);
	free(search);
	return err;
}

void exits__release(struct exits *exits)
{
	free(exits->items);
	*exits = (struct exits){ 0 };
}
