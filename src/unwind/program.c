// SPDX-License-Identifier: GPL-2.0-or-later
/* Runs the programs of call frame information (DWARF 5 section 6.4.2). */
#include <dwarf.h>
#include <errno.h>

#include "unwind/cfi.h"
#include "unwind/reader.h"

#define MAX_REMEMBERED 16	/* compilers nest one deep */

#define DW_CFA_HIGH_2_BITS 0xc0

struct machine {
	const struct cfi_cie *cie;
	const struct cfi_fde *fde;	/* NULL: a CIE's initial program */
	struct reader program;
	uint64_t address;
	struct cfi_state state;
	struct cfi_state remembered[MAX_REMEMBERED];
	unsigned int nremembered;
};

/* NULL: a register we do not follow. */
static struct cfi_saved *saved_register(struct machine *machine, uint64_t number)
{
	switch (number) {
	case 3:
		return &machine->state.saved[CFI_BX];
	case 6:
		return &machine->state.saved[CFI_BP];
	case 7:
		return &machine->state.saved[CFI_SP];
	case 16:
		return &machine->state.saved[CFI_RA];
	default:
		return NULL;
	}
}

static void save(struct machine *machine, uint64_t number, struct cfi_saved how)
{
	struct cfi_saved *saved = saved_register(machine, number);

	if (saved)
		*saved = how;
}

static void save_at(struct machine *machine, uint64_t number, enum cfi_how how, uint64_t factored)
{
	int64_t offset;

	if (__builtin_mul_overflow((int64_t)factored, machine->cie->data_align, &offset))
		reader__fail(&machine->program);
	else
		save(machine, number, (struct cfi_saved){ .how = how, .offset = offset });
}

static void restore(struct machine *machine, uint64_t number)
{
	struct cfi_saved *saved = saved_register(machine, number);

	/* In an initial program there is nothing to restore yet. */
	if (!machine->fde)
		reader__fail(&machine->program);
	else if (saved)
		*saved = machine->cie->initial.saved[saved - machine->state.saved];
}

static struct cfi_expression read_expression(struct machine *machine)
{
	uint64_t size = reader__uleb(&machine->program);

	return (struct cfi_expression){ .data = reader__skip(&machine->program, size),
					.size = size };
}

static void define_cfa(struct machine *machine, uint64_t number, int64_t offset)
{
	machine->state.cfa_register = number;
	machine->state.cfa_offset = offset;
	machine->state.cfa_expression = (struct cfi_expression){ 0 };
}

static int64_t factored(struct machine *machine)
{
	int64_t offset;

	if (__builtin_mul_overflow(reader__sleb(&machine->program), machine->cie->data_align,
				   &offset))
		reader__fail(&machine->program);
	return offset;
}

/* False: not one of the instructions that define the CFA. */
static bool run_cfa(struct machine *machine, uint8_t opcode)
{
	struct reader *program = &machine->program;
	uint64_t number;

	switch (opcode) {
	case DW_CFA_def_cfa:
		number = reader__uleb(program);
		define_cfa(machine, number, reader__uleb(program));
		return true;
	case DW_CFA_def_cfa_sf:
		number = reader__uleb(program);
		define_cfa(machine, number, factored(machine));
		return true;
	/*
	 * While an expression holds, DWARF has these three void. libgcrypt's assembly relies on
	 * libgcc's reading (unwind-dw2.c, execute_cfa_program): the offset outlives the expression.
	 */
	case DW_CFA_def_cfa_register:
		define_cfa(machine, reader__uleb(program), machine->state.cfa_offset);
		return true;
	case DW_CFA_def_cfa_offset:
		machine->state.cfa_offset = reader__uleb(program);
		return true;
	case DW_CFA_def_cfa_offset_sf:
		machine->state.cfa_offset = factored(machine);
		return true;
	case DW_CFA_def_cfa_expression:
		machine->state.cfa_expression = read_expression(machine);
		return true;
	default:
		return false;
	}
}

/* False: not one of the instructions that say where a register was saved. */
static bool run_register(struct machine *machine, uint8_t opcode)
{
	struct reader *program = &machine->program;
	uint64_t number;

	if (opcode < DW_CFA_offset_extended || opcode == DW_CFA_remember_state ||
	    opcode == DW_CFA_restore_state)
		return false;
	if (opcode > DW_CFA_val_expression && opcode != DW_CFA_GNU_negative_offset_extended)
		return false;

	number = reader__uleb(program);
	switch (opcode) {
	case DW_CFA_offset_extended:
		save_at(machine, number, CFI_AT_CFA, reader__uleb(program));
		return true;
	case DW_CFA_offset_extended_sf:
		save_at(machine, number, CFI_AT_CFA, reader__sleb(program));
		return true;
	case DW_CFA_GNU_negative_offset_extended:
		save_at(machine, number, CFI_AT_CFA, -reader__uleb(program));
		return true;
	case DW_CFA_restore_extended:
		restore(machine, number);
		return true;
	case DW_CFA_undefined:
		save(machine, number, (struct cfi_saved){ .how = CFI_UNDEFINED });
		return true;
	case DW_CFA_same_value:
		save(machine, number, (struct cfi_saved){ .how = CFI_SAME });
		return true;
	case DW_CFA_register:
	case DW_CFA_val_offset:
	case DW_CFA_val_offset_sf:
		reader__uleb(program);
		save(machine, number, (struct cfi_saved){ .how = CFI_ELSEWHERE });
		return true;
	case DW_CFA_val_expression:
		read_expression(machine);
		save(machine, number, (struct cfi_saved){ .how = CFI_ELSEWHERE });
		return true;
	case DW_CFA_expression:
		save(machine, number, (struct cfi_saved){ .how = CFI_EXPRESSION,
				.expression = read_expression(machine) });
		return true;
	default:
		return false;
	}
}

