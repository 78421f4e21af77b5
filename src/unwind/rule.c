// SPDX-License-Identifier: GPL-2.0-or-later
/* From a row of call frame information to the rule that the kernel half can follow. */
#include <dwarf.h>
#include <string.h>

#include "unwind/cfi.h"
#include "unwind/reader.h"

/*
 * Expressions are run on values of this form instead of numbers: what compilers and assembler
 * authors write comes down to one register, one load and additions.
 */
struct value {
	enum base {
		VALUE_NUMBER,
		VALUE_SP,
		VALUE_BP,
		VALUE_CFA,
		VALUE_DEREF_SP,
		VALUE_DEREF_BP,
	} base;
	int64_t offset;		/* added to the base */
	int64_t deref_offset;	/* VALUE_DEREF_*: from the register to the loaded word */
};

#define MAX_VALUES 8

struct values {
	struct value stack[MAX_VALUES];
	unsigned int count;
};

static bool push(struct values *values, enum base base, int64_t offset)
{
	if (values->count == MAX_VALUES)
		return false;
	values->stack[values->count++] = (struct value){ .base = base, .offset = offset };
	return true;
}

static bool deref(struct values *values)
{
	struct value *top;

	if (!values->count)
		return false;
	top = &values->stack[values->count - 1];
	if (top->base != VALUE_SP && top->base != VALUE_BP)
		return false;
	*top = (struct value){ .base = top->base == VALUE_SP ? VALUE_DEREF_SP : VALUE_DEREF_BP,
			       .deref_offset = top->offset };
	return true;
}

static bool add(struct values *values, int64_t sign)
{
	struct value *left, *right;
	int64_t offset;

	if (values->count < 2)
		return false;
	right = &values->stack[--values->count];
	left = right - 1;
	if (right->base != VALUE_NUMBER && left->base == VALUE_NUMBER && sign > 0) {
		struct value swapped = *left;

		*left = *right;
		*right = swapped;
	}
	if (right->base != VALUE_NUMBER || __builtin_mul_overflow(right->offset, sign, &offset))
		return false;
	return !__builtin_add_overflow(left->offset, offset, &left->offset);
}

static bool push_constant(struct values *values, uint8_t opcode, struct reader *reader)
{
	switch (opcode) {
	case DW_OP_const1u:
		return push(values, VALUE_NUMBER, reader__u8(reader));
	case DW_OP_const1s:
		return push(values, VALUE_NUMBER, (int8_t)reader__u8(reader));
	case DW_OP_const2u:
		return push(values, VALUE_NUMBER, reader__u16(reader));
	case DW_OP_const2s:
		return push(values, VALUE_NUMBER, (int16_t)reader__u16(reader));
	case DW_OP_const4u:
		return push(values, VALUE_NUMBER, reader__u32(reader));
	case DW_OP_const4s:
		return push(values, VALUE_NUMBER, (int32_t)reader__u32(reader));
	case DW_OP_constu:
		return push(values, VALUE_NUMBER, reader__uleb(reader));
	case DW_OP_consts:
		return push(values, VALUE_NUMBER, reader__sleb(reader));
	default:
		return opcode >= DW_OP_lit0 && opcode <= DW_OP_lit31 &&
		       push(values, VALUE_NUMBER, opcode - DW_OP_lit0);
	}
}

static bool operate(struct values *values, uint8_t opcode, struct reader *reader)
{
	switch (opcode) {
	case DW_OP_nop:
		return true;
	case DW_OP_breg6:
		return push(values, VALUE_BP, reader__sleb(reader));
	case DW_OP_breg7:
		return push(values, VALUE_SP, reader__sleb(reader));
	case DW_OP_deref:
		return deref(values);
	case DW_OP_drop:
		return values->count && values->count--;
	case DW_OP_plus_uconst:
		return push(values, VALUE_NUMBER, reader__uleb(reader)) && add(values, 1);
	case DW_OP_plus:
		return add(values, 1);
	case DW_OP_minus:
		return add(values, -1);
	default:
		return push_constant(values, opcode, reader);
	}
}

/* False: not of a form we can follow. `has_cfa`: it starts with the CFA on its stack. */
static bool evaluate(struct cfi_expression expression, bool has_cfa, struct value *result)
{
	struct reader reader = reader__over(expression.data, expression.size);
	struct values values = { .count = 0 };

	if (has_cfa)
		push(&values, VALUE_CFA, 0);
	while (reader__left(&reader)) {
		uint8_t opcode = reader__u8(&reader);

		if (!operate(&values, opcode, &reader) || reader.failed)
			return false;
	}
	if (!values.count)
		return false;
	*result = values.stack[values.count - 1];
	return true;
}

/*
 * What ld emits for a PLT (binutils, bfd/elfxx-x86.h and elf64-x86-64.c, *_eh_frame_*plt):
 * CFA = rsp + 8 + ((rip & 15) >= N) * 8, where N is the offset behind the entry's push.
 */
