// SPDX-License-Identifier: GPL-2.0-or-later
#include "elf/symbols.h"

#include <errno.h>
#include <string.h>

#include "base/limits.h"

static int read_table(struct elf_file *file, uint32_t type, struct elf_symbol_table *table)
{
	const Elf64_Shdr *section = elf_file__section_of_type(file, type);
	int err;

	if (!section || section->sh_link >= file->nsections)
		return 0;
	err = elf_file__read_section(file, &file->sections[section->sh_link], &table->names);
	if (!err)
		err = elf_file__read_section(file, section, &table->entries);
	if (err)
		return err == -ENOMEM ? err : 0;
	table->count = table->entries.size / sizeof(Elf64_Sym);
	return 0;
}

/* Of [address, address + size), what the file holds. As elf_file__read_bytes(). */
static int read_loaded(struct elf_file *file, uint64_t address, uint64_t size,
		       struct elf_bytes *bytes)
{
	for (size_t i = 0; i < file->nsegments; i++) {
		const Elf64_Phdr *segment = &file->segments[i];
		uint64_t behind = address - segment->p_vaddr;

		if (segment->p_type == PT_LOAD && behind < segment->p_filesz &&
		    size <= segment->p_filesz - behind)
			return elf_file__read_bytes(file, segment->p_offset + behind, size, bytes);
	}
	return -ENOENT;
}

/*
 * The dynamic symbols of a file without section headers, as the dynamic linker finds them. How many
 * they are it does not know; linkers put their names right behind them.
 */
static int read_dynamic(struct elf_file *file, struct elf_symbol_table *table)
{
	uint64_t entries = 0, names = 0, names_size = 0;
	struct elf_bytes bytes = {};
	Elf64_Dyn entry;
	int err = -ENOENT;

	for (size_t i = 0; i < file->nsegments && err == -ENOENT; i++)
		if (file->segments[i].p_type == PT_DYNAMIC)
			err = elf_file__read_bytes(file, file->segments[i].p_offset,
						   file->segments[i].p_filesz, &bytes);
	for (size_t at = 0; !err && bytes.size - at >= sizeof(entry); at += sizeof(entry)) {
		memcpy(&entry, bytes.data + at, sizeof(entry));
		if (entry.d_tag == DT_NULL)
			break;
		if (entry.d_tag == DT_SYMTAB)
			entries = entry.d_un.d_ptr;
		else if (entry.d_tag == DT_STRTAB)
			names = entry.d_un.d_ptr;
		else if (entry.d_tag == DT_STRSZ)
			names_size = entry.d_un.d_val;
	}
	elf_bytes__release(&bytes);
	if (!err && (!entries || names <= entries))
		err = -ENOENT;
	if (!err)
		err = read_loaded(file, names, names_size, &table->names);
	if (!err)
		err = read_loaded(file, entries, names - entries, &table->entries);
	if (err)
		return err == -ENOMEM ? err : 0;
	table->count = table->entries.size / sizeof(Elf64_Sym);
	return 0;
}

int elf_symbols__read(struct elf_file *file, struct elf_symbols *symbols)
{
	int err;

	*symbols = (struct elf_symbols){};
	if (!file->nsections)
		return read_dynamic(file, &symbols->tables[0]);
	err = read_table(file, SHT_DYNSYM, &symbols->tables[0]);
	return err ? err : read_table(file, SHT_SYMTAB, &symbols->tables[1]);
}

void elf_symbols__release(struct elf_symbols *symbols)
{
	for (int i = 0; i < 2; i++) {
		elf_bytes__release(&symbols->tables[i].entries);
		elf_bytes__release(&symbols->tables[i].names);
	}
	*symbols = (struct elf_symbols){};
}

bool elf_symbols__next(const struct elf_symbols *symbols, struct elf_cursor *cursor,
		       Elf64_Sym *symbol, const char **name)
{
	for (; cursor->table < 2; cursor->table++, cursor->next = 0) {
		const struct elf_symbol_table *table = &symbols->tables[cursor->table];

		while (cursor->next < table->count) {
			memcpy(symbol, table->entries.data + cursor->next++ * sizeof(*symbol),
			       sizeof(*symbol));
			if (symbol->st_name >= table->names.size)
				continue;
			*name = (const char *)table->names.data + symbol->st_name;
			return true;
		}
	}
	return false;
}

bool elf_cursor__in_dynsym(const struct elf_cursor *cursor)
{
	return cursor->table == 0;
}
