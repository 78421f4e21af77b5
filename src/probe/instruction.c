// SPDX-License-Identifier: GPL-2.0-or-later
#include "probe/instruction.h"

#include <stdio.h>

#include <Zydis/Zydis.h>

#include "base/types.h"

struct decoded {
	ZydisDecodedInstruction insn;
	ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
};

/* enum call_register's */
static const ZydisRegister registers[IN_MAX] = {
	[IN_DI] = ZYDIS_REGISTER_RDI, [IN_SI] = ZYDIS_REGISTER_RSI, [IN_DX] = ZYDIS_REGISTER_RDX,
	[IN_CX] = ZYDIS_REGISTER_RCX, [IN_R8] = ZYDIS_REGISTER_R8,  [IN_R9] = ZYDIS_REGISTER_R9,
	[IN_AX] = ZYDIS_REGISTER_RAX, [IN_R10] = ZYDIS_REGISTER_R10, [IN_R11] = ZYDIS_REGISTER_R11,
	[IN_BX] = ZYDIS_REGISTER_RBX, [IN_BP] = ZYDIS_REGISTER_RBP, [IN_R12] = ZYDIS_REGISTER_R12,
	[IN_R13] = ZYDIS_REGISTER_R13, [IN_R14] = ZYDIS_REGISTER_R14, [IN_R15] = ZYDIS_REGISTER_R15,
};

/* Where each argument is, as a set of bits by enum call_register: an argument may be copied. */
struct arguments {
	uint16_t in[MAX_ARGUMENTS];
	unsigned int count;
};

static bool decode(const struct function_code *code, size_t offset, struct decoded *decoded)
{
	ZydisDecoder decoder;

	ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	return ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, code->bytes + offset,
						   code->size - offset, &decoded->insn,
						   decoded->operands));
}

/* Does it do nothing? As far as arch/x86/lib/insn.c, insn_is_nop(), takes instructions for that. */
static bool is_nop(const struct decoded *decoded)
{
	const ZydisDecodedOperand *to = &decoded->operands[0], *from = &decoded->operands[1];

	switch (decoded->insn.mnemonic) {
	case ZYDIS_MNEMONIC_NOP:
		return true;
	case ZYDIS_MNEMONIC_JMP:
		return to->type == ZYDIS_OPERAND_TYPE_IMMEDIATE && !to->imm.value.u;
	case ZYDIS_MNEMONIC_LEA:
		return from->mem.base == to->reg.value && !from->mem.disp.value &&
		       from->mem.index == ZYDIS_REGISTER_NONE;
	case ZYDIS_MNEMONIC_MOV:
		return to->type == ZYDIS_OPERAND_TYPE_REGISTER &&
		       from->type == ZYDIS_OPERAND_TYPE_REGISTER &&
		       to->reg.value == from->reg.value;
	default:
		return false;
	}
}

/*
 * May the kernel put a call to a page of its own there instead of a breakpoint? It does not copy
 * that page at fork, and the child dies of the call (Linux 6.18, arch/x86/kernel/uprobes.c,
 * can_optimize(): nops of five bytes; what follows it takes those of ten, and a jump over eight).
 */
static bool may_become_call(const struct decoded *decoded)
{
	const ZydisDecodedInstruction *insn = &decoded->insn;

	return (insn->length >= 5 && is_nop(decoded)) ||
	       (insn->length == 2 && insn->mnemonic == ZYDIS_MNEMONIC_JMP &&
		decoded->operands[0].type == ZYDIS_OPERAND_TYPE_IMMEDIATE &&
		decoded->operands[0].imm.value.s == 8);
}

/*
 * arch/x86/kernel/uprobes.c, branch_setup_xol_ops() and push_setup_xol_ops(), less what only some
 * kernels emulate: nops of several bytes are stepped before 6.16, `66 90` and prefixed branches
 * are refused at attach, and `41 90` is no nop.
 */
