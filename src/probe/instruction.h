/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which instruction of a function carries the probe. x86-64 only. */
#ifndef MT_PROBE_INSTRUCTION_H
#define MT_PROBE_INSTRUCTION_H

#include <Zydis/Zydis.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/types.h"

#define MAX_ARGUMENTS 4		/* what can be read of a call */

struct function_code {
	const uint8_t *bytes;	/* from the function's first byte on */
	size_t size;
	bool whole;		/* bytes end where the function ends; else nobody knows where */
	uint64_t address;	/* of the first byte in the file's own numbering, for the text */
	unsigned int nargs;	/* of its first arguments, how many the probe wants to read */
};

struct instruction {
	size_t offset;		/* from the function's first byte */
	bool emulated;		/* by every kernel with uprobes: no single step */
	bool none;		/* there is no instruction that may be probed */
	/* Where the arguments are by then. */
	enum call_register arguments[MAX_ARGUMENTS];
	char text[64];		/* AT&T syntax, "(bad)" where it cannot be decoded */
};

/*
 * The first instruction that the kernel emulates, in the function's straight-line beginning,
 * where the arguments are still in registers, the stack pointer still points at the return address
 * (a return probe replaces what it points at), and which one call passes exactly once. Where there
 * is none: the function's first instruction; or the next where the kernel might turn that into a
 * call (chosen->none where a call may pass that one twice).
 */
void instruction__choose(const struct function_code *code, struct instruction *chosen);

/*
 * The text of the first instruction of the bytes. Returns whether the kernel emulates it, and only
 * that: one that it may turn into a call is not.
 */
bool instruction__describe(const uint8_t *bytes, size_t size, uint64_t address, char *text,
			   size_t text_size);

ZydisRegister instruction__register(enum call_register number);
enum call_register instruction__register_number(ZydisRegister whole);	/* IN_NONE: none of ours */

#endif
