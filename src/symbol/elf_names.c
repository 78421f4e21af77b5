// SPDX-License-Identifier: GPL-2.0-or-later
#include "symbol/elf_names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/limits.h"
#include "elf/symbols.h"
#include "symbol/intervals.h"

struct symbol {
	uint64_t start, size;
	uint64_t section_end;
	const char *name;
	unsigned char binding;
};

struct symbols {
	struct symbol *items;
	size_t count;
};

/* Functions, and the bare labels of hand-written assembly. */
static bool names_code(const struct elf_file *file, const Elf64_Sym *symbol)
{
	int type = ELF64_ST_TYPE(symbol->st_info);
	const Elf64_Shdr *section;

	if (type != STT_FUNC && type != STT_GNU_IFUNC && type != STT_NOTYPE)
		return false;
	if (symbol->st_shndx == SHN_UNDEF || symbol->st_shndx >= SHN_LORESERVE ||
	    symbol->st_shndx >= file->nsections)
		return false;
	section = &file->sections[symbol->st_shndx];
	return (section->sh_flags & SHF_EXECINSTR) &&
	       symbol->st_value - section->sh_addr < section->sh_size;
}

static int add_symbols(struct symbols *symbols, const struct elf_file *file,
		       const struct elf_symbols *tables)
{
	struct elf_cursor cursor = {};
	const char *name;
	Elf64_Sym sym;

	while (elf_symbols__next(tables, &cursor, &sym, &name)) {
		const Elf64_Shdr *section;

		if (!names_code(file, &sym))
			continue;
		/* Where it ends could be told by the next one; but .dynsym lacks those that are
		 * not exported. */
		if (!sym.st_size && elf_cursor__in_dynsym(&cursor))
			continue;
		/* Compilers' local labels are no names. */
		if (!name[0] || !strncmp(name, ".L", 2))
			continue;
		if (array__make_room(&symbols->items, symbols->count, sizeof(*symbols->items)))
			return -ENOMEM;
		section = &file->sections[sym.st_shndx];
		symbols->items[symbols->count++] = (struct symbol){
			.start = sym.st_value,
			.size = sym.st_size,
			.section_end = section->sh_addr + section->sh_size,
			.name = name,
			.binding = ELF64_ST_BIND(sym.st_info),
		};
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

static int answer(const struct symbols *symbols, struct elf_file *file, struct query *queries,
		  size_t nqueries)
{
	struct intervals sized = {}, unsized = {};
	int err = index_symbols(symbols, &sized, &unsized);

	for (size_t i = 0; i < nqueries && !err; i++) {
		const struct interval *in_sized = intervals__find(&sized, queries[i].address);
		const struct interval *in_unsized = intervals__find(&unsized, queries[i].address);
		const struct interval *found = in_sized ? in_sized : in_unsized;

		if (!found || !elf_file__take_name(file, symbols->items[found->value].name))
			continue;
		queries[i].symbol = strndup(symbols->items[found->value].name, MAX_NAME_SIZE);
		queries[i].symbol_start = found->start;
		queries[i].symbol_end = found->end;
		if (!queries[i].symbol)
			err = -ENOMEM;
	}
	intervals__release(&sized);
	intervals__release(&unsized);
	return err;
}

int elf_names__find(struct elf_file *const *files, size_t nfiles, struct query *queries,
		    size_t nqueries)
{
	struct elf_symbols tables[MAX_SYMBOL_FILES] = {};
	struct symbols symbols = {};
	int err = 0;

	for (size_t i = 0; i < nfiles && !err; i++) {
		if (!files[i])
			continue;
		err = elf_symbols__read(files[i], &tables[i]);
		if (!err)
			err = add_symbols(&symbols, files[i], &tables[i]);
	}
	if (!err && symbols.count) {
		qsort(symbols.items, symbols.count, sizeof(*symbols.items), best_last);
		err = answer(&symbols, files[0], queries, nqueries);
	}
	for (size_t i = 0; i < nfiles; i++)
		elf_symbols__release(&tables[i]);
	free(symbols.items);
	return err;
}