static bool is_emulated(const struct decoded *decoded, const uint8_t *bytes)
{
	const ZydisDecodedInstruction *insn = &decoded->insn;
	bool one_byte = insn->opcode_map == ZYDIS_OPCODE_MAP_DEFAULT;
	bool two_byte = insn->opcode_map == ZYDIS_OPCODE_MAP_0F;
	uint8_t opcode = insn->opcode;

	if (one_byte && opcode >= 0x50 && opcode <= 0x57)	/* push reg */
		return insn->length == 1 || (insn->length == 2 && bytes[0] == 0x41);
	if (insn->raw.prefix_count || may_become_call(decoded))
		return false;
	if (one_byte)
		return opcode == 0x90 ||			/* nop */
		       opcode == 0xe8 ||			/* call rel32 */
		       opcode == 0xe9 || opcode == 0xeb ||	/* jmp rel32, rel8 */
		       (opcode >= 0x70 && opcode <= 0x7f);	/* jcc rel8 */
	return two_byte && opcode >= 0x80 && opcode <= 0x8f;	/* jcc rel32 */
}

static bool is_control_transfer(const ZydisDecodedInstruction *insn)
{
	switch (insn->meta.category) {
	case ZYDIS_CATEGORY_CALL:
	case ZYDIS_CATEGORY_COND_BR:
	case ZYDIS_CATEGORY_UNCOND_BR:
	case ZYDIS_CATEGORY_RET:
	case ZYDIS_CATEGORY_SYSCALL:
	case ZYDIS_CATEGORY_SYSRET:
	case ZYDIS_CATEGORY_INTERRUPT:
		return true;
	default:
		return false;
	}
}

static ZydisRegister whole_register(const ZydisDecodedOperand *operand)
{
	return ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, operand->reg.value);
}

ZydisRegister instruction__register(enum call_register number)
{
	return registers[number];
}

enum call_register instruction__register_number(ZydisRegister whole)
{
	for (unsigned int i = IN_NONE + 1; i < IN_MAX; i++)
		if (registers[i] == whole)
			return i;
	return IN_NONE;
}

static uint16_t bit_of(ZydisRegister whole)
{
	enum call_register number = instruction__register_number(whole);

	return number ? 1 << number : 0;
}

/* mov between whole registers */
static bool is_copy(const struct decoded *decoded)
{
	const ZydisDecodedOperand *to = &decoded->operands[0], *from = &decoded->operands[1];

	return decoded->insn.mnemonic == ZYDIS_MNEMONIC_MOV &&
	       to->type == ZYDIS_OPERAND_TYPE_REGISTER && to->size == 64 &&
	       from->type == ZYDIS_OPERAND_TYPE_REGISTER && from->size == 64;
}

/* What the instruction leaves of the arguments. False: one is lost, or the stack pointer moved. */
static bool keep_arguments(const struct decoded *decoded, struct arguments *arguments)
{
	uint16_t written = 0, from = 0, to = 0;

	for (unsigned int i = 0; i < decoded->insn.operand_count; i++) {
		const ZydisDecodedOperand *operand = &decoded->operands[i];

		/* A part of a register counts as all of it. */
		if (operand->type != ZYDIS_OPERAND_TYPE_REGISTER ||
		    !(operand->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE))
			continue;
		if (whole_register(operand) == ZYDIS_REGISTER_RSP)
			return false;
		written |= bit_of(whole_register(operand));
	}
	if (is_copy(decoded)) {
		to = bit_of(decoded->operands[0].reg.value);
		from = bit_of(decoded->operands[1].reg.value);
	}
	for (unsigned int i = 0; i < arguments->count; i++) {
		bool copied = arguments->in[i] & from;

		arguments->in[i] &= ~written;
		if (copied)
			arguments->in[i] |= to;
		if (!arguments->in[i])
			return false;
	}
	return true;
}

/*
 * May the function come back to (0, candidate]? Then one call would pass the candidate twice, or
 * not with its arguments. A jump to the very start is a call of its own, for any place of the
 * probe. What cannot be decoded to its end may do anything.
 */
