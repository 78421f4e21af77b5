// SPDX-License-Identifier: GPL-2.0-or-later
#include "probe/instruction.h"

#include <stdio.h>

#include <Zydis/Zydis.h>

struct decoded {
	ZydisDecodedInstruction insn;
	ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
};

static const ZydisRegister argument_registers[] = {
	ZYDIS_REGISTER_RDI, ZYDIS_REGISTER_RSI, ZYDIS_REGISTER_RDX,
};

static bool decode(const struct function_code *code, size_t offset, struct decoded *decoded)
{
	ZydisDecoder decoder;

	ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	return ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, code->bytes + offset,
						   code->size - offset, &decoded->insn,
						   decoded->operands));
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
	if (insn->raw.prefix_count)
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

/* Does it write the stack pointer or one of the first nargs argument registers, or part of one? */
static bool spoils_registers(const struct decoded *decoded, unsigned int nargs)
{
	for (unsigned int i = 0; i < decoded->insn.operand_count; i++) {
		const ZydisDecodedOperand *operand = &decoded->operands[i];
		ZydisRegister whole;

		if (operand->type != ZYDIS_OPERAND_TYPE_REGISTER ||
		    !(operand->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE))
			continue;
		whole = ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64,
							 operand->reg.value);
		if (whole == ZYDIS_REGISTER_RSP)
			return true;
		for (unsigned int arg = 0; arg < nargs; arg++)
			if (whole == argument_registers[arg])
				return true;
	}
	return false;
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

static void format(const struct function_code *code, size_t offset, const struct decoded *decoded,
		   char *text, size_t size)
{
	ZydisFormatter formatter;

	ZydisFormatterInit(&formatter, ZYDIS_FORMATTER_STYLE_ATT);
	ZydisFormatterSetProperty(&formatter, ZYDIS_FORMATTER_PROP_HEX_UPPERCASE, ZYAN_FALSE);
	ZydisFormatterSetProperty(&formatter, ZYDIS_FORMATTER_PROP_ADDR_PADDING_ABSOLUTE,
				  ZYDIS_PADDING_DISABLED);
	if (!ZYAN_SUCCESS(ZydisFormatterFormatInstruction(&formatter, &decoded->insn,
							  decoded->operands,
							  decoded->insn.operand_count_visible,
							  text, size, code->address + offset,
							  NULL)))
		snprintf(text, size, "(bad)");
}

void instruction__choose(const struct function_code *code, struct instruction *chosen)
{
	struct decoded first, decoded;
	size_t offset = 0;

	*chosen = (struct instruction){ .text = "(bad)" };
	if (!decode(code, 0, &first))
		return;
	for (decoded = first;; offset += decoded.insn.length) {
		if (!decode(code, offset, &decoded))
			break;
		if (is_emulated(&decoded, code->bytes + offset)) {
			if (offset && may_jump_into(code, offset))
				break;
			chosen->offset = offset;
			chosen->emulated = true;
			format(code, offset, &decoded, chosen->text, sizeof(chosen->text));
			return;
		}
		if (is_control_transfer(&decoded.insn) || spoils_registers(&decoded, code->nargs))
			break;
	}
	format(code, 0, &first, chosen->text, sizeof(chosen->text));
}
