// SPDX-License-Identifier: GPL-2.0-or-later
#include "probe/mappers.h"

#include <string.h>

#include "elf/notes.h"
#include "probe/code.h"
#include "probe/instruction.h"

/* Longer ones carry the probe at their first instruction: nobody has seen where they jump. */
#define MAX_FUNCTION_SIZE 256

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

static const struct {
	const char *symbol;
	enum mapping_kind kind;	/* MAPPING_NONE: it creates threads */
	unsigned int nargs;	/* that are read */
} functions[] = {
	{ "mmap", MAPPING_MMAP, 2 },
	{ "mmap64", MAPPING_MMAP, 2 },	/* an alias on x86-64 */
	{ "munmap", MAPPING_MUNMAP, 2 },
	{ "mremap", MAPPING_MREMAP, 4 },
	{ "__mremap", MAPPING_MREMAP, 4 },	/* what a static program may have alone */
	{ "brk", MAPPING_BREAK, 0 },
	{ "sbrk", MAPPING_BREAK, 0 },
	{ "pthread_create", MAPPING_NONE, 0 },
};

/* Of what is linked with others only what is exported can be the C library's. In static programs any
 * symbol can; those of a static PIE are local. */
static bool is_dynamic(struct elf_file *file)
{
	return elf__has_dynamic(file, DT_NEEDED) || elf__has_dynamic(file, DT_SONAME);
}

/* Bytes from the function's first to the instruction for the probe: one that is emulated, if the
 * arguments are all in their own registers there. -1: none may be probed. */
static int64_t place_of_probe(const struct code *code, size_t row, const Elf64_Sym *sym)
{
	size_t size = sym->st_size < MAX_FUNCTION_SIZE ? sym->st_size : MAX_FUNCTION_SIZE;
	unsigned int nargs = functions[row].nargs;
	uint8_t bytes[MAX_FUNCTION_SIZE];
	ssize_t n = code__read(code, sym->st_value, bytes, size);
	struct function_code function = {
		.bytes = bytes,
		.size = n > 0 ? n : 0,
		.whole = n > 0 && (size_t)n == sym->st_size,
		.address = sym->st_value,
		.nargs = nargs,
	};
	struct instruction chosen;

	instruction__choose(&function, &chosen);
	for (unsigned int i = 0; i < nargs; i++)
		if (chosen.arguments[i] != IN_DI + i)
			function.whole = false;
	if (!function.whole)	/* the first instruction, then */
		instruction__choose(&function, &chosen);
	return chosen.none ? -1 : (int64_t)chosen.offset;
}

static void add_mapper(const struct code *code, size_t row, const Elf64_Sym *sym, uint64_t offset,
		       struct mappers *mappers)
{
	int64_t place = place_of_probe(code, row, sym);

	for (size_t i = 0; i < mappers->count; i++)
		if (mappers->items[i].function == offset)
			return;
	if (place >= 0 && mappers->count < MAX_MAPPERS)
		mappers->items[mappers->count++] = (struct mapper){
			functions[row].symbol, functions[row].kind, offset, offset + place,
		};
}

static void look_at_function(const struct code *code, const char *name, const Elf64_Sym *sym,
			     struct mappers *mappers)
{
	for (size_t i = 0; i < ARRAY_SIZE(functions); i++) {
		uint64_t offset, available;

		if (strcmp(name, functions[i].symbol) ||
		    !code__offset(code, sym->st_value, &offset, &available))
			continue;
		if (functions[i].kind) {
			add_mapper(code, i, sym, offset, mappers);
		} else {
			mappers->threads = offset;
			mappers->threads_size = sym->st_size;
		}
	}
}

int mappers__find(int fd, struct mappers *mappers)
{
	struct elf_cursor cursor = {};
	bool is_static = false;
	struct code code;
	const char *name;
	Elf64_Sym sym;
	int err;

	*mappers = (struct mappers){ 0 };
	err = code__open(&code, fd);
	if (!err)
		is_static = !is_dynamic(&code.file);
	while (!err && elf_symbols__next(&code.symbols, &cursor, &sym, &name))
		if ((is_static || elf_cursor__in_dynsym(&cursor)) && sym.st_shndx != SHN_UNDEF &&
		    ELF64_ST_TYPE(sym.st_info) == STT_FUNC)
			look_at_function(&code, name, &sym, mappers);
	code__close(&code);
	return err;
}
