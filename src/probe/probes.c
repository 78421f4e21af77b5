// SPDX-License-Identifier: GPL-2.0-or-later
#include "probe/probe.h"

#include <errno.h>
#include <gelf.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "probe/instruction.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* Longer functions are not read to their end, and so only probed at their first instruction. */
#define MAX_FUNCTION_SIZE (1 << 20)
/* Of functions whose size nobody wrote down: as much as one instruction can have. */
#define MAX_INSTRUCTION_SIZE 15

/*
 * The entry points. The first row is malloc: a file that does not define it carries no allocator.
 * Of two names for one address the earlier row's is kept.
 */
static const struct {
	const char *symbol;
	enum entry_point entry;
	unsigned int nargs;		/* read from rdi, rsi, rdx */
} functions[] = {
	{ "malloc", ENTRY_MALLOC, 1 },
	{ "calloc", ENTRY_CALLOC, 2 },
	{ "realloc", ENTRY_REALLOC, 2 },
	{ "reallocarray", ENTRY_REALLOCARRAY, 3 },
	{ "free", ENTRY_FREE, 1 },
	{ "posix_memalign", ENTRY_POSIX_MEMALIGN, 3 },
	{ "aligned_alloc", ENTRY_ALIGNED_ALLOC, 2 },
	{ "memalign", ENTRY_ALIGNED_ALLOC, 2 },
	{ "valloc", ENTRY_MALLOC, 1 },
	{ "pvalloc", ENTRY_MALLOC, 1 },
	{ "cfree", ENTRY_FREE, 1 },
	{ "free_sized", ENTRY_FREE, 1 },	/* C23 7.24.3.4 */
	{ "free_aligned_sized", ENTRY_FREE, 1 },	/* C23 7.24.3.5 */
};

/*
 * What tells which allocator it is; the first row that fits decides. Not followed yet: operator
 * new of jemalloc, tcmalloc and mimalloc does not pass through malloc.
 */
static const struct {
	const char *symbol;
	const char *allocator;	/* NULL: the dynamic linker, whose malloc is for itself alone */
	bool followed;
	bool is_malloc;		/* where the file defines malloc, it must be the same code */
} markers[] = {
	{ "_rtld_global", NULL, false, false },	/* exports malloc up to glibc 2.31 */
	{ "mallctl", "jemalloc", false, false },
	{ "je_malloc", "jemalloc", false, true },
	{ "tc_malloc", "tcmalloc", false, true },
	{ "mi_malloc", "mimalloc", false, true },
	{ "__interceptor_malloc", "sanitizer", false, true },
	{ "__libc_malloc", "glibc", true, true },
	{ "__dls2b", "musl", true, false },	/* shared: a stage of its dynamic linker */
	{ "__malloc_atfork", "musl", true, false },	/* static, where symbols are left */
};

/* A defined function of the file, under one of the names we look for. */
struct found {
	unsigned int row;	/* of functions */
	uint64_t address, size;	/* size 0: not known */
	uint64_t offset;	/* in the file */
};

struct search {
	int fd;
	Elf *elf;
	bool locals;		/* look at local symbols too */
	struct found found[MAX_PROBES];
	size_t nfound;
	uint64_t markers[ARRAY_SIZE(markers)];	/* address; 0: not found */
	struct found cleanup;	/* offset 0: not found */
	struct linker_hook linker;
};

/* The file offset of `address`, and how many bytes of code the file has from there on. */
static bool file_offset(Elf *elf, uint64_t address, uint64_t *offset, uint64_t *available)
{
	size_t nphdrs;

	if (elf_getphdrnum(elf, &nphdrs))
		return false;
	for (size_t i = 0; i < nphdrs; i++) {
		GElf_Phdr phdr;

		if (!gelf_getphdr(elf, i, &phdr))
			return false;
		if (phdr.p_type != PT_LOAD || !(phdr.p_flags & PF_X) || address < phdr.p_vaddr ||
		    address - phdr.p_vaddr >= phdr.p_filesz ||
		    phdr.p_offset > (uint64_t)INT64_MAX - phdr.p_filesz)
			continue;
		*offset = phdr.p_offset + (address - phdr.p_vaddr);
		*available = phdr.p_filesz - (address - phdr.p_vaddr);
		return true;
	}
	return false;
}

