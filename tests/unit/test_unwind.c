// SPDX-License-Identifier: GPL-2.0-or-later
/* Unwind rows of hand-made files and of damaged ones. */
#include <dwarf.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "frame_image.h"
#include "unwind/unwind.h"

struct bytes {
	uint8_t data[4096];
	size_t size;
};

static void put(struct bytes *bytes, uint64_t value, size_t size)
{
	assert_true(bytes->size + size <= sizeof(bytes->data));
	memcpy(bytes->data + bytes->size, &value, size);
	bytes->size += size;
}

static void put_all(struct bytes *bytes, const void *data, size_t size)
{
	assert_true(bytes->size + size <= sizeof(bytes->data));
	if (size)
		memcpy(bytes->data + bytes->size, data, size);
	bytes->size += size;
}

#define PROGRAM(...) (const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ })

/* How the entries of a file are written; all zero: .eh_frame as gcc writes it. */
struct format {
	enum frame_kind kind;
	uint8_t version;		/* 0: 1 */
	uint8_t encoding;		/* 0: no augmentation, 8-byte addresses */
	const char *augmentation;	/* instead of "" or "zR" */
	bool is_64;
};

static size_t begin_entry(struct bytes *bytes, const struct format *format)
{
	if (format->is_64)
		put(bytes, 0xffffffff, 4);
	put(bytes, 0, format->is_64 ? 8 : 4);
	return bytes->size;
}

static void end_entry(struct bytes *bytes, const struct format *format, size_t start)
{
	size_t size = format->is_64 ? 8 : 4;
	uint64_t length;

	while ((bytes->size & 7) != (format->is_64 ? 0 : 4))
		put(bytes, DW_CFA_nop, 1);
	length = bytes->size - start;
	memcpy(bytes->data + start - size, &length, size);
}

/* CFA = rsp + 8 at the entry, return address at CFA - 8, then `program`. */
static void put_cie(struct bytes *bytes, const struct format *format, const uint8_t *program,
		    size_t size)
{
	const char *letters = format->augmentation ?: format->encoding ? "zR" : "";
	size_t start = begin_entry(bytes, format);
	bool is_eh = format->kind != IN_DEBUG_FRAME;

	put(bytes, is_eh ? 0 : ~0ULL, format->is_64 && !is_eh ? 8 : 4);
	put(bytes, format->version ?: 1, 1);
	put_all(bytes, letters, strlen(letters) + 1);
	if (format->version == 4)
		put(bytes, 8, 2);
	put(bytes, 1, 1);
	put(bytes, 0x78, 1);
	put(bytes, 16, 1);
	if (letters[0] == 'z') {
		put(bytes, 1, 1);
		put(bytes, format->encoding, 1);
	}
	put_all(bytes, PROGRAM(DW_CFA_def_cfa, 7, 8, DW_CFA_offset | 16, 1));
	put_all(bytes, program, size);
	end_entry(bytes, format, start);
}

static void put_address(struct bytes *bytes, const struct format *format, uint64_t address,
			bool is_length)
{
	static const uint8_t sizes[] = { [DW_EH_PE_udata2] = 2, [DW_EH_PE_udata4] = 4,
					 [DW_EH_PE_sdata4] = 4, [DW_EH_PE_sdata8] = 8 };
	uint64_t here = FRAMES + (format->kind == BY_SEGMENT ? FRAMES_HDR_SIZE : 0) + bytes->size;

	if ((format->encoding & 0x70) == DW_EH_PE_pcrel && !is_length)
		address -= here;
	put(bytes, address, sizes[format->encoding & 0x0f] ?: 8);
}

/* The FDE of [start, start + size), with the CIE at offset 0. */
static void put_fde(struct bytes *bytes, const struct format *format, uint64_t start, uint64_t size,
		    const uint8_t *program, size_t program_size)
{
	size_t entry = begin_entry(bytes, format);

	if (format->kind != IN_DEBUG_FRAME)
		put(bytes, bytes->size, 4);
	else
		put(bytes, 0, format->is_64 ? 8 : 4);
	put_address(bytes, format, start, false);
	put_address(bytes, format, size, true);
	if (format->encoding)
		put(bytes, 0, 1);
	put_all(bytes, program, program_size);
	end_entry(bytes, format, entry);
}

