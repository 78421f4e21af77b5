// SPDX-License-Identifier: GPL-2.0-or-later
#include "symbol/image.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

/* What the readers of names follow (DWARF 4, DWARF 5); not what debuggers print variables by. */
static const struct {
	const char *name;
	bool ends_with_zero;
} wanted[] = {
	{ "debug_info", true },
	{ "debug_abbrev", false },
	{ "debug_line", false },
	{ "debug_str", true },
	{ "debug_ranges", false },
	{ "debug_addr", false },
	{ "debug_str_offsets", false },
	{ "debug_rnglists", false },
	{ "debug_line_str", true },
	{ "debug_types", false },
};

#define WANTED (sizeof(wanted) / sizeof(wanted[0]))
#define SECTIONS (WANTED + 2)	/* with none and the names' own */
#define NAMES_SIZE 512
#define ALIGNMENT 16UL

struct part {
	const Elf64_Shdr *section;	/* NULL: the file has none */
	struct elf_packing packing;
};

static const Elf64_Shdr *find_section(const struct elf_file *file, const char *name)
{
	const Elf64_Shdr *section;
	char full[32];

	snprintf(full, sizeof(full), ".%s", name);
	section = elf_file__section(file, full);
	if (section)
		return section;
	snprintf(full, sizeof(full), ".z%s", name);
	return elf_file__section(file, full);
}

static size_t aligned(size_t size)
{
	return (size + ALIGNMENT - 1) & ~(ALIGNMENT - 1);
}

/* Which parts there are, how large they get, and all together. 0, -ENOENT, -EFBIG or -EINVAL. */
static int measure(struct elf_file *file, struct part parts[WANTED], size_t *size)
{
	*size = aligned(sizeof(Elf64_Ehdr)) + SECTIONS * sizeof(Elf64_Shdr) + NAMES_SIZE;
	for (size_t i = 0; i < WANTED; i++) {
		struct part *part = &parts[i];

		part->section = find_section(file, wanted[i].name);
		if (!part->section)
			continue;
		if (elf_file__packed_size(file, part->section, &part->packing))
			return -EINVAL;
		if (!part->packing.type && (part->packing.offset > file->size ||
					    part->packing.size > file->size - part->packing.offset))
			return -EINVAL;
		if (!elf_file__take(file, part->packing.size))
			return -EFBIG;
		*size += aligned(part->packing.size);
	}
	return parts[0].section ? 0 : -ENOENT;
}

static int fill(struct dwarf_image *image, struct elf_file *file, const struct part parts[WANTED])
{
	char *memory = image->memory;
	Elf64_Ehdr *header = image->memory;
	Elf64_Shdr *section = (Elf64_Shdr *)(memory + aligned(sizeof(*header)));
	size_t names = aligned(sizeof(*header)) + SECTIONS * sizeof(*section);
	size_t at = names + NAMES_SIZE, name = 1;
	int err;

	*header = (Elf64_Ehdr){
		.e_type = ET_EXEC, .e_machine = EM_X86_64, .e_version = EV_CURRENT,
		.e_ehsize = sizeof(*header), .e_shoff = aligned(sizeof(*header)),
		.e_shentsize = sizeof(*section), .e_shnum = 2, .e_shstrndx = 1,
	};
	memcpy(header->e_ident, ELFMAG "\2\1\1", SELFMAG + 3);
	section[1] = (Elf64_Shdr){ .sh_type = SHT_STRTAB, .sh_offset = names,
				   .sh_size = NAMES_SIZE };
	for (size_t i = 0; i < WANTED; i++) {
		size_t size = parts[i].packing.size;

		if (!parts[i].section)
			continue;
		err = elf_file__unpack(file, &parts[i].packing, memory + at);
		if (err)
			return err;
		/*
		 * libdw 0.188 hands out strings that it found the start of, and reads some itself,
		 * without looking whether they end before their section does. In sound files the
		 * last byte is a zero already (in .debug_info it ends the list of entries).
		 */
		if (size && wanted[i].ends_with_zero)
			memory[at + size - 1] = '\0';
		section[header->e_shnum++] = (Elf64_Shdr){
			.sh_name = name, .sh_type = SHT_PROGBITS, .sh_offset = at, .sh_size = size,
			.sh_addralign = 1,
		};
		if (!strcmp(wanted[i].name, "debug_line"))
			image->lines = (struct elf_bytes){ .data = (uint8_t *)memory + at,
							   .size = size };
		memory[names + name] = '.';
		strcpy(memory + names + name + 1, wanted[i].name);
		name += strlen(wanted[i].name) + 2;
		at += aligned(size);
	}
	return 0;
}

int dwarf_image__renew(struct dwarf_image *image)
{
	dwarf_end(image->dwarf);
	elf_end(image->elf);
	image->dwarf = NULL;
	elf_version(EV_CURRENT);
	image->elf = elf_memory(image->memory, image->size);
	if (!image->elf)
		return -ENOMEM;
	image->dwarf = dwarf_begin_elf(image->elf, DWARF_C_READ, NULL);
	if (image->dwarf && image->shared)
		dwarf_setalt(image->dwarf, image->shared);
	return 0;
}

int dwarf_image__open(struct dwarf_image *image, struct elf_file *file)
{
	struct part parts[WANTED] = {};
	int err;

	*image = (struct dwarf_image){};
	err = measure(file, parts, &image->size);
	if (err)
		return err;
	image->memory = mmap(NULL, image->size, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (image->memory == MAP_FAILED) {
		image->memory = NULL;
		return -ENOMEM;
	}
	err = fill(image, file, parts);
	if (!err)
		err = dwarf_image__renew(image);
	if (err)
		dwarf_image__close(image);
	return err;
}

void dwarf_image__close(struct dwarf_image *image)
{
	dwarf_end(image->dwarf);
	elf_end(image->elf);
	if (image->memory)
		munmap(image->memory, image->size);
	*image = (struct dwarf_image){};
}
