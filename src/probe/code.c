// SPDX-License-Identifier: GPL-2.0-or-later
#include "probe/code.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/param.h>

#include "base/array.h"
#include "unwind/image.h"

int code__open(struct code *code, int fd)
{
	int err;

	*code = (struct code){};
	err = elf_file__open(&code->file, fd);
	if (!err && code->file.type != ET_EXEC && code->file.type != ET_DYN)
		err = -ENOEXEC;
	return err ? err : elf_symbols__read(&code->file, &code->symbols);
}

void code__close(struct code *code)
{
	cfi_section__release(&code->frames);
	elf_symbols__release(&code->symbols);
	elf_file__close(&code->file);
	free(code->relocations);
}

bool code__offset(const struct code *code, uint64_t address, uint64_t *offset,
		  uint64_t *available)
{
	return elf_code__offset(&code->file.code, address, offset, available);
}

ssize_t code__read(const struct code *code, uint64_t address, void *bytes, size_t size)
{
	uint64_t offset, available;

	if (!code__offset(code, address, &offset, &available))
		return 0;
	return elf_file__pread(&code->file, bytes, MIN(size, available), offset);
}

static void read_frames(struct code *code)
{
	code->has_frames = true;
	code->frames.is_eh = true;
	/* What of it cannot be read describes nothing. */
	if (unwind_image__eh_frame(&code->file, &code->frames.bytes,
				   &code->frames.to_segment_end) > 0)
		cfi_section__read(&code->frames);
}

bool code__described(struct code *code, uint64_t address, uint64_t *start, uint64_t *end)
{
	if (!code->has_frames)
		read_frames(code);
	for (size_t i = 0; i < code->frames.nfdes; i++) {
		const struct cfi_fde *fde = &code->frames.fdes[i];

		if (address < fde->start || address >= fde->end)
			continue;
		*start = fde->start;
		*end = fde->end;
		return true;
	}
	return false;
}

/* The address of a symbol of .dynsym or, if it is not defined here, its name. */
static bool follow_symbol(const struct code *code, uint64_t index, struct relocation *new)
{
	const struct elf_symbol_table *table = &code->symbols.tables[0];
	Elf64_Sym symbol;

	if (index >= table->count)
		return false;
	memcpy(&symbol, table->entries.data + index * sizeof(symbol), sizeof(symbol));
	new->target = symbol.st_value;
	if (symbol.st_shndx != SHN_UNDEF)
		return true;
	if (symbol.st_name < table->names.size)
		new->import = (const char *)table->names.data + symbol.st_name;
	return new->import;
}

static bool follow_relocation(const struct code *code, const Elf64_Rela *rela,
			      struct relocation *new)
{
	switch (ELF64_R_TYPE(rela->r_info)) {
	case R_X86_64_JUMP_SLOT:
	case R_X86_64_GLOB_DAT:
		return follow_symbol(code, ELF64_R_SYM(rela->r_info), new);
	case R_X86_64_RELATIVE:
		new->target = rela->r_addend;
		return true;
	default:
		return false;
	}
}

static void add_relocations(struct code *code, const struct elf_bytes *bytes)
{
	Elf64_Rela rela;

	for (size_t at = 0; bytes->size - at >= sizeof(rela); at += sizeof(rela)) {
		struct relocation new = {};

		memcpy(&rela, bytes->data + at, sizeof(rela));
		new.slot = rela.r_offset;
		if (!follow_relocation(code, &rela, &new))
			continue;
		if (elf_file__is_late(&code->file) ||
		    array__make_room(&code->relocations, code->nrelocations, sizeof(new)))
			return;
		code->relocations[code->nrelocations++] = new;
	}
}

static int by_slot(const void *a, const void *b)
{
	const struct relocation *x = a, *y = b;

	return x->slot < y->slot ? -1 : x->slot > y->slot;
}

/* Once, and in order: a function may have thousands of jumps, and a file a million relocations. */
static void read_relocations(struct code *code)
{
	struct elf_file *file = &code->file;

	code->has_relocations = true;
	for (size_t i = 1; i < file->nsections && !elf_file__is_late(file); i++) {
		struct elf_bytes bytes;

		if (file->sections[i].sh_type != SHT_RELA ||
		    !(file->sections[i].sh_flags & SHF_ALLOC) ||
		    elf_file__read_section(file, &file->sections[i], &bytes))
			continue;
		add_relocations(code, &bytes);
		elf_bytes__release(&bytes);
	}
	if (code->nrelocations)
		qsort(code->relocations, code->nrelocations, sizeof(*code->relocations), by_slot);
}

static const struct relocation *find_relocation(struct code *code, uint64_t slot)
{
	const struct relocation wanted = { .slot = slot };

	if (!code->has_relocations)
		read_relocations(code);
	if (!code->nrelocations)
		return NULL;
	return bsearch(&wanted, code->relocations, code->nrelocations, sizeof(wanted), by_slot);
}

bool code__relocated(struct code *code, uint64_t slot, uint64_t *target)
{
	const struct relocation *found = find_relocation(code, slot);

	if (!found || found->import)
		return false;
	*target = found->target;
	return true;
}

const char *code__import(struct code *code, uint64_t slot)
{
	const struct relocation *found = find_relocation(code, slot);

	return found ? found->import : NULL;
}