struct result {
	struct unwind_rules *rules;
	struct unwind_rows rows;
	const struct unwind_rule *table;
};

static void free_result(struct result *result)
{
	unwind_rows__free(&result->rows);
	unwind_rules__free(result->rules);
}

static int read_image(const uint8_t *image, size_t size, const uint8_t *debug, size_t debug_size,
		      struct result *result)
{
	uint32_t count;
	int err;

	result->rules = unwind_rules__new();
	err = read_memory(image, size, debug, debug_size, "hand-made", result->rules,
				&result->rows);
	result->table = unwind_rules__table(result->rules, &count);
	for (uint32_t i = 0; i < result->rows.nrows; i++) {
		assert_true(result->rows.rows[i].rule < count);
		if (i)
			assert_true(result->rows.rows[i - 1].start < result->rows.rows[i].start);
	}
	return err;
}

static void read_frames(enum frame_kind kind, const struct bytes *frames, struct result *result)
{
	size_t size;
	uint8_t *image = frame_image(kind, frames->data, frames->size, &size);

	assert_int_equal(read_image(image, size, NULL, 0, result), 0);
	free(image);
}

static const struct unwind_rule *result_at(const struct result *result, uint64_t address)
{
	return &result->table[rule_at(&result->rows, address)];
}

static void assert_cfa(const struct result *result, uint64_t address, enum unwind_cfa cfa,
		       int64_t offset)
{
	const struct unwind_rule *rule = result_at(result, address);

	if (rule->cfa != cfa || rule->cfa_offset != offset)
		fail_msg("%#lx: rule %u%+d instead of %u%+ld", address, rule->cfa, rule->cfa_offset,
			 cfa, offset);
}

/* push %rbp; mov %rsp,%rbp */
#define PROLOGUE                                                                                   \
	DW_CFA_advance_loc | 1, DW_CFA_def_cfa_offset, 16, DW_CFA_offset | 6, 2,                   \
		DW_CFA_advance_loc | 3, DW_CFA_def_cfa_register, 6

static void test_formats(void **state)
{
	static const struct format formats[] = {
		{ .encoding = DW_EH_PE_pcrel | DW_EH_PE_sdata4 },
		{ .encoding = DW_EH_PE_pcrel | DW_EH_PE_sdata8 },
		{ .encoding = DW_EH_PE_udata2 },
		{ .encoding = DW_EH_PE_udata4 },
		{ .version = 3 },
		{ .kind = BY_SEGMENT, .encoding = DW_EH_PE_pcrel | DW_EH_PE_sdata4 },
		{ .kind = BY_SEGMENT, .is_64 = true },
		{ .kind = IN_DEBUG_FRAME },
		{ .kind = IN_DEBUG_FRAME, .version = 3, .is_64 = true },
		{ .kind = IN_DEBUG_FRAME, .version = 4 },
		{ .is_64 = true, .encoding = DW_EH_PE_pcrel | DW_EH_PE_sdata4 },
	};

	for (size_t i = 0; i < sizeof(formats) / sizeof(*formats); i++) {
		struct bytes frames = { .size = 0 };
		struct result result;

		put_cie(&frames, &formats[i], NULL, 0);
		put_fde(&frames, &formats[i], 0x1800, 0x100, PROGRAM(PROLOGUE));
		put_fde(&frames, &formats[i], 0x1100, 0x40, PROGRAM(DW_CFA_nop));
		read_frames(formats[i].kind, &frames, &result);
		assert_int_equal(result.rows.nrows, 6);
		assert_int_equal(result.rows.base, CODE);
		assert_cfa(&result, 0x10ff, CFA_NONE, 0);
		assert_cfa(&result, 0x113f, CFA_SP, 8);
		assert_cfa(&result, 0x1140, CFA_NONE, 0);
		assert_cfa(&result, 0x1800, CFA_SP, 8);
		assert_cfa(&result, 0x1801, CFA_SP, 16);
		assert_int_equal(result_at(&result, 0x1801)->bp, SAVED_AT_CFA);
		assert_int_equal(result_at(&result, 0x1801)->bp_slot, -2);
		assert_int_equal(result_at(&result, 0x1801)->ra_slot, -1);
		assert_cfa(&result, 0x18ff, CFA_BP, 16);
		assert_cfa(&result, 0x1900, CFA_NONE, 0);
		free_result(&result);
	}
}

