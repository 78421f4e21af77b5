/* SPDX-License-Identifier: GPL-2.0-or-later */
/* For tests: puts unwind information into an ELF file in memory, looks rows up. */
#ifndef MT_TESTS_UNIT_FRAME_IMAGE_H
#define MT_TESTS_UNIT_FRAME_IMAGE_H

#include <elf.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "elf_memory.h"
#include "unwind/unwind.h"

#define CODE 0x1000	/* offset and address */
#define CODE_SIZE 0x1000
#define FRAMES 0x2000	/* offset and address of the section, or of .eh_frame_hdr */
#define FRAMES_HDR_SIZE 8

enum frame_kind {
	BY_SECTION,		/* .eh_frame, section headers, no .eh_frame_hdr */
	BY_SEGMENT,		/* PT_GNU_EH_FRAME, no section headers */
	IN_DEBUG_FRAME,		/* .debug_frame */
};

/* The caller frees the image. */
static inline uint8_t *frame_image(enum frame_kind kind, const void *frames, size_t size,
				   size_t *image_size)
{
	static const char names[] = "\0.eh_frame\0.debug_frame\0.shstrtab";
	size_t skip = kind == BY_SEGMENT ? FRAMES_HDR_SIZE : 0;
	size_t end = FRAMES + skip + size, sections = (end + sizeof(names) + 7) & ~7UL;
	uint8_t *image = calloc(1, sections + 3 * sizeof(Elf64_Shdr));
	Elf64_Ehdr *header = (Elf64_Ehdr *)image;
	Elf64_Phdr *segment = (Elf64_Phdr *)(header + 1);
	Elf64_Shdr *section = (Elf64_Shdr *)(image + sections);

	*header = (Elf64_Ehdr){ .e_type = ET_DYN, .e_machine = EM_X86_64, .e_version = EV_CURRENT,
				.e_ehsize = sizeof(*header), .e_phoff = sizeof(*header),
				.e_phentsize = sizeof(*segment), .e_phnum = 3 };
	memcpy(header->e_ident, ELFMAG "\2\1\1", SELFMAG + 3);
	segment[0] = (Elf64_Phdr){ .p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_offset = CODE,
				   .p_vaddr = CODE, .p_filesz = CODE_SIZE, .p_memsz = CODE_SIZE };
	segment[1] = (Elf64_Phdr){ .p_type = PT_LOAD, .p_flags = PF_R, .p_offset = FRAMES,
				   .p_vaddr = FRAMES, .p_filesz = skip + size,
				   .p_memsz = skip + size };
	if (skip) {
		/* Version 1, .eh_frame at pcrel sdata4 behind this, no table. */
		memcpy(image + FRAMES, "\1\x1b\xff\xff\4\0\0\0", FRAMES_HDR_SIZE);
		segment[2] = segment[1];
		segment[2].p_type = PT_GNU_EH_FRAME;
		segment[2].p_filesz = FRAMES_HDR_SIZE;
	} else {
		header->e_shoff = sections;
		header->e_shentsize = sizeof(*section);
		header->e_shnum = 3;
		header->e_shstrndx = 2;
		section[1] = (Elf64_Shdr){ .sh_name = kind == IN_DEBUG_FRAME ? 11 : 1,
					   .sh_type = SHT_PROGBITS, .sh_offset = FRAMES,
					   .sh_addr = kind == IN_DEBUG_FRAME ? 0 : FRAMES,
					   .sh_size = size };
		section[2] = (Elf64_Shdr){ .sh_name = 24, .sh_type = SHT_STRTAB, .sh_offset = end,
					   .sh_size = sizeof(names) };
	}
	if (size)
		memcpy(image + FRAMES + skip, frames, size);
	memcpy(image + end, names, sizeof(names));
	*image_size = sections + 3 * sizeof(Elf64_Shdr);
	return image;
}

/* Index of the rule that holds at an address. */
static inline uint32_t rule_at(const struct unwind_rows *rows, uint64_t address)
{
	uint64_t key = address - rows->base;
	uint32_t low = 0, high = rows->nrows;

	while (low < high) {
		uint32_t middle = (low + high) / 2;

		if (rows->rows[middle].start <= key)
			low = middle + 1;
		else
			high = middle;
	}
	return low ? rows->rows[low - 1].rule : 0;
}

#endif
