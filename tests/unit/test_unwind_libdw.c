// SPDX-License-Identifier: GPL-2.0-or-later
/* Unwind rows of real files: the same as what libdw's own interpreter says. */
#include <dwarf.h>
#include <elfutils/libdw.h>
#include <fcntl.h>
#include <gelf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "frame_image.h"
#include "unwind/unwind.h"

/* ---- a machine whose memory is a function of the address ---- */

struct registers {
	uint64_t pc, sp, bp, bx;
};

static uint64_t load(uint64_t address)
{
	uint64_t word = (address ^ address >> 29) * 0x9e3779b97f4a7c15ULL;

	return word ^ word >> 32;
}

struct evaluation {
	const struct registers *registers;
	uint64_t cfa;
	uint64_t stack[16];
	int depth;
	bool is_value;		/* not a location */
};

static bool push_register(struct evaluation *e, unsigned int number, int64_t offset)
{
	static const uint8_t known[] = { [3] = 1, [6] = 2, [7] = 3, [16] = 4 };
	const struct registers *r = e->registers;
	uint64_t values[] = { 0, r->bx, r->bp, r->sp, r->pc };

	if (number >= sizeof(known) || !known[number])
		return false;
	e->stack[e->depth++] = values[known[number]] + offset;
	return true;
}

static bool run_operator(struct evaluation *e, uint8_t atom)
{
	uint64_t right, *left;

	if (e->depth < 2)
		return false;	/* DW_OP_reg*: in a register, not in memory */
	right = e->stack[--e->depth];
	left = &e->stack[e->depth - 1];
	switch (atom) {
	case DW_OP_plus:
		*left += right;
		return true;
	case DW_OP_minus:
		*left -= right;
		return true;
	case DW_OP_and:
		*left &= right;
		return true;
	case DW_OP_mul:
		*left *= right;
		return true;
	case DW_OP_shl:
		*left <<= right;
		return true;
	case DW_OP_ge:
		*left = (int64_t)*left >= (int64_t)right;
		return true;
	default:
		return false;
	}
}

/* Runs any expression that keeps to our registers; as plain as DWARF itself. */
static bool evaluate(struct evaluation *e, const Dwarf_Op *ops, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const Dwarf_Op *op = &ops[i];

		if (op->atom >= DW_OP_breg0 && op->atom <= DW_OP_breg31) {
			if (!push_register(e, op->atom - DW_OP_breg0, op->number))
				return false;
		} else if (op->atom >= DW_OP_lit0 && op->atom <= DW_OP_lit31) {
			e->stack[e->depth++] = op->atom - DW_OP_lit0;
		} else if (op->atom >= DW_OP_const1u && op->atom <= DW_OP_consts) {
			e->stack[e->depth++] = op->number;
		} else if (op->atom == DW_OP_bregx) {
			if (!push_register(e, op->number, op->number2))
				return false;
		} else if (op->atom == DW_OP_call_frame_cfa) {
			e->stack[e->depth++] = e->cfa;
		} else if (op->atom == DW_OP_plus_uconst) {
			e->stack[e->depth - 1] += op->number;
		} else if (op->atom == DW_OP_deref) {
			e->stack[e->depth - 1] = load(e->stack[e->depth - 1]);
		} else if (op->atom == DW_OP_drop) {
			e->depth--;
		} else if (op->atom == DW_OP_stack_value) {
			e->is_value = true;
		} else if (!run_operator(e, op->atom)) {
			return false;
		}
	}
	return e->depth > 0;
}

static bool our_cfa(const struct unwind_rule *rule, const struct registers *r, uint64_t *cfa)
{
	switch (rule->cfa) {
	case CFA_SP:
		*cfa = r->sp + rule->cfa_offset;
		return true;
	case CFA_BP:
		*cfa = r->bp + rule->cfa_offset;
		return true;
	case CFA_BX:
		*cfa = r->bx + rule->cfa_offset;
		return true;
	case CFA_DEREF_SP:
		*cfa = load(r->sp + rule->deref_offset) + rule->cfa_offset;
		return true;
	case CFA_DEREF_BP:
		*cfa = load(r->bp + rule->deref_offset) + rule->cfa_offset;
		return true;
	case CFA_PLT:
		*cfa = r->sp + 8 + ((r->pc & 15) >= (uint64_t)rule->deref_offset ? 8 : 0);
		return true;
	case CFA_SIGNAL:
		*cfa = load(r->sp + 160);
		return true;
	default:
		return false;
	}
}