static const struct format plain = { .encoding = DW_EH_PE_pcrel | DW_EH_PE_sdata4 };

/* One function at CODE with `program`; what holds behind its last instruction. */
static struct unwind_rule last_rule(const uint8_t *program, size_t size)
{
	struct bytes frames = { .size = 0 };
	struct unwind_rule rule;
	struct result result;

	put_cie(&frames, &plain, NULL, 0);
	put_fde(&frames, &plain, CODE, CODE_SIZE, program, size);
	read_frames(BY_SECTION, &frames, &result);
	rule = *result_at(&result, CODE + CODE_SIZE - 1);
	free_result(&result);
	return rule;
}

static void test_instructions(void **state)
{
	struct unwind_rule rule;

	/* 70,000 bytes of locals. */
	rule = last_rule(PROGRAM(DW_CFA_def_cfa_offset, 0xf0, 0xa2, 0x04));
	assert_int_equal(rule.cfa_offset, 70000);
	rule = last_rule(PROGRAM(DW_CFA_def_cfa_offset_sf, 0x7d));
	assert_int_equal(rule.cfa_offset, 24);
	rule = last_rule(PROGRAM(DW_CFA_def_cfa_sf, 6, 0x7e));
	assert_int_equal(rule.cfa, CFA_BP);
	assert_int_equal(rule.cfa_offset, 16);
	rule = last_rule(PROGRAM(DW_CFA_def_cfa, 3, 40));
	assert_int_equal(rule.cfa, CFA_BX);
	/* More than 32 bits, and a register that we do not track. */
	rule = last_rule(PROGRAM(DW_CFA_def_cfa_offset, 0x80, 0x80, 0x80, 0x80, 0x10));
	assert_int_equal(rule.cfa, CFA_REGISTER);
	rule = last_rule(PROGRAM(DW_CFA_def_cfa, 10, 0));
	assert_int_equal(rule.cfa, CFA_REGISTER);

	rule = last_rule(PROGRAM(DW_CFA_offset | 3, 3, DW_CFA_same_value, 6));
	assert_int_equal(rule.bx, SAVED_AT_CFA);
	assert_int_equal(rule.bx_slot, -3);
	assert_int_equal(rule.bp, SAVED_SAME);
	rule = last_rule(PROGRAM(DW_CFA_offset_extended_sf, 6, 2, DW_CFA_register, 3, 12));
	assert_int_equal(rule.bp_slot, -2);
	assert_int_equal(rule.bx, SAVED_UNDEFINED);
	rule = last_rule(PROGRAM(DW_CFA_offset | 6, 2, DW_CFA_restore | 6, DW_CFA_undefined, 3));
	assert_int_equal(rule.bp, SAVED_SAME);
	assert_int_equal(rule.bx, SAVED_UNDEFINED);
	/* A slot that does not fit. */
	rule = last_rule(PROGRAM(DW_CFA_offset | 6, 0x80, 0x80, 0x80, 0x01));
	assert_int_equal(rule.bp, SAVED_UNDEFINED);
	rule = last_rule(PROGRAM(DW_CFA_undefined, 16));
	assert_int_equal(rule.cfa, CFA_BOTTOM);
	rule = last_rule(PROGRAM(DW_CFA_offset | 16, 3));
	assert_int_equal(rule.ra_slot, -3);
	rule = last_rule(PROGRAM(DW_CFA_register, 16, 5));
	assert_int_equal(rule.cfa, CFA_REGISTER);

	rule = last_rule(PROGRAM(DW_CFA_remember_state, DW_CFA_advance_loc | 4, DW_CFA_def_cfa, 6,
				 16, DW_CFA_offset | 6, 2, DW_CFA_advance_loc1, 200,
				 DW_CFA_restore_state, DW_CFA_GNU_args_size, 16));
	assert_int_equal(rule.cfa, CFA_SP);
	assert_int_equal(rule.bp, SAVED_SAME);
}

