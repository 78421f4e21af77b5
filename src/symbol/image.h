/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The files of one module, while it is named. */
#ifndef MT_SYMBOL_IMAGE_H
#define MT_SYMBOL_IMAGE_H

#include <elfutils/libdw.h>

#include "elf/file.h"

/* The file whose code is asked about, and the one that its debug information is in. */
struct image {
	struct elf_file *file, *debug;
};

static inline bool image__is_code(const struct image *image, uint64_t address)
{
	return elf_code__has(&image->file->code, address);
}

/*
 * The DWARF of a file as libdw wants it: an ELF file in memory of those sections that naming reads,
 * unpacked. libelf would keep what is packed beside it, and libdw read all that there is.
 */
struct dwarf_image {
	void *memory;
	size_t size;
	Elf *elf;
	Dwarf *dwarf;
	struct elf_bytes lines;	/* .debug_line, of `memory` */
	Dwarf *shared;		/* what `dwarf` refers to; somebody else's; or NULL */
};

/* 0; -ENOENT: the file has no DWARF; -ENOMEM; -errno: it cannot be read, or not within the limits.
 * `dwarf` may be NULL with 0, too. dwarf_image__close() releases, an image of zeros too. */
int dwarf_image__open(struct dwarf_image *image, struct elf_file *file);
/* Begins again with a fresh `dwarf`: libdw keeps what it has read. -ENOMEM or 0. */
int dwarf_image__renew(struct dwarf_image *image);
void dwarf_image__close(struct dwarf_image *image);

#endif
