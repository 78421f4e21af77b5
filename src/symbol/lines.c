// SPDX-License-Identifier: GPL-2.0-or-later
#include "symbol/lines.h"

#include <dwarf.h>
#include <errno.h>
#include <stdlib.h>

#include "unwind/reader.h"

/* As often may all of the section be read for the units of a file. */
#define MAX_PASSES 64

/* What the linker leaves behind of addresses in functions that it dropped. */
#define LAST_TOMBSTONE 1

enum rank {
	RANK_NONE = 0,
	RANK_PART,	/* covers some of the function that the symbol names */
	RANK_WHOLE,
	RANK_EXACT,	/* it is of that function alone */
};

/* What a sequence says of a query; of the best one so far, and of the one at hand. */
struct answer {
	uint64_t file;
	uint32_t line;
	enum rank rank;
	uint32_t distance; /* from where the function is declared to where the sequence begins */
};

struct program {
	struct reader reader;
	const struct image *image;
	struct query *queries;
	size_t nqueries;
	struct answer *best, *current;
	uint8_t minimum_length, line_range, opcode_base;
	int8_t line_base;
	uint8_t operands[UINT8_MAX];	/* of standard opcodes, less 1 */
	/* the state machine's registers */
	uint64_t address, file;
	uint32_t line;
	/* where the sequence begins; valid in one */
	uint64_t start, start_file;
	uint32_t start_line;
	bool in_sequence;
	size_t first, end; /* the queries that it may say something of */
	/* the row before, which reaches to the next one */
	uint64_t row_address, row_file;
	uint32_t row_line;
};

struct lines lines__of(const struct dwarf_image *dwarf)
{
	return (struct lines){
		.data = dwarf->lines.data,
		.size = dwarf->lines.size,
		.budget = MAX_PASSES * (uint64_t)dwarf->lines.size,
	};
}

static bool read_header(struct program *program)
{
	struct reader *reader = &program->reader;
	bool wide = false;
	uint64_t length = reader__u32(reader), header_length;
	uint16_t version;

	if (length == UINT32_MAX) {
		wide = true;
		length = reader__u64(reader);
	}
	if (length > reader__left(reader))
		return false;
	reader->end = reader->at + length;
	version = reader__u16(reader);
	if (version < 2 || version > 5)
		return false;
	if (version == 5)
		reader__skip(reader, 2); /* the sizes of addresses and segment selectors */
	header_length = wide ? reader__u64(reader) : reader__u32(reader);
	if (header_length > reader__left(reader))
		return false;
	length = reader__left(reader) - header_length;
	program->minimum_length = reader__u8(reader);
	if (version >= 4)
		reader__skip(reader, 1); /* operations of a VLIW instruction */
	reader__skip(reader, 1); /* is_stmt plays no part here */
	program->line_base = (int8_t)reader__u8(reader);
	program->line_range = reader__u8(reader);
	program->opcode_base = reader__u8(reader);
	for (unsigned int i = 1; i < program->opcode_base; i++)
		program->operands[i - 1] = reader__u8(reader);
	if (reader->failed || !program->line_range || !program->opcode_base)
		return false;
	reader->at = reader->end - length;
	return true;
}

static void begin_sequence(struct program *program)
{
	program->address = 0;
	program->file = 1;
	program->line = 1;
	program->in_sequence = false;
	for (size_t i = program->first; i < program->end; i++)
		program->current[i].rank = RANK_NONE;
	program->first = program->end = 0;
}

/* The row before ends here. */
static void end_row(struct program *program)
{
	const struct query *queries = program->queries;
	size_t i;

	if (!program->in_sequence || program->address <= program->row_address ||
	    program->address <= queries[0].address ||
	    program->row_address > queries[program->nqueries - 1].address)
		return;
	i = query__first(program->queries, program->nqueries, program->row_address);
	if (program->first == program->end)
		program->first = program->end = i;
	if (i < program->first)
		program->first = i;
	for (; i < program->nqueries && queries[i].address < program->address; i++)
		program->current[i] = (struct answer){ .file = program->row_file,
						       .line = program->row_line,
						       .rank = RANK_PART };
	if (i > program->end)
		program->end = i;
}

static void add_row(struct program *program)
{
	end_row(program);
	if (!program->in_sequence) {
		program->start = program->address;
		program->start_file = program->file;
		program->start_line = program->line;
	}
	program->in_sequence = true;
	program->row_address = program->address;
	program->row_file = program->file;
	program->row_line = program->line;
}

static enum rank rank_of(const struct program *program, const struct query *query)
{
	uint64_t start = program->start, end = program->address;