static bool may_jump_into(const struct function_code *code, size_t candidate)
{
	struct decoded decoded;

	for (size_t offset = 0; offset < code->size; offset += decoded.insn.length) {
		ZyanU64 target;

		if (!decode(code, offset, &decoded))
			return true;
		if (!(decoded.insn.attributes & ZYDIS_ATTRIB_IS_RELATIVE) ||
		    !is_control_transfer(&decoded.insn) ||
		    !ZYAN_SUCCESS(ZydisCalcAbsoluteAddress(&decoded.insn, &decoded.operands[0],
							   offset, &target)))
			continue;
		if (target > 0 && target <= candidate)
			return true;
	}
	return !code->whole;
}

static void format(const struct decoded *decoded, uint64_t address, char *text, size_t size)
{
	ZydisFormatter formatter;

	ZydisFormatterInit(&formatter, ZYDIS_FORMATTER_STYLE_ATT);
	ZydisFormatterSetProperty(&formatter, ZYDIS_FORMATTER_PROP_HEX_UPPERCASE, ZYAN_FALSE);
	ZydisFormatterSetProperty(&formatter, ZYDIS_FORMATTER_PROP_ADDR_PADDING_ABSOLUTE,
				  ZYDIS_PADDING_DISABLED);
	if (!ZYAN_SUCCESS(ZydisFormatterFormatInstruction(&formatter, &decoded->insn,
							  decoded->operands,
							  decoded->insn.operand_count_visible,
							  text, size, address, NULL)))
		snprintf(text, size, "(bad)");
}

static void say_where(const struct arguments *arguments, struct instruction *chosen)
{
	for (unsigned int i = 0; i < arguments->count; i++)
		chosen->arguments[i] = __builtin_ctz(arguments->in[i]);
}

/* The first instruction that may be probed, where none is emulated. */
static void choose_first(const struct function_code *code, struct instruction *chosen)
{
	struct decoded decoded;

	size_t offset = 0;

	while (decode(code, offset, &decoded)) {
		if (!may_become_call(&decoded)) {
			chosen->offset = offset;
			format(&decoded, code->address + offset, chosen->text,
			       sizeof(chosen->text));
			return;
		}
		offset += decoded.insn.length;
		if (is_control_transfer(&decoded.insn) || may_jump_into(code, offset))
			break;
	}
	chosen->none = offset;	/* what cannot be decoded, the kernel judges */
}

void instruction__choose(const struct function_code *code, struct instruction *chosen)
{
	struct arguments at_entry = { .count = code->nargs }, arguments;
	struct decoded decoded;

	for (unsigned int i = 0; i < code->nargs; i++)
		at_entry.in[i] = 1 << (IN_DI + i);
	*chosen = (struct instruction){ .text = "(bad)" };
	arguments = at_entry;
	for (size_t offset = 0; decode(code, offset, &decoded); offset += decoded.insn.length) {
		if (is_emulated(&decoded, code->bytes + offset)) {
			if (offset && may_jump_into(code, offset))
				break;
			chosen->offset = offset;
			chosen->emulated = true;
			say_where(&arguments, chosen);
			format(&decoded, code->address + offset, chosen->text,
			       sizeof(chosen->text));
			return;
		}
		if (is_control_transfer(&decoded.insn) || !keep_arguments(&decoded, &arguments))
			break;
	}
	say_where(&at_entry, chosen);
	choose_first(code, chosen);
}

bool instruction__describe(const uint8_t *bytes, size_t size, uint64_t address, char *text,
			   size_t text_size)
{
	struct function_code code = { .bytes = bytes, .size = size };
	struct decoded decoded;

	snprintf(text, text_size, "(bad)");
	if (!decode(&code, 0, &decoded))
		return false;
	format(&decoded, address, text, text_size);
	return is_emulated(&decoded, bytes);
}