/* ---- real files ---- */

struct comparison {
	const char *path;
	Dwarf_CFI *cfi;
	struct unwind_rules *rules;
	struct unwind_rows rows;
	const struct unwind_rule *table;
	unsigned long compared, followed, not_followed, not_saved;
};

static void fail_at(const struct comparison *c, uint64_t address, const char *what)
{
	fail_msg("%s: %#lx: %s differs from libdw's", c->path, address, what);
}

/* A callee-saved register. */
static void compare_saved(struct comparison *c, Dwarf_Frame *frame, const struct registers *r,
			  uint64_t cfa, int number, uint8_t how, int slot)
{
	const uint64_t bases[] = { [SAVED_AT_CFA] = cfa, [SAVED_AT_BP] = r->bp,
				   [SAVED_AT_SP] = r->sp };
	struct evaluation e = { .registers = r, .cfa = cfa };
	Dwarf_Op memory[3], *ops;
	size_t count;

	assert_int_equal(dwarf_frame_register(frame, number, memory, &ops, &count), 0);
	if (!count && !ops) {
		if (how != SAVED_SAME)
			fail_at(c, r->pc, "an unchanged register");
	} else if (!count) {
		/* elfutils 0.188 (backends/x86_64_cfi.c) has rax for rbx among the preserved. */
		if (how != SAVED_UNDEFINED && !(number == 3 && how == SAVED_SAME))
			fail_at(c, r->pc, "an undefined register");
	} else if (how == SAVED_SAME) {
		fail_at(c, r->pc, "a saved register");
	} else if (how == SAVED_UNDEFINED) {
		c->not_saved += evaluate(&e, ops, count) && !e.is_value && number == 6;
	} else if (!evaluate(&e, ops, count) || e.is_value ||
		   e.stack[e.depth - 1] != bases[how] + 8 * slot) {
		fail_at(c, r->pc, "a register's place");
	}
}

static void compare_frame(struct comparison *c, Dwarf_Frame *frame, const struct registers *r,
			  const struct unwind_rule *rule, bool signal_frame)
{
	struct evaluation e = { .registers = r }, ra = { .registers = r };
	Dwarf_Op memory[3], *ops;
	bool known, plain;
	size_t count;
	uint64_t cfa;

	assert_int_equal(dwarf_frame_register(frame, 16, memory, &ops, &count), 0);
	if (!count && ops) {
		if (rule->cfa != CFA_BOTTOM)
			fail_at(c, r->pc, "the bottom");
		return;
	}
	plain = count && ops[0].atom == DW_OP_call_frame_cfa;
	assert_int_equal(dwarf_frame_cfa(frame, &ops, &count), 0);
	known = evaluate(&e, ops, count);
	ra.cfa = known ? e.stack[e.depth - 1] : 0;
	if (!our_cfa(rule, r, &cfa)) {
		if (rule->cfa != CFA_REGISTER)
			fail_at(c, r->pc, "what can be followed");
		c->not_followed += known && plain;
		return;
	}
	if (!known || cfa != ra.cfa)
		fail_at(c, r->pc, "the CFA");
	if (signal_frame != (rule->cfa == CFA_SIGNAL))
		fail_at(c, r->pc, "being a signal frame");
	c->followed++;
	if (dwarf_frame_register(frame, 16, memory, &ops, &count) || !evaluate(&ra, ops, count) ||
	    ra.is_value)
		fail_at(c, r->pc, "having a return address");
	if (signal_frame) {
		/* struct rt_sigframe, as the walk knows it by heart. */
		assert_int_equal(ra.stack[ra.depth - 1], r->sp + 168);
		compare_saved(c, frame, r, cfa, 6, SAVED_AT_SP, 120 / 8);
		compare_saved(c, frame, r, cfa, 3, SAVED_AT_SP, 128 / 8);
		return;
	}
	if (ra.stack[ra.depth - 1] != cfa + 8 * rule->ra_slot)
		fail_at(c, r->pc, "the return address's place");
	compare_saved(c, frame, r, cfa, 6, rule->bp, rule->bp_slot);
	compare_saved(c, frame, r, cfa, 3, rule->bx, rule->bx_slot);
}

