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

int elf_symbols__read(struct elf_file *file, struct elf_symbols *symbols)
{
	int err;

	*symbols = (struct elf_symbols){};
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