/* Keeps one entry a file offset, the one of the earliest row. */
static int add_function(struct search *search, unsigned int row, const GElf_Sym *sym)
{
	struct found new = { .row = row, .address = sym->st_value, .size = sym->st_size };
	uint64_t available;

	if (!file_offset(search->elf, new.address, &new.offset, &available))
		return 0;
	if (new.size > available)
		new.size = available;
	for (size_t i = 0; i < search->nfound; i++) {
		struct found *old = &search->found[i];

		if (old->offset != new.offset)
			continue;
		if (row < old->row)
			*old = new;
		return 0;
	}
	if (search->nfound == MAX_PROBES)
		return -E2BIG;
	search->found[search->nfound++] = new;
	return 0;
}

static bool is_definition(const struct search *search, const GElf_Sym *sym)
{
	return sym->st_shndx != SHN_UNDEF && sym->st_value &&
	       (search->locals || GELF_ST_BIND(sym->st_info) != STB_LOCAL);
}

static void note_cleanup(struct search *search, const GElf_Sym *sym)
{
	uint64_t available;

	search->cleanup.size = sym->st_size;
	if (!file_offset(search->elf, sym->st_value, &search->cleanup.offset, &available))
		search->cleanup.offset = 0;
}

static int look_at_symbol(struct search *search, const char *name, const GElf_Sym *sym)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(markers); i++)
		if (!strcmp(name, markers[i].symbol))
			search->markers[i] = sym->st_value;
	if (!strcmp(name, "__malloc_arena_thread_freeres"))
		note_cleanup(search, sym);
	if (GELF_ST_TYPE(sym->st_info) != STT_FUNC)	/* an IFUNC's address is its resolver's */
		return 0;
	for (unsigned int i = 0; i < ARRAY_SIZE(functions); i++)
		if (!strcmp(name, functions[i].symbol))
			return add_function(search, i, sym);
	return 0;
}

/* Only what is exported is meant for others: a static program's hook is never called. */
static void note_linker(struct search *search, const char *name, const GElf_Sym *sym)
{
	uint64_t available;

	if (!strcmp(name, "_r_debug"))
		search->linker.r_debug = sym->st_value;
	else if (!strcmp(name, "_dl_debug_state") &&
		 !file_offset(search->elf, sym->st_value, &search->linker.function, &available))
		search->linker.function = 0;
}

static int search_table(struct search *search, Elf_Scn *section, const GElf_Shdr *header)
{
	Elf_Data *data = elf_getdata(section, NULL);
	size_t entry_size = gelf_fsize(search->elf, ELF_T_SYM, 1, EV_CURRENT);
	GElf_Sym sym;

	if (!data)
		return 0;
	for (size_t i = 0; i < data->d_size / entry_size && gelf_getsym(data, i, &sym); i++) {
		const char *name;
		int err;

		if (!is_definition(search, &sym))
			continue;
		name = elf_strptr(search->elf, header->sh_link, sym.st_name);
		if (!name)
			continue;
		if (header->sh_type == SHT_DYNSYM)
			note_linker(search, name, &sym);
		err = look_at_symbol(search, name, &sym);
		if (err)
			return err;
	}
	return 0;
}

static int search_tables(struct search *search)
{
	Elf_Scn *section = NULL;

	while ((section = elf_nextscn(search->elf, section))) {
		GElf_Shdr header;
		int err;

		if (!gelf_getshdr(section, &header) ||
		    (header.sh_type != SHT_DYNSYM && header.sh_type != SHT_SYMTAB))
			continue;
		err = search_table(search, section, &header);
		if (err)
			return err;
	}
	return 0;
}

static const struct found *find_malloc(const struct search *search)
{
	for (size_t i = 0; i < search->nfound; i++)
		if (search->found[i].row == 0)
			return &search->found[i];
	return NULL;
}

/* glibc's malloc is hidden in a static PIE: the linker makes it a local symbol. */
static int search_functions(struct search *search)
{
	int err = search_tables(search);

	if (err || find_malloc(search))
		return err;
	search->locals = true;
	return search_tables(search);
}

