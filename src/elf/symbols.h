/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The symbols of an ELF file, table after table. */
#ifndef MT_ELF_SYMBOLS_H
#define MT_ELF_SYMBOLS_H

#include "elf/file.h"

/* A file has one table of each type; more of them over the same bytes are an attack. */
struct elf_symbols {
	struct elf_symbol_table {
		struct elf_bytes entries, names;
		size_t count;		/* 0: there is none */
	} tables[2];			/* SHT_DYNSYM, SHT_SYMTAB */
};

/* Tables that cannot be read are empty. 0 or -ENOMEM; elf_symbols__release() in any case. */
int elf_symbols__read(struct elf_file *file, struct elf_symbols *symbols);
void elf_symbols__release(struct elf_symbols *symbols);

struct elf_cursor {
	unsigned int table;
	size_t next;
};

/* The next symbol with a name, from a zeroed cursor on; `name` lives as long as the symbols. */
bool elf_symbols__next(const struct elf_symbols *symbols, struct elf_cursor *cursor,
		       Elf64_Sym *symbol, const char **name);
/* Is the symbol that was returned last of .dynsym: meant for other files? */
bool elf_cursor__in_dynsym(const struct elf_cursor *cursor);

#endif