static void test_expressions(void **state)
{
	struct unwind_rule rule;

	for (uint8_t threshold = 10; threshold <= 11; threshold++) {
		rule = last_rule(PROGRAM(DW_CFA_def_cfa_expression, 11, DW_OP_breg7, 8, DW_OP_breg16,
					 0, DW_OP_lit15, DW_OP_and, DW_OP_lit0 + threshold, DW_OP_ge,
					 DW_OP_lit3, DW_OP_shl, DW_OP_plus));
		assert_int_equal(rule.cfa, CFA_PLT);
		assert_int_equal(rule.deref_offset, threshold);
	}
	/* gcc's realigned stack, and OpenSSL's. */
	rule = last_rule(PROGRAM(DW_CFA_expression, 6, 2, DW_OP_breg6, 0, DW_CFA_expression, 3, 2,
				 DW_OP_breg6, 0x58, DW_CFA_def_cfa_expression, 3, DW_OP_breg6, 0x70,
				 DW_OP_deref));
	assert_int_equal(rule.cfa, CFA_DEREF_BP);
	assert_int_equal(rule.deref_offset, -16);
	assert_int_equal(rule.bp, SAVED_AT_BP);
	assert_int_equal(rule.bp_slot, 0);
	assert_int_equal(rule.bx_slot, -5);
	rule = last_rule(PROGRAM(DW_CFA_def_cfa_expression, 5, DW_OP_breg7, 40, DW_OP_deref,
				 DW_OP_plus_uconst, 8));
	assert_int_equal(rule.cfa, CFA_DEREF_SP);
	assert_int_equal(rule.deref_offset, 40);
	assert_int_equal(rule.cfa_offset, 8);
	/* The same in other words; and one that drops the CFA it starts with. */
	rule = last_rule(PROGRAM(DW_CFA_expression, 6, 3, DW_OP_drop, DW_OP_breg7, 16,
				 DW_CFA_def_cfa_expression, 7, DW_OP_lit8, DW_OP_breg7, 41,
				 DW_OP_lit1, DW_OP_minus, DW_OP_deref, DW_OP_plus));
	assert_int_equal(rule.cfa, CFA_DEREF_SP);
	assert_int_equal(rule.deref_offset, 40);
	assert_int_equal(rule.cfa_offset, 8);
	assert_int_equal(rule.bp, SAVED_AT_SP);
	assert_int_equal(rule.bp_slot, 2);
	/* Not a slot. */
	rule = last_rule(PROGRAM(DW_CFA_expression, 6, 2, DW_OP_breg6, 4));
	assert_int_equal(rule.bp, SAVED_UNDEFINED);
	/* libgcrypt's way back from an expression. */
	rule = last_rule(PROGRAM(DW_CFA_def_cfa_offset, 56, DW_CFA_def_cfa_expression, 3,
				 DW_OP_breg7, 40, DW_OP_deref, DW_CFA_def_cfa_register, 7));
	assert_int_equal(rule.cfa, CFA_SP);
	assert_int_equal(rule.cfa_offset, 56);
	/* Two loads, another register, nothing at all: not to be followed. */
	rule = last_rule(PROGRAM(DW_CFA_def_cfa_expression, 4, DW_OP_breg7, 0, DW_OP_deref,
				 DW_OP_deref));
	assert_int_equal(rule.cfa, CFA_REGISTER);
	rule = last_rule(PROGRAM(DW_CFA_def_cfa_expression, 2, DW_OP_breg9, 0));
	assert_int_equal(rule.cfa, CFA_REGISTER);
	rule = last_rule(PROGRAM(DW_CFA_def_cfa_expression, 0));
	assert_int_equal(rule.cfa, CFA_REGISTER);
}

static void test_overlap(void **state)
{
	struct bytes frames = { .size = 0 };
	struct result result;

	put_cie(&frames, &plain, NULL, 0);
	put_fde(&frames, &plain, 0x1000, 0x800, PROGRAM(DW_CFA_def_cfa_offset, 16));
	put_fde(&frames, &plain, 0x1400, 0x100, PROGRAM(DW_CFA_def_cfa_offset, 24));
	put_fde(&frames, &plain, 0x1400, 0x100, PROGRAM(DW_CFA_def_cfa_offset, 32));
	put_fde(&frames, &plain, 0x9000, 0x100, PROGRAM(DW_CFA_def_cfa_offset, 40));
	read_frames(BY_SECTION, &frames, &result);
	assert_cfa(&result, 0x13ff, CFA_SP, 16);
	assert_cfa(&result, 0x1400, CFA_SP, 24);
	assert_cfa(&result, 0x1500, CFA_NONE, 0);
	assert_cfa(&result, 0x9000, CFA_NONE, 0);	/* no code there */
	free_result(&result);
}