	if (!query->symbol || start > query->symbol_start || end < query->symbol_end)
		return start <= LAST_TOMBSTONE ? RANK_NONE : RANK_PART;
	/* Sections end padded to the next one. */
	if (start == query->symbol_start && end - query->symbol_end < 16)
		return RANK_EXACT;
	return RANK_WHOLE;
}

static uint32_t distance_of(const struct program *program, const struct query *query)
{
	if (!query->declared_line || program->start_file != query->declared_file)
		return UINT32_MAX;
	return program->start_line > query->declared_line ?
		       program->start_line - query->declared_line :
		       query->declared_line - program->start_line;
}

/* Functions that the linker folded into one have a sequence each: the line has to fit the name. */
static bool is_better(const struct answer *answer, const struct answer *than)
{
	return answer->rank > than->rank ||
	       (answer->rank == than->rank && answer->distance < than->distance);
}

static void end_sequence(struct program *program)
{
	bool live;

	end_row(program);
	live = program->in_sequence && image__is_code(program->image, program->start);
	for (size_t i = program->first; live && i < program->end; i++) {
		struct answer *current = &program->current[i];

		if (!current->rank)
			continue;
		current->rank = rank_of(program, &program->queries[i]);
		current->distance = distance_of(program, &program->queries[i]);
		if (is_better(current, &program->best[i]))
			program->best[i] = *current;
	}
	begin_sequence(program);
}

static void run_extended(struct program *program)
{
	struct reader *reader = &program->reader;
	uint64_t length = reader__uleb(reader);
	const uint8_t *bytes = reader__skip(reader, length);
	struct reader operand;

	if (!bytes || !length)
		return;
	operand = reader__over(bytes + 1, length - 1);
	switch (bytes[0]) {
	case DW_LNE_end_sequence:
		end_sequence(program);
		break;
	case DW_LNE_set_address:
		program->address = length == 9 ? reader__u64(&operand) : reader__u32(&operand);
		break;
	}
}

static void run_standard(struct program *program, uint8_t opcode)
{
	struct reader *reader = &program->reader;

	switch (opcode) {
	case DW_LNS_copy:
		add_row(program);
		break;
	case DW_LNS_advance_pc:
		program->address += reader__uleb(reader) * program->minimum_length;
		break;
	case DW_LNS_advance_line:
		program->line += reader__sleb(reader);
		break;
	case DW_LNS_set_file:
		program->file = reader__uleb(reader);
		break;
	case DW_LNS_const_add_pc:
		program->address += (uint64_t)((UINT8_MAX - program->opcode_base) /
					       program->line_range) * program->minimum_length;
		break;
	case DW_LNS_fixed_advance_pc:
		program->address += reader__u16(reader);
		break;
	default:
		for (unsigned int i = 0; i < program->operands[opcode - 1]; i++)
			reader__uleb(reader);
	}
}

static void run(struct program *program)
{
	begin_sequence(program);
	while (reader__left(&program->reader)) {
		uint8_t opcode = reader__u8(&program->reader);

		if (!opcode) {
			run_extended(program);
		} else if (opcode < program->opcode_base) {
			run_standard(program, opcode);
		} else {
			uint8_t special = opcode - program->opcode_base;

			program->address += (uint64_t)(special / program->line_range) *
					    program->minimum_length;
			program->line += program->line_base + special % program->line_range;
			add_row(program);
		}
	}
}

int lines__find(struct lines *lines, Dwarf_Die *unit, const struct image *image,
		struct query *queries, size_t nqueries)
{
	struct program program = { .image = image, .queries = queries, .nqueries = nqueries };
	Dwarf_Attribute attribute;
	Dwarf_Word offset;
	int err = 0;

	if (!nqueries || dwarf_formudata(dwarf_attr(unit, DW_AT_stmt_list, &attribute), &offset) ||
	    offset >= lines->size)
		return 0;
	program.reader = reader__over(lines->data + offset, lines->size - offset);
	if (!read_header(&program) || reader__left(&program.reader) > lines->budget)
		return 0;
	lines->budget -= reader__left(&program.reader);
	program.best = calloc(nqueries, sizeof(*program.best));
	program.current = calloc(nqueries, sizeof(*program.current));
	if (program.best && program.current)
		run(&program);
	else
		err = -ENOMEM;
	for (size_t i = 0; !err && i < nqueries; i++) {
		queries[i].line_file = program.best[i].file;
		queries[i].line = program.best[i].line;
		queries[i].has_line = program.best[i].rank;
	}
	free(program.best);
	free(program.current);
	return err;
}
