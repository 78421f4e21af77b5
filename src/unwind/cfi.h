/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Call frame information: the entries of .eh_frame (LSB Core 10.6.1) and .debug_frame (DWARF 5
 * section 6.4), and the programs in them.
 */
#ifndef MT_UNWIND_CFI_H
#define MT_UNWIND_CFI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/types.h"
#include "unwind/image.h"

/* The registers we follow, of the 17 that a program may talk about. */
enum cfi_register { CFI_BX, CFI_BP, CFI_SP, CFI_RA, CFI_REGISTERS };

enum cfi_how {
	CFI_UNSPECIFIED,
	CFI_SAME,
	CFI_UNDEFINED,
	CFI_AT_CFA,		/* saved at CFA + offset */
	CFI_EXPRESSION,		/* saved where the expression says */
	CFI_ELSEWHERE,		/* in another register, or computed */
};

struct cfi_expression {
	const uint8_t *data;
	size_t size;
};

struct cfi_saved {
	enum cfi_how how;
	int64_t offset;
	struct cfi_expression expression;
};

/* One row of the table that a program describes. */
struct cfi_state {
	uint64_t cfa_register;			/* DWARF number */
	int64_t cfa_offset;
	struct cfi_expression cfa_expression;	/* instead, if it has data */
	struct cfi_saved saved[CFI_REGISTERS];
};

/* What the entries (FDEs) of many functions have in common. */
struct cfi_cie {
	uint64_t offset;	/* in the section */
	uint64_t code_align;
	int64_t data_align;
	uint8_t encoding;	/* of pointers: DW_EH_PE_* */
	bool has_size;		/* augmentation data comes with its length */
	bool signal_frame;
	bool usable;
	struct cfi_state initial;
};

/* Code from `start` up to `end`, and the program that describes it. */
struct cfi_fde {
	uint64_t start, end;
	const uint8_t *program;
	size_t size;
	uint64_t program_address;
	const struct cfi_cie *cie;
};

struct cfi_section {
	struct elf_bytes bytes;
	bool to_segment_end;	/* the true end is unknown: no section header names it */
	bool is_eh;		/* .eh_frame; else .debug_frame */
	struct cfi_cie **cies;	/* by offset */
	size_t ncies;
	struct cfi_fde *fdes;
	size_t nfdes;
	bool damaged;		/* something could not be read */
};

/* Reads all entries of section->bytes. 0 or -ENOMEM; damage is a flag. Release in any case. */
int cfi_section__read(struct cfi_section *section);
void cfi_section__release(struct cfi_section *section);

/* A program's rows, in order of address. An error ends the program and is handed on. */
typedef int (*cfi_row_fn)(void *arg, uint64_t address, const struct cfi_state *state);

/* Runs the initial program of a CIE into cie->initial. False: it is damaged. */
bool cfi__run_initial(struct cfi_cie *cie, const uint8_t *program, size_t size);
/* Reports rows below `end`. -EINVAL: the program is damaged; what was reported of it is void. */
int cfi__run(const struct cfi_fde *fde, uint64_t end, cfi_row_fn row, void *arg);

/* The unwind rule that a state amounts to; CFA_REGISTER for what cannot be followed. */
void cfi__rule(const struct cfi_state *state, bool signal_frame, struct unwind_rule *rule);

#endif