static void test_separate_debug_file(void **state)
{
	static const struct format format = { .kind = IN_DEBUG_FRAME };
	struct bytes frames = { .size = 0 }, debug_frames = { .size = 0 };
	size_t size, debug_size;
	uint8_t *image, *debug;
	struct result result;

	put_cie(&frames, &plain, NULL, 0);
	put_fde(&frames, &plain, 0x1100, 0x100, PROGRAM(DW_CFA_def_cfa_offset, 16));
	put_cie(&debug_frames, &format, NULL, 0);
	put_fde(&debug_frames, &format, 0x1080, 0x100, PROGRAM(DW_CFA_def_cfa_offset, 24));
	put_fde(&debug_frames, &format, 0x1200, 0x100, PROGRAM(DW_CFA_def_cfa_offset, 32));
	put_fde(&debug_frames, &format, 0, 0x100, PROGRAM(DW_CFA_def_cfa_offset, 40));
	image = frame_image(BY_SECTION, frames.data, frames.size, &size);
	debug = frame_image(IN_DEBUG_FRAME, debug_frames.data, debug_frames.size, &debug_size);
	assert_int_equal(read_image(image, size, debug, debug_size, &result), 0);
	assert_cfa(&result, 0x1080, CFA_NONE, 0);
	assert_cfa(&result, 0x1100, CFA_SP, 16);
	assert_cfa(&result, 0x1200, CFA_SP, 32);
	free_result(&result);
	free(image);
	free(debug);
}

/* ---- damage ---- */

static void test_damaged_programs(void **state)
{
	static const uint8_t good[] = { DW_CFA_def_cfa_offset, 16, DW_CFA_advance_loc | 1,
					DW_CFA_def_cfa_offset, 24, DW_CFA_advance_loc | 1,
					DW_CFA_def_cfa_offset, 32 };
	const struct { const uint8_t *program; size_t size; } damaged[] = {
		{ PROGRAM(DW_CFA_restore_state) },
		{ PROGRAM(DW_CFA_advance_loc4, 0xff, 0xff, 0xff, 0xff) },
		{ PROGRAM(DW_CFA_set_loc, 0, 0, 0, 0x80) },
		{ PROGRAM(0x3f) },
		{ PROGRAM(DW_CFA_def_cfa_expression, 0xff, 0x7f) },
		{ PROGRAM(DW_CFA_expression, 6, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
			  0xff, 0xff, 0xff) },
		{ PROGRAM(DW_CFA_offset_extended_sf, 6, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80,
			  0x80, 0xff, 0x00) },
	};

	for (size_t i = 0; i < sizeof(damaged) / sizeof(*damaged); i++) {
		struct bytes frames = { .size = 0 };
		uint8_t program[64];
		struct result result;

		memcpy(program, good, sizeof(good));
		put_cie(&frames, &plain, NULL, 0);
		put_fde(&frames, &plain, 0x1000, 0x100, PROGRAM(DW_CFA_def_cfa_offset, 16));
		/* Its first rows look as if nothing was wrong; the very first goes on as before. */
		memcpy(program + sizeof(good), damaged[i].program, damaged[i].size);
		put_fde(&frames, &plain, 0x1100, 0x100, program, sizeof(good) + damaged[i].size);
		put_fde(&frames, &plain, 0x1200, 0x100, PROGRAM(DW_CFA_def_cfa_offset, 40));
		read_frames(BY_SECTION, &frames, &result);
		assert_cfa(&result, 0x10ff, CFA_SP, 16);
		assert_cfa(&result, 0x1100, CFA_DAMAGED, 0);
		assert_cfa(&result, 0x11ff, CFA_DAMAGED, 0);
		assert_cfa(&result, 0x1200, CFA_SP, 40);
		free_result(&result);
	}
}

