/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An ELF file as bytes: where its code and its unwind information lie. Trusts nothing. */
#ifndef MT_UNWIND_IMAGE_H
#define MT_UNWIND_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IMAGE_MAX_SEGMENTS 64

/* A run of bytes and the address (p_vaddr space) of the first. */
struct image_bytes {
	const uint8_t *data;
	size_t size;
	uint64_t address;
	bool to_segment_end;	/* the true end is unknown: no section header names it */
	void *owned;		/* what image_bytes__release() frees */
};

struct image {
	const uint8_t *data;
	size_t size;
	uint64_t entry;
	/* The executable PT_LOAD segments as far as the file holds them, sorted as in the file. */
	struct image_bytes code[IMAGE_MAX_SEGMENTS];
	uint32_t ncode;
};

/* -EINVAL: no x86-64 ELF file. Nothing to close: `image` only points into `data`. */
int unwind_image__open(struct image *image, const void *data, size_t size);

/* .eh_frame, by PT_GNU_EH_FRAME or by its section header. False: there is none. */
bool unwind_image__eh_frame(const struct image *image, struct image_bytes *bytes);
/*
 * .debug_frame, uncompressed if need be. 1: found, 0: there is none, -errno: cannot be read. The
 * caller calls image_bytes__release().
 */
int unwind_image__debug_frame(const struct image *image, struct image_bytes *bytes);
void image_bytes__release(struct image_bytes *bytes);

/*
 * Goes through the functions that the symbol tables name; start with a zeroed cursor. False: no
 * more. Size 0: unknown.
 */
struct image_cursor {
	uint32_t section, symbol;
};

bool unwind_image__next_function(const struct image *image, struct image_cursor *cursor,
				 uint64_t *start, uint64_t *size);

/* The executable segment that holds `address`, or NULL. */
const struct image_bytes *unwind_image__code_at(const struct image *image, uint64_t address);

#endif
