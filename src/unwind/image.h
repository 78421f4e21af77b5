/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The code and the unwind information of an ELF file. Trusts nothing. */
#ifndef MT_UNWIND_IMAGE_H
#define MT_UNWIND_IMAGE_H

#include "elf/symbols.h"

/*
 * An executable PT_LOAD segment as far as the file holds it. Nearly all code is described and never
 * looked at, so what is here is read a chunk at a time, when it is asked for; the rest is zeros.
 */
struct image_code {
	const uint8_t *data;
	size_t size;
	uint64_t address;	/* p_vaddr space, of the first byte */
	uint64_t offset;	/* in the file */
	bool *loaded;		/* by chunk */
};

struct image {
	struct elf_file *file;
	struct image_code code[MAX_CODE_SEGMENTS];	/* in the file's order */
	uint32_t ncode;
	struct elf_symbols symbols;	/* once they were asked for */
	bool has_symbols;
	struct image_window {
		uint8_t *data;
		uint64_t address;
		size_t size;
	} window;		/* of unwind_image__peek() */
};

/* 0 or -ENOMEM. `file` outlives the image; unwind_image__close() in any case. */
int unwind_image__open(struct image *image, struct elf_file *file);
void unwind_image__close(struct image *image);

/*
 * .eh_frame, by PT_GNU_EH_FRAME or by its section header; without the latter its end is not known, but
 * that it lies before the segment's. 1: found, 0: there is none, -errno: as elf_file__read_section().
 */
int unwind_image__eh_frame(struct elf_file *file, struct elf_bytes *bytes, bool *to_segment_end);
/* .debug_frame. The same. */
int unwind_image__debug_frame(struct elf_file *file, struct elf_bytes *bytes);

/*
 * Goes through the functions that the symbol tables name; start with a zeroed cursor. False: no
 * more. Size 0: unknown.
 */
bool unwind_image__next_function(struct image *image, struct elf_cursor *cursor, uint64_t *start,
				 uint64_t *size);

/* The executable segment that holds `address`, or NULL. */
const struct image_code *unwind_image__segment_at(const struct image *image, uint64_t address);
/* The same with the bytes around that (a good instruction before
 * it, thirty behind it) there to be read. */
const struct image_code *unwind_image__code_at(struct image *image, uint64_t address);
/* Makes a segment's bytes of [start, end), and a good instruction on either side, readable. False:
 * that is over a limit. */
bool unwind_image__load(struct image *image, const struct image_code *code, uint64_t start,
			uint64_t end);
/*
 * The bytes of [start, end) for one look, until the next call; who goes through all code in the
 * order of addresses takes no memory for it. NULL: they are too many, or over a limit.
 */
const uint8_t *unwind_image__peek(struct image *image, const struct image_code *code,
				  uint64_t start, uint64_t end);

#endif