static void test_remember_without_end(void **state)
{
	uint8_t program[1000];

	memset(program, DW_CFA_remember_state, sizeof(program));
	assert_int_equal(last_rule(program, sizeof(program)).cfa, CFA_DAMAGED);
}

/* Damage that can hide entries: also what no entry covers must not be guessed at. */
static void assert_gaps_damaged(const struct bytes *frames)
{
	struct result result;

	read_frames(BY_SECTION, frames, &result);
	assert_cfa(&result, 0x1000, CFA_DAMAGED, 0);
	assert_cfa(&result, 0x1200, CFA_SP, 16);
	assert_cfa(&result, 0x12ff, CFA_SP, 16);
	assert_cfa(&result, 0x1300, CFA_DAMAGED, 0);
	assert_cfa(&result, 0x1fff, CFA_DAMAGED, 0);
	free_result(&result);
}

static void put_good(struct bytes *frames)
{
	frames->size = 0;
	put_cie(frames, &plain, NULL, 0);
	put_fde(frames, &plain, 0x1200, 0x100, PROGRAM(DW_CFA_def_cfa_offset, 16));
}

static void test_damaged_cies(void **state)
{
	static const struct format bad[] = {
		{ .version = 2 },
		{ .augmentation = "zRX", .encoding = DW_EH_PE_udata4 },
		{ .augmentation = "zP", .encoding = 0x0f },
		{ .augmentation = "zRPPPPPPPP", .encoding = DW_EH_PE_udata4 },
		{ .augmentation = "armcc+" },
	};
	struct bytes frames;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		put_good(&frames);
		put_cie(&frames, &bad[i], NULL, 0);
		assert_gaps_damaged(&frames);
	}
	put_good(&frames);
	put_cie(&frames, &plain, PROGRAM(DW_CFA_restore | 6));
	assert_gaps_damaged(&frames);
}

static void test_damaged_entries(void **state)
{
	struct bytes frames;

	/* A length past the end; one that leaves no room for an id; a half length. */
	put_good(&frames);
	put(&frames, 0x7fffffff, 4);
	assert_gaps_damaged(&frames);
	put_good(&frames);
	put(&frames, 0xffffffff, 4);
	put(&frames, ~0ULL - 2, 8);
	assert_gaps_damaged(&frames);
	put_good(&frames);
	put(&frames, 2, 4);
	put(&frames, 0, 2);
	assert_gaps_damaged(&frames);
	put_good(&frames);
	put(&frames, 8, 3);
	assert_gaps_damaged(&frames);
	/* A CIE that is not there. */
	put_good(&frames);
	put(&frames, 12, 4);
	put(&frames, 0x1234, 4);
	put(&frames, 0, 8);
	assert_gaps_damaged(&frames);
	/* Code that ends behind its segment, or wraps around. */
	put_good(&frames);
	put_fde(&frames, &plain, 0x1800, 0x10000, PROGRAM(DW_CFA_nop));
	assert_gaps_damaged(&frames);
	put_good(&frames);
	put_fde(&frames, &plain, 0x1800, 0x80000000, PROGRAM(DW_CFA_nop));
	assert_gaps_damaged(&frames);
}

static void test_no_elf(void **state)
{
	struct bytes frames = { .size = 0 };
	struct result result;
	uint8_t *image;
	size_t size;

	put_good(&frames);
	image = frame_image(BY_SECTION, frames.data, frames.size, &size);
	image[EI_CLASS] = ELFCLASS32;
	assert_int_equal(read_image(image, size, NULL, 0, &result), -ENOEXEC);
	assert_int_equal(result.rows.nrows, 0);
	free_result(&result);
	assert_int_equal(read_image((const uint8_t *)"\177ELF", 4, NULL, 0, &result), -ENOEXEC);
	free_result(&result);
	free(image);
	/* No unwind information at all is no error. */
	image = frame_image(BY_SECTION, frames.data, 0, &size);
	assert_int_equal(read_image(image, size, NULL, 0, &result), 0);
	assert_int_equal(result.rows.nrows, 0);
	free_result(&result);
	free(image);
}

