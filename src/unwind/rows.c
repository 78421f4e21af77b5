// SPDX-License-Identifier: GPL-2.0-or-later
/* Builds the rows of one file from all that it says about its stack frames. */
#include <errno.h>
#include <stdlib.h>
#include <sys/param.h>

#include "base/array.h"
#include "base/limits.h"
#include "base/log.h"
#include "unwind/cfi.h"
#include "unwind/decode.h"
#include "unwind/image.h"
#include "unwind/pieces.h"
#include "unwind/unwind.h"

struct builder {
	struct elf_file *file;
	const char *name;
	struct unwind_rules *rules;
	uint32_t gap;		/* rule for code that nothing describes */
	uint32_t cannot;	/* rule for code whose description cannot be followed */
	uint32_t broken;	/* rule for code whose description is damaged */
	uint64_t base;
	struct unwind_row *rows;
	uint32_t nrows, most;
	bool signal_frame;	/* of the piece at hand */
	bool damaged, too_wide, rules_full;
};

static uint32_t plain_rule(struct unwind_rules *rules, enum unwind_cfa cfa)
{
	uint32_t index = 0;

	unwind_rules__intern(rules, &(struct unwind_rule){ .cfa = cfa }, &index);
	return index;
}

/* From `address` on, `rule` holds; addresses come in order. */
static int emit(struct builder *builder, uint64_t address, uint32_t rule)
{
	uint32_t start = address - builder->base;

	/* A row that turns out to be empty goes. */
	if (builder->nrows && builder->rows[builder->nrows - 1].start == start)
		builder->nrows--;
	if (builder->nrows && builder->rows[builder->nrows - 1].rule == rule)
		return 0;
	if (builder->nrows == builder->most)
		return -E2BIG;
	if (array__make_room(&builder->rows, builder->nrows, sizeof(*builder->rows)))
		return -ENOMEM;
	builder->rows[builder->nrows++] = (struct unwind_row){ .start = start, .rule = rule };
	return 0;
}

static int emit_rule(struct builder *builder, uint64_t address, const struct unwind_rule *rule)
{
	uint32_t index;

	if (unwind_rules__intern(builder->rules, rule, &index)) {
		builder->rules_full = true;
		index = builder->cannot;
	}
	return emit(builder, address, index);
}

static int emit_state(void *arg, uint64_t address, const struct cfi_state *state)
{
	struct builder *builder = arg;
	struct unwind_rule rule;

	cfi__rule(state, builder->signal_frame, &rule);
	return emit_rule(builder, address, &rule);
}

static int emit_piece(struct builder *builder, const struct piece *piece)
{
	uint32_t start = piece->start - builder->base;
	int err;

	if (!piece->fde)
		return emit_rule(builder, piece->start, &piece->rule);
	builder->signal_frame = piece->fde->cie->signal_frame;
	err = cfi__run(piece->fde, piece->end, emit_state, builder);
	if (err != -EINVAL)
		return err;
	/* Without the end of the program its beginning cannot be trusted either. */
	builder->damaged = true;
	while (builder->nrows && builder->rows[builder->nrows - 1].start >= start)
		builder->nrows--;
	return emit(builder, piece->start, builder->broken);
}

/* From the last row on nothing is known. */
static void cut_rows(struct builder *builder)
{
	if (builder->nrows)
		builder->rows[builder->nrows - 1].rule = builder->cannot;
	elf_file__exceed(builder->file, "it has more unwind rows than a file of its size can need");
}

static int emit_next(struct builder *builder, const struct piece *piece)
{
	int err;

	if (elf_file__is_late(builder->file))
		return -E2BIG;
	err = emit_piece(builder, piece);
	return err ? err : emit(builder, piece->end, builder->gap);
}

static int emit_pieces(struct builder *builder, const struct pieces *pieces)
{
	int err = 0;

	if (builder->gap)
		err = emit(builder, builder->base, builder->gap);
	for (size_t i = 0; i < pieces->count && !err; i++) {
		if (pieces->list[i].end - builder->base > UINT32_MAX) {
			builder->too_wide = true;
			break;
		}
		err = emit_next(builder, &pieces->list[i]);
	}
	if (err != -E2BIG)
		return err;
	cut_rows(builder);
	return 0;
}