/* Returns the end of libdw's row, or `address`. */
static uint64_t compare_at(struct comparison *c, uint64_t address)
{
	struct registers r = { .pc = address, .sp = 0x7ffd12345678, .bp = 0x7ffd87654320,
			       .bx = 0x7ffdabcdef10 };
	const struct unwind_rule *rule = &c->table[rule_at(&c->rows, address)];
	Dwarf_Addr start, end;
	bool signal_frame;
	Dwarf_Frame *frame;

	c->compared++;
	if (dwarf_cfi_addrframe(c->cfi, address, &frame)) {
		/* The byte before glibc's __start_context ends coroutines. */
		if (rule->cfa != CFA_NONE && rule->cfa != CFA_BOTTOM)
			fail_at(c, address, "a gap");
		return address;
	}
	dwarf_frame_info(frame, &start, &end, &signal_frame);
	compare_frame(c, frame, &r, rule, signal_frame);
	free(frame);
	return end;
}

static void compare_file(const char *path, uint32_t stride)
{
	struct comparison c = { .path = path, .rules = unwind_rules__new() };
	struct stat status;
	uint32_t nrules;
	void *image;
	Elf *elf;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		print_message("%s: not here\n", path);
		unwind_rules__free(c.rules);
		return;
	}
	assert_int_equal(fstat(fd, &status), 0);
	image = mmap(NULL, status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	assert_ptr_not_equal(image, MAP_FAILED);
	assert_int_equal(read_memory(image, status.st_size, NULL, 0, path, c.rules, &c.rows),
			 0);
	c.table = unwind_rules__table(c.rules, &nrules);
	elf = elf_begin(fd, ELF_C_READ_MMAP, NULL);
	c.cfi = dwarf_getcfi_elf(elf);
	assert_non_null(c.cfi);

	for (uint32_t i = 0; i < c.rows.nrows; i += stride) {
		uint64_t start = c.rows.base + c.rows.rows[i].start;
		uint64_t end = compare_at(&c, start);

		compare_at(&c, (start + end) / 2);
		compare_at(&c, end);	/* where libdw has a boundary that we might lack */
	}
	print_message("%s: %u rows, %u rules; of %lu addresses %lu followed\n", path, c.rows.nrows,
		      nrules, c.compared, c.followed);
	assert_int_equal(c.not_followed, 0);
	assert_int_equal(c.not_saved, 0);
	dwarf_cfi_end(c.cfi);
	elf_end(elf);
	unwind_rows__free(&c.rows);
	unwind_rules__free(c.rules);
	munmap(image, status.st_size);
	close(fd);
}

#define LIB "/usr/lib/x86_64-linux-gnu/"

static void test_libc(void **state)
{
	compare_file(LIB "libc.so.6", 1);
}

static void test_loader(void **state)
{
	compare_file(LIB "ld-linux-x86-64.so.2", 1);
}

static void test_libstdcxx(void **state)
{
	compare_file(LIB "libstdc++.so.6", 1);
}

static void test_python(void **state)
{
	compare_file("/usr/bin/python3.11", 1);
}

static void test_libcrypto(void **state)
{
	compare_file(LIB "libcrypto.so.3", 1);
}

static void test_libllvm(void **state)
{
	compare_file(LIB "libLLVM-14.so.1", 13);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_libc),
		cmocka_unit_test(test_loader),
		cmocka_unit_test(test_libstdcxx),
		cmocka_unit_test(test_python),
		cmocka_unit_test(test_libcrypto),
		cmocka_unit_test(test_libllvm),
	};

	elf_version(EV_CURRENT);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