static bool run_state(struct machine *machine, uint8_t opcode)
{
	switch (opcode) {
	case DW_CFA_nop:
		return true;
	case DW_CFA_GNU_args_size:
		reader__uleb(&machine->program);
		return true;
	case DW_CFA_remember_state:
		if (machine->nremembered == MAX_REMEMBERED)
			return false;
		machine->remembered[machine->nremembered++] = machine->state;
		return true;
	case DW_CFA_restore_state:
		if (!machine->nremembered)
			return false;
		machine->state = machine->remembered[--machine->nremembered];
		return true;
	default:
		return run_cfa(machine, opcode) || run_register(machine, opcode);
	}
}

/* Reads how far `opcode` advances, if it does. False: it does not. */
static bool read_advance(struct machine *machine, uint8_t opcode, uint64_t *address)
{
	struct reader *program = &machine->program;
	uint64_t delta;

	switch (opcode) {
	case DW_CFA_set_loc:
		*address = machine->fde->program_address + (program->at - machine->fde->program);
		reader__pointer(program, machine->cie->encoding, address);
		return true;
	case DW_CFA_advance_loc1:
		delta = reader__u8(program);
		break;
	case DW_CFA_advance_loc2:
		delta = reader__u16(program);
		break;
	case DW_CFA_advance_loc4:
		delta = reader__u32(program);
		break;
	default:
		if ((opcode & DW_CFA_HIGH_2_BITS) != DW_CFA_advance_loc)
			return false;
		delta = opcode & ~DW_CFA_HIGH_2_BITS;
	}
	if (__builtin_mul_overflow(delta, machine->cie->code_align, &delta) ||
	    __builtin_add_overflow(machine->address, delta, address))
		reader__fail(program);
	return true;
}

/* One instruction. False: damaged. */
static bool step(struct machine *machine, uint8_t opcode)
{
	bool known = true;

	switch (opcode & DW_CFA_HIGH_2_BITS) {
	case DW_CFA_offset:
		save_at(machine, opcode & ~DW_CFA_HIGH_2_BITS, CFI_AT_CFA,
			reader__uleb(&machine->program));
		break;
	case DW_CFA_restore:
		restore(machine, opcode & ~DW_CFA_HIGH_2_BITS);
		break;
	default:
		known = run_state(machine, opcode);
	}
	return known && !machine->program.failed;
}

bool cfi__run_initial(struct cfi_cie *cie, const uint8_t *program, size_t size)
{
	struct machine machine = { .cie = cie, .program = reader__over(program, size) };

	/* No register is number -1: a rule that never was defined cannot be followed. */
	machine.state.cfa_register = UINT64_MAX;
	while (reader__left(&machine.program)) {
		if (!step(&machine, reader__u8(&machine.program)))
			return false;
	}
	cie->initial = machine.state;
	return true;
}

static int report(struct machine *machine, uint64_t end, cfi_row_fn row, void *arg)
{
	return machine->address < end ? row(arg, machine->address, &machine->state) : 0;
}

int cfi__run(const struct cfi_fde *fde, uint64_t end, cfi_row_fn row, void *arg)
{
	struct machine machine;	/* no initialiser: to clear `remembered` would cost a third */
	uint64_t next;
	int err;

	machine.cie = fde->cie;
	machine.fde = fde;
	machine.program = reader__over(fde->program, fde->size);
	machine.address = fde->start;
	machine.state = fde->cie->initial;
	machine.nremembered = 0;
	while (reader__left(&machine.program)) {
		uint8_t opcode = reader__u8(&machine.program);

		if (!read_advance(&machine, opcode, &next)) {
			if (!step(&machine, opcode))
				return -EINVAL;
			continue;
		}
		if (machine.program.failed || next < machine.address || next > fde->end)
			return -EINVAL;
		if (next == machine.address)
			continue;
		err = report(&machine, end, row, arg);
		if (err)
			return err;
		machine.address = next;
	}
	return report(&machine, end, row, arg);
}
