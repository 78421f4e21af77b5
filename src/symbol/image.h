/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One ELF file, read and not mapped: its owner may cut it short at any moment (SIGBUS). */
#ifndef MT_SYMBOL_IMAGE_H
#define MT_SYMBOL_IMAGE_H

#include <gelf.h>
#include <stdbool.h>
#include <stdint.h>

#define MAX_CODE_SEGMENTS 16

struct image {
	Elf *elf;
	struct {
		uint64_t offset, address, size;
		uint64_t first;	/* address of the first section with code; else `address` */
	} code[MAX_CODE_SEGMENTS];	/* the executable PT_LOADs */
	unsigned int ncode;
};

/* NULL unless fd is a regular file with an ELF header. `fd` must stay open; elf_end() releases. */
Elf *image__elf(int fd);

/* 0 or -ENOEXEC. image__close() releases, on an image of zeros too. */
int image__open(struct image *image, int fd);
void image__close(struct image *image);

/* The address (p_vaddr) of the code at an offset of the file; false if there is none. */
bool image__address(const struct image *image, uint64_t offset, uint64_t *address);
/* A segment may begin with the ELF header, at address 0: that is no code. */
bool image__is_code(const struct image *image, uint64_t address);

/* The first section of this name, or NULL. */
Elf_Scn *image__section(Elf *elf, const char *name);

/* The symbol table of .gnu_debugdata ("mini debug info") as an ELF file of its own, or NULL. */
Elf *image__mini_debug(Elf *elf);

#endif
