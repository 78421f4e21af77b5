// SPDX-License-Identifier: GPL-2.0-or-later
#include "symbol/elf_names.h"

#include <errno.h>
#include <gelf.h>
#include <stdlib.h>
#include <string.h>

#include "symbol/intervals.h"

struct symbol {
	uint64_t start, size;
	uint64_t section_end;
	const char *name;
	unsigned char binding;
};

struct symbols {
	struct symbol *items;
	size_t count, room;
};

static int add_symbol(struct symbols *symbols, const struct symbol *symbol)
{
	if (symbols->count == symbols->room) {
		size_t room = symbols->room ? 2 * symbols->room : 1024;
		struct symbol *items = reallocarray(symbols->items, room, sizeof(*items));

		if (!items)
			return -ENOMEM;
		symbols->items = items;
		symbols->room = room;
	}
	symbols->items[symbols->count++] = *symbol;
	return 0;
}

/* Functions, and the bare labels of hand-written assembly. */
static bool names_code(Elf *elf, const GElf_Sym *symbol, GElf_Shdr *section)
{
	int type = GELF_ST_TYPE(symbol->st_info);

	if (type != STT_FUNC && type != STT_GNU_IFUNC && type != STT_NOTYPE)
		return false;
	if (symbol->st_shndx == SHN_UNDEF || symbol->st_shndx >= SHN_LORESERVE)
		return false;
	if (!gelf_getshdr(elf_getscn(elf, symbol->st_shndx), section))
		return false;
	return (section->sh_flags & SHF_EXECINSTR) &&
	       symbol->st_value - section->sh_addr < section->sh_size;
}

static int read_table(struct symbols *symbols, Elf *elf, Elf_Scn *scn, const GElf_Shdr *header)
{
	Elf_Data *data = elf_getdata(scn, NULL);
	GElf_Sym sym;
	int err;

	for (int i = 1; data && gelf_getsym(data, i, &sym); i++) {
		GElf_Shdr section;
		struct symbol symbol;

		if (!names_code(elf, &sym, &section))
			continue;
		/* Where it ends could be told by the next one; but .dynsym lacks those that are
		 * not exported. */
		if (!sym.st_size && header->sh_type == SHT_DYNSYM)
			continue;
		symbol = (struct symbol){
			.start = sym.st_value,
			.size = sym.st_size,
			.section_end = section.sh_addr + section.sh_size,
			.name = elf_strptr(elf, header->sh_link, sym.st_name),
			.binding = GELF_ST_BIND(sym.st_info),
		};
		/* Compilers' local labels are no names. */
		if (!symbol.name || !symbol.name[0] || !strncmp(symbol.name, ".L", 2))
			continue;
		err = add_symbol(symbols, &symbol);
		if (err)
			return err;
	}
	return 0;
}

static int read_tables(struct symbols *symbols, Elf *elf)
{
	bool read[SHT_DYNSYM + 1] = {};
	Elf_Scn *scn = NULL;
	int err;

	while ((scn = elf_nextscn(elf, scn))) {
		GElf_Shdr header;

		if (!gelf_getshdr(scn, &header))
			continue;
		/* A file has one of each; a thousand over the same bytes are an attack. */
		if ((header.sh_type != SHT_SYMTAB && header.sh_type != SHT_DYNSYM) ||
		    read[header.sh_type])
			continue;
		read[header.sh_type] = true;
		err = read_table(symbols, elf, scn, &header);
		if (err)
			return err;
	}
	return 0;
}

/*
 * The best of several names for one address last: with a size rather than without, exported
 * rather than local, as programs call it (malloc) rather than as the library does internally
 * (__libc_malloc).
 */
static int best_last(const void *a, const void *b)
{
	const struct symbol *x = a, *y = b;
	size_t underscores_x = strspn(x->name, "_"), underscores_y = strspn(y->name, "_");
	size_t length_x, length_y;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	if (!x->size != !y->size)
		return x->size ? 1 : -1;
	if ((x->binding == STB_LOCAL) != (y->binding == STB_LOCAL))
		return x->binding == STB_LOCAL ? -1 : 1;
	if (underscores_x != underscores_y)
		return underscores_x > underscores_y ? -1 : 1;
	length_x = strlen(x->name);
	length_y = strlen(y->name);
	if (length_x != length_y)
		return length_x > length_y ? -1 : 1;
	return strcmp(y->name, x->name);
}

/* A symbol without a size reaches to the next one, at most to the end of its section. */
static uint64_t unsized_end(const struct symbols *symbols, size_t i)
{
	const struct symbol *symbol = &symbols->items[i];

	for (size_t next = i + 1; next < symbols->count; next++)
		if (symbols->items[next].start != symbol->start)
			return symbols->items[next].start < symbol->section_end ?
				       symbols->items[next].start :
				       symbol->section_end;
	return symbol->section_end;
}

static int index_symbols(const struct symbols *symbols, struct intervals *sized,
			 struct intervals *unsized)
{
	int err = 0;

	for (size_t i = 0; !err && i < symbols->count; i++) {
		const struct symbol *symbol = &symbols->items[i];
		uint64_t end;

		/* Of the unsized symbols of one address, only the best. */
		if (!symbol->size && i + 1 < symbols->count &&
		    symbols->items[i + 1].start == symbol->start)
			continue;
		end = symbol->size ? symbol->start + symbol->size : unsized_end(symbols, i);
		if (end > symbol->start)
			err = intervals__add(symbol->size ? sized : unsized, symbol->start, end, i);
	}
	if (!err)
		err = intervals__sort(sized);
	if (!err)
		err = intervals__sort(unsized);
	return err;
}

int elf_names__find(Elf *const *elves, size_t nelves, struct query *queries, size_t nqueries)
{
	struct intervals sized = {}, unsized = {};
	struct symbols symbols = {};
	int err = 0;

	for (size_t i = 0; !err && i < nelves; i++)
		if (elves[i])
			err = read_tables(&symbols, elves[i]);
	if (err || !symbols.count)
		goto out;
	qsort(symbols.items, symbols.count, sizeof(*symbols.items), best_last);
	err = index_symbols(&symbols, &sized, &unsized);
	if (err)
		goto out;
	for (size_t i = 0; i < nqueries; i++) {
		const struct interval *in_sized = intervals__find(&sized, queries[i].address);
		const struct interval *in_unsized = intervals__find(&unsized, queries[i].address);
		const struct interval *found = in_sized ? in_sized : in_unsized;

		if (!found)
			continue;
		queries[i].symbol = symbols.items[found->value].name;
		queries[i].symbol_start = found->start;
		queries[i].symbol_end = found->end;
	}
out:
	intervals__release(&sized);
	intervals__release(&unsized);
	free(symbols.items);
	return err;
}