/* Names the allocator; returns whether the functions found are its own. */
static bool name_allocator(const struct search *search, struct probes *probes)
{
	const struct found *its_malloc = find_malloc(search);

	for (unsigned int i = 0; i < ARRAY_SIZE(markers); i++) {
		if (!search->markers[i] || (markers[i].is_malloc && its_malloc &&
					    search->markers[i] != its_malloc->address))
			continue;
		probes->allocator = markers[i].allocator;
		probes->followed = markers[i].followed;
		return markers[i].allocator && its_malloc;
	}
	/* A local function named malloc is somebody's own, unless a marker says otherwise. */
	if (!its_malloc || search->locals)
		return false;
	probes->allocator = "unknown";
	return true;
}

static int make_probe(const struct search *search, const struct found *found, struct probe *probe)
{
	bool whole = found->size && found->size <= MAX_FUNCTION_SIZE;
	size_t size = whole ? found->size : MAX_INSTRUCTION_SIZE;
	uint8_t *bytes = malloc(size);
	struct instruction chosen;
	ssize_t n;

	if (!bytes)
		return -ENOMEM;
	n = pread(search->fd, bytes, size, found->offset);
	if (n <= 0) {
		free(bytes);
		return n < 0 ? -errno : -ENOEXEC;
	}
	instruction__choose(&(struct function_code){
		.bytes = bytes,
		.size = n,
		.whole = whole && (size_t)n == size,
		.address = found->address,
		.nargs = functions[found->row].nargs,
	}, &chosen);
	free(bytes);
	*probe = (struct probe){
		.entry = functions[found->row].entry,
		.symbol = functions[found->row].symbol,
		.function = found->offset,
		.offset = found->offset + chosen.offset,
		.emulated = chosen.emulated,
	};
	memcpy(probe->instruction, chosen.text, sizeof(probe->instruction));
	return 0;
}

/* glibc's blocks tell what they take. */
static uint64_t cookie_of(enum entry_point entry, const char *allocator)
{
	bool glibc = allocator && !strcmp(allocator, "glibc");

	return entry | (glibc ? COOKIE_CHUNK_HEADS : 0);
}

static int make_probes(const struct search *search, struct probes *probes)
{
	probes->items = calloc(search->nfound, sizeof(*probes->items));
	if (!probes->items)
		return -ENOMEM;
	for (size_t i = 0; i < search->nfound; i++) {
		int err = make_probe(search, &search->found[i], &probes->items[i]);

		if (err)
			return err;
		probes->items[i].cookie = cookie_of(probes->items[i].entry, probes->allocator);
		probes->count++;
	}
	return 0;
}

static bool is_x86_64(Elf *elf)
{
	GElf_Ehdr header;

	return elf_kind(elf) == ELF_K_ELF && gelf_getehdr(elf, &header) &&
	       header.e_ident[EI_CLASS] == ELFCLASS64 &&
	       header.e_ident[EI_DATA] == ELFDATA2LSB && header.e_machine == EM_X86_64 &&
	       (header.e_type == ET_EXEC || header.e_type == ET_DYN);
}

int probes__find(int fd, struct probes *probes)
{
	struct search search = { .fd = fd };
	int err;

	*probes = (struct probes){ 0 };
	elf_version(EV_CURRENT);
	/* Read, not mapped: a file that is cut short meanwhile must not kill us. */
	search.elf = elf_begin(fd, ELF_C_READ, NULL);
	if (!search.elf)
		return -ENOEXEC;
	err = is_x86_64(search.elf) ? search_functions(&search) : -ENOEXEC;
	if (!err && name_allocator(&search, probes))
		err = make_probes(&search, probes);
	probes->linker = search.linker;
	if (search.cleanup.offset) {
		probes->cleanup = search.cleanup.offset;
		probes->cleanup_size = search.cleanup.size;
	}
	elf_end(search.elf);
	if (err)
		probes__free(probes);
	return err;
}

void probes__free(struct probes *probes)
{
	free(probes->items);
	*probes = (struct probes){ 0 };
}