static bool plt_rule(struct cfi_expression expression, struct unwind_rule *rule)
{
	uint8_t plt[] = { DW_OP_breg7, 8, DW_OP_breg16, 0, DW_OP_lit15, DW_OP_and, DW_OP_lit0,
			  DW_OP_ge, DW_OP_lit3, DW_OP_shl, DW_OP_plus };

	if (expression.size != sizeof(plt) || expression.data[6] < DW_OP_lit0 ||
	    expression.data[6] > DW_OP_lit15)
		return false;
	plt[6] = expression.data[6];
	if (memcmp(expression.data, plt, sizeof(plt)))
		return false;
	rule->cfa = CFA_PLT;
	rule->deref_offset = plt[6] - DW_OP_lit0;
	return true;
}

static bool expression_rule(struct cfi_expression expression, struct unwind_rule *rule)
{
	struct value value;

	if (plt_rule(expression, rule))
		return true;
	if (!evaluate(expression, false, &value))
		return false;
	switch (value.base) {
	case VALUE_SP:
		rule->cfa = CFA_SP;
		break;
	case VALUE_BP:
		rule->cfa = CFA_BP;
		break;
	case VALUE_DEREF_SP:
		rule->cfa = CFA_DEREF_SP;
		break;
	case VALUE_DEREF_BP:
		rule->cfa = CFA_DEREF_BP;
		break;
	default:
		return false;
	}
	rule->cfa_offset = value.offset;
	rule->deref_offset = value.deref_offset;
	return rule->cfa_offset == value.offset && rule->deref_offset == value.deref_offset;
}

static bool cfa_rule(const struct cfi_state *state, struct unwind_rule *rule)
{
	if (state->cfa_expression.data)
		return expression_rule(state->cfa_expression, rule);
	switch (state->cfa_register) {
	case 3:
		rule->cfa = CFA_BX;
		break;
	case 6:
		rule->cfa = CFA_BP;
		break;
	case 7:
		rule->cfa = CFA_SP;
		break;
	default:
		return false;
	}
	rule->cfa_offset = state->cfa_offset;
	return rule->cfa_offset == state->cfa_offset;
}

/* Where a register was saved: enum unwind_saved, and the slot there. */
static uint8_t saved_rule(const struct cfi_saved *saved, __s16 *slot)
{
	struct value value = { .base = VALUE_CFA, .offset = saved->offset };
	uint8_t rule;

	switch (saved->how) {
	case CFI_UNSPECIFIED:	/* rbx and rbp belong to the caller (psABI 3.2.1) */
	case CFI_SAME:
		return SAVED_SAME;
	case CFI_AT_CFA:
		break;
	case CFI_EXPRESSION:
		if (evaluate(saved->expression, true, &value))
			break;
		return SAVED_UNDEFINED;
	default:
		return SAVED_UNDEFINED;
	}
	if (value.base == VALUE_CFA)
		rule = SAVED_AT_CFA;
	else if (value.base == VALUE_BP)
		rule = SAVED_AT_BP;
	else if (value.base == VALUE_SP)
		rule = SAVED_AT_SP;
	else
		return SAVED_UNDEFINED;
	if (value.offset % 8 || value.offset / 8 != (__s16)(value.offset / 8))
		return SAVED_UNDEFINED;
	*slot = value.offset / 8;
	return rule;
}

/*
 * glibc describes __restore_rt register by register (sysdeps/unix/sysv/linux/x86_64/sigaction.c):
 * all of it relative to the ucontext that rsp points at, where rsp is at 160 and rip at 168.
 */
static bool is_rt_sigframe(const struct cfi_state *state, const struct unwind_rule *rule)
{
	const struct cfi_saved *ra = &state->saved[CFI_RA];
	struct value value;

	return rule->cfa == CFA_DEREF_SP && rule->deref_offset == 160 && rule->cfa_offset == 0 &&
	       ra->how == CFI_EXPRESSION && evaluate(ra->expression, true, &value) &&
	       value.base == VALUE_SP && value.offset == 168;
}

static uint8_t whole_rule(const struct cfi_state *state, bool signal_frame,
			  struct unwind_rule *rule)
{
	const struct cfi_saved *ra = &state->saved[CFI_RA];
	const struct cfi_saved *sp = &state->saved[CFI_SP];

	if (ra->how == CFI_UNDEFINED)
		return CFA_BOTTOM;
	if (!cfa_rule(state, rule))
		return CFA_REGISTER;
	if (signal_frame)
		return is_rt_sigframe(state, rule) ? CFA_SIGNAL : CFA_REGISTER;
	/* The caller's rsp is the CFA unless something else is said. */
	if (sp->how != CFI_UNSPECIFIED || ra->how != CFI_AT_CFA || ra->offset % 8 ||
	    ra->offset / 8 != (__s8)(ra->offset / 8))
		return CFA_REGISTER;
	rule->ra_slot = ra->offset / 8;
	rule->bp = saved_rule(&state->saved[CFI_BP], &rule->bp_slot);
	rule->bx = saved_rule(&state->saved[CFI_BX], &rule->bx_slot);
	return rule->cfa;
}

void cfi__rule(const struct cfi_state *state, bool signal_frame, struct unwind_rule *rule)
{
	uint8_t cfa;

	*rule = (struct unwind_rule){ 0 };
	cfa = whole_rule(state, signal_frame, rule);
	/* These say all in one word; as equal rules they take one place. */
	if (cfa == CFA_REGISTER || cfa == CFA_BOTTOM || cfa == CFA_SIGNAL)
		*rule = (struct unwind_rule){ .cfa = cfa };
}