/* One line at most: the gravest. */
static void warn(const struct builder *builder)
{
	if (builder->damaged)
		log__warn("%s: unwind information is damaged; stacks stop there", builder->name);
	else if (builder->rules_full)
		log__warn("%s: more than %u distinct unwind rules; some stacks stop there",
			  builder->name, MAX_RULES);
	else if (builder->too_wide)
		log__warn("%s: code spans more than 4 GiB; stacks stop beyond", builder->name);
}

/* The section's entries for code that nothing before them described. */
static int add_section(struct builder *builder, const struct image *image,
		       const struct cfi_section *section, struct pieces *pieces)
{
	builder->damaged |= section->damaged;
	for (size_t i = 0; i < section->nfdes; i++) {
		const struct cfi_fde *fde = &section->fdes[i];
		const struct image_code *code = unwind_image__segment_at(image, fde->start);
		int err;

		/* Linkers leave entries of discarded functions in .debug_frame, at address 0. */
		if (!code || pieces__overlap(pieces, fde->start, fde->end))
			continue;
		if (fde->end - code->address > code->size) {
			builder->damaged = true;
			continue;
		}
		err = pieces__add(pieces, &(struct piece){ .start = fde->start, .end = fde->end,
							   .fde = fde });
		if (err)
			return err;
	}
	pieces__settle(pieces);
	return 0;
}

enum source { EH_FRAME, DEBUG_FRAME, SEPARATE_DEBUG_FRAME, SOURCES };

/* Reads the section and adds its pieces, which point into it. */
static int read_section(struct builder *builder, const struct image *image,
			struct elf_file *debug, enum source source, struct cfi_section *section,
			struct pieces *pieces)
{
	int err = 0;

	section->is_eh = source == EH_FRAME;
	if (source == EH_FRAME)
		err = unwind_image__eh_frame(image->file, &section->bytes,
					     &section->to_segment_end);
	else if (source == DEBUG_FRAME)
		err = unwind_image__debug_frame(image->file, &section->bytes);
	else if (debug)
		err = unwind_image__debug_frame(debug, &section->bytes);
	if (err == -ENOMEM)
		return err;
	builder->damaged |= err < 0;
	err = cfi_section__read(section);
	return err ?: add_section(builder, image, section, pieces);
}

static int build(struct builder *builder, struct image *image, struct elf_file *debug)
{
	struct cfi_section sections[SOURCES] = { 0 };
	struct pieces pieces = { 0 };
	int err = 0;

	for (int i = 0; i < SOURCES && !err; i++)
		err = read_section(builder, image, debug, i, &sections[i], &pieces);
	if (!err && !builder->damaged)
		err = decode__uncovered(image, &pieces);
	if (!err && pieces.count) {
		builder->base = pieces.list[0].start & ~0xfffULL;
		/* Damage can hide entries: where there is none, that means nothing. */
		if (builder->damaged)
			builder->gap = builder->broken;
		err = emit_pieces(builder, &pieces);
	}
	pieces__release(&pieces);
	for (int i = 0; i < SOURCES; i++)
		cfi_section__release(&sections[i]);
	return err;
}

static uint32_t most_rows(const struct elf_file *file, const struct elf_file *debug)
{
	uint64_t held = file->held + (debug ? debug->held : 0);

	return MIN(MIN_FILE_ROWS + held / ROW_BYTES, MAX_FILE_ROWS);
}

int unwind_rows__read(struct elf_file *file, struct elf_file *debug, const char *name,
		      struct unwind_rules *rules, struct unwind_rows *rows)
{
	struct builder builder = {
		.file = file, .name = name, .rules = rules, .most = most_rows(file, debug),
	};
	struct image image;
	int err;

	*rows = (struct unwind_rows){ 0 };
	builder.cannot = plain_rule(rules, CFA_REGISTER);
	builder.broken = plain_rule(rules, CFA_DAMAGED);
	err = unwind_image__open(&image, file);
	if (!err)
		err = build(&builder, &image, debug);
	unwind_image__close(&image);
	if (err) {
		free(builder.rows);
		return err;
	}
	warn(&builder);
	*rows = (struct unwind_rows){ .rows = builder.rows, .nrows = builder.nrows,
				      .base = builder.base };
	return 0;
}

void unwind_rows__free(struct unwind_rows *rows)
{
	free(rows->rows);
	*rows = (struct unwind_rows){ 0 };
}