static void test_one_warning_names_the_file(void **state)
{
	int saved = dup(STDERR_FILENO), fd = memfd_create("stderr", MFD_CLOEXEC);
	struct bytes frames;
	struct result result;
	char text[512];
	ssize_t size;

	put_good(&frames);
	put_fde(&frames, &plain, 0x1400, 0x10, PROGRAM(0x3f));
	put_fde(&frames, &plain, 0x1500, 0x10, PROGRAM(0x3f));
	put(&frames, 0x7fffffff, 4);
	assert_int_not_equal(dup2(fd, STDERR_FILENO), -1);
	read_frames(BY_SECTION, &frames, &result);
	assert_int_not_equal(dup2(saved, STDERR_FILENO), -1);
	size = pread(fd, text, sizeof(text) - 1, 0);
	assert_true(size > 0);
	text[size] = '\0';
	assert_non_null(strstr(text, "hand-made: "));
	assert_ptr_equal(strchr(text, '\n'), text + size - 1);
	free_result(&result);
	close(saved);
	close(fd);
}

static void test_rules_full(void **state)
{
	struct unwind_rules *rules = unwind_rules__new();
	struct unwind_rule rule = { .cfa = CFA_SP };
	struct bytes frames;
	struct unwind_rows rows;
	uint32_t index, count;
	uint8_t *image;
	size_t size;

	for (int i = 0; i < MAX_RULES; i++) {
		rule.cfa_offset = 1 + 16 * i;
		unwind_rules__intern(rules, &rule, &index);
	}
	rule.cfa_offset = 3;
	assert_int_equal(unwind_rules__intern(rules, &rule, &index), -ENOSPC);
	put_good(&frames);
	image = frame_image(BY_SECTION, frames.data, frames.size, &size);
	assert_int_equal(read_memory(image, size, NULL, 0, "rules full", rules, &rows), 0);
	assert_int_equal(unwind_rules__table(rules, &count)[rule_at(&rows, 0x1200)].cfa,
			 CFA_REGISTER);
	assert_int_equal(count, MAX_RULES);
	unwind_rows__free(&rows);
	unwind_rules__free(rules);
	free(image);
}

/* A copy that ends where the file does, so that the sanitizers see every byte too many. */
static void read_copy(const uint8_t *image, size_t size)
{
	uint8_t *copy = malloc(size ?: 1);
	struct result result;

	memcpy(copy, image, size);
	read_image(copy, size, copy, size, &result);
	free_result(&result);
	free(copy);
}

/* The vDSO: a real file, small, and in every process. */
#define VDSO_SIZE 8192

static void test_truncated(void **state)
{
	const uint8_t *vdso = (const uint8_t *)getauxval(AT_SYSINFO_EHDR);
	struct bytes frames;
	uint8_t *image;
	size_t size;

	assert_non_null(vdso);
	for (size_t size = 0; size < VDSO_SIZE; size += 16)
		read_copy(vdso, size);
	put_good(&frames);
	for (enum frame_kind kind = BY_SECTION; kind <= IN_DEBUG_FRAME; kind++) {
		image = frame_image(kind, frames.data, frames.size, &size);
		for (size_t i = 0; i < size; i++)
			read_copy(image, i);
		free(image);
	}
}

static void test_flipped(void **state)
{
	const uint8_t *vdso = (const uint8_t *)getauxval(AT_SYSINFO_EHDR);
	uint8_t image[VDSO_SIZE];
	unsigned int seed = 1;

	for (int round = 0; round < 3000; round++) {
		memcpy(image, vdso, sizeof(image));
		for (int i = 0; i < 1 + round % 8; i++) {
			/* Headers and unwind information lie in the first page. */
			unsigned int at = rand_r(&seed) % (round % 2 ? 4096 : VDSO_SIZE);

			image[at] ^= 1 << rand_r(&seed) % 8;
		}
		read_copy(image, sizeof(image));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_formats),
		cmocka_unit_test(test_instructions),
		cmocka_unit_test(test_expressions),
		cmocka_unit_test(test_overlap),
		cmocka_unit_test(test_separate_debug_file),
		cmocka_unit_test(test_damaged_programs),
		cmocka_unit_test(test_remember_without_end),
		cmocka_unit_test(test_damaged_cies),
		cmocka_unit_test(test_damaged_entries),
		cmocka_unit_test(test_no_elf),
		cmocka_unit_test(test_one_warning_names_the_file),
		cmocka_unit_test(test_rules_full),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_flipped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
