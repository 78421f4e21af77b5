// SPDX-License-Identifier: GPL-2.0-or-later
#include "unwind/image.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "unwind/reader.h"

/* Ten times what the largest browser has: a file that claims more is out to fill our memory. */
#define MAX_UNCOMPRESSED (256UL << 20)

/* Copies, because the bytes of a hostile file need not be aligned. */
static bool copy(const struct image *image, uint64_t offset, void *to, size_t size)
{
	if (offset > image->size || size > image->size - offset)
		return false;
	memcpy(to, image->data + offset, size);
	return true;
}

static bool read_header(const struct image *image, Elf64_Ehdr *header)
{
	return copy(image, 0, header, sizeof(*header)) &&
	       !memcmp(header->e_ident, ELFMAG, SELFMAG) &&
	       header->e_ident[EI_CLASS] == ELFCLASS64 &&
	       header->e_ident[EI_DATA] == ELFDATA2LSB && header->e_machine == EM_X86_64;
}

static bool read_segment(const struct image *image, const Elf64_Ehdr *header, uint32_t index,
			 Elf64_Phdr *segment)
{
	uint64_t offset;

	if (index >= header->e_phnum || header->e_phentsize != sizeof(*segment) ||
	    __builtin_add_overflow(header->e_phoff, (uint64_t)index * sizeof(*segment), &offset))
		return false;
	return copy(image, offset, segment, sizeof(*segment));
}

static bool read_section(const struct image *image, const Elf64_Ehdr *header, uint32_t index,
			 Elf64_Shdr *section)
{
	uint64_t offset;

	if (index >= header->e_shnum || header->e_shentsize != sizeof(*section) ||
	    __builtin_add_overflow(header->e_shoff, (uint64_t)index * sizeof(*section), &offset))
		return false;
	return copy(image, offset, section, sizeof(*section));
}

/* What the file holds of [offset, offset + size). */
static struct image_bytes clip(const struct image *image, uint64_t offset, uint64_t size,
			       uint64_t address)
{
	struct image_bytes bytes = { .address = address };

	if (offset < image->size) {
		bytes.data = image->data + offset;
		bytes.size = size < image->size - offset ? size : image->size - offset;
	}
	return bytes;
}

int unwind_image__open(struct image *image, const void *data, size_t size)
{
	Elf64_Ehdr header;
	Elf64_Phdr segment;

	*image = (struct image){ .data = data, .size = size };
	if (!read_header(image, &header))
		return -EINVAL;
	image->entry = header.e_entry;
	for (uint32_t i = 0; read_segment(image, &header, i, &segment); i++) {
		if (segment.p_type != PT_LOAD || !(segment.p_flags & PF_X) ||
		    image->ncode == IMAGE_MAX_SEGMENTS ||
		    segment.p_vaddr + segment.p_filesz < segment.p_vaddr)
			continue;
		image->code[image->ncode] = clip(image, segment.p_offset, segment.p_filesz,
						 segment.p_vaddr);
		image->ncode += image->code[image->ncode].size > 0;
	}
	return 0;
}

const struct image_bytes *unwind_image__code_at(const struct image *image, uint64_t address)
{
	for (uint32_t i = 0; i < image->ncode; i++) {
		if (address - image->code[i].address < image->code[i].size)
			return &image->code[i];
	}
	return NULL;
}

static bool find_section(const struct image *image, const char *name, Elf64_Shdr *section)
{
	size_t length = strlen(name) + 1;
	char found[16];
	Elf64_Ehdr header;
	Elf64_Shdr names;

	if (!read_header(image, &header) ||
	    !read_section(image, &header, header.e_shstrndx, &names))
		return false;
	for (uint32_t i = 1; read_section(image, &header, i, section); i++) {
		uint64_t offset;

		if (section->sh_type == SHT_NOBITS || section->sh_name >= names.sh_size ||
		    __builtin_add_overflow(names.sh_offset, section->sh_name, &offset))
			continue;
		if (copy(image, offset, found, length) && !memcmp(found, name, length))
			return true;
	}
	return false;
}

bool unwind_image__next_function(const struct image *image, struct image_cursor *cursor,
				 uint64_t *start, uint64_t *size)
{
	Elf64_Shdr section;
	Elf64_Ehdr header;
	Elf64_Sym symbol;

	if (!read_header(image, &header))
		return false;
	for (; read_section(image, &header, cursor->section, &section); cursor->section++) {
		uint64_t count = section.sh_size / sizeof(symbol), offset;

		if (section.sh_type != SHT_DYNSYM && section.sh_type != SHT_SYMTAB)
			count = 0;
		while (cursor->symbol < count) {
			offset = (uint64_t)cursor->symbol++ * sizeof(symbol);
			if (__builtin_add_overflow(section.sh_offset, offset, &offset) ||
			    !copy(image, offset, &symbol, sizeof(symbol)))
				break;
			if (ELF64_ST_TYPE(symbol.st_info) != STT_FUNC || !symbol.st_value)
				continue;
			*start = symbol.st_value;
			*size = symbol.st_size;
			return true;
		}
		cursor->symbol = 0;
	}
	return false;
}

/* From `address` to the end of the PT_LOAD segment that holds it, as far as the file goes. */
static bool rest_of_segment(const struct image *image, uint64_t address, struct image_bytes *bytes)
{
	Elf64_Ehdr header;
	Elf64_Phdr segment;

	if (!read_header(image, &header))
		return false;
	for (uint32_t i = 0; read_segment(image, &header, i, &segment); i++) {
		uint64_t skip = address - segment.p_vaddr;

		if (segment.p_type != PT_LOAD || skip >= segment.p_filesz ||
		    segment.p_offset + skip < skip)
			continue;
		*bytes = clip(image, segment.p_offset + skip, segment.p_filesz - skip, address);
		return bytes->data;
	}
	return false;
}

/* LSB Core 10.6.2: version, three encodings, then the pointer to .eh_frame. */
static bool eh_frame_by_segment(const struct image *image, struct image_bytes *bytes)
{
	Elf64_Ehdr header;
	Elf64_Phdr segment;

	if (!read_header(image, &header))
		return false;
	for (uint32_t i = 0; read_segment(image, &header, i, &segment); i++) {
		struct image_bytes table;
		struct reader reader;
		uint64_t address;
		uint8_t encoding;

		if (segment.p_type != PT_GNU_EH_FRAME)
			continue;
		table = clip(image, segment.p_offset, segment.p_filesz, segment.p_vaddr);
		reader = reader__over(table.data, table.size);
		if (reader__u8(&reader) != 1)
			return false;
		encoding = reader__u8(&reader);
		reader__skip(&reader, 2);
		address = table.address + 4;
		if (!reader__pointer(&reader, encoding, &address) ||
		    !rest_of_segment(image, address, bytes))
			return false;
		bytes->to_segment_end = true;
		return true;
	}
	return false;
}

bool unwind_image__eh_frame(const struct image *image, struct image_bytes *bytes)
{
	bool by_segment = eh_frame_by_segment(image, bytes);
	Elf64_Shdr section;

	/* PT_GNU_EH_FRAME is what a process itself goes by; the section header knows the end. */
	if (!find_section(image, ".eh_frame", &section))
		return by_segment;
	if (!by_segment) {
		*bytes = clip(image, section.sh_offset, section.sh_size, section.sh_addr);
		return bytes->data;
	}
	if (section.sh_addr == bytes->address && section.sh_size <= bytes->size) {
		bytes->size = section.sh_size;
		bytes->to_segment_end = false;
	}
	return true;
}

static int uncompress_section(struct image_bytes *bytes)
{
	unsigned long size;
	Elf64_Chdr header;
	void *data;

	if (bytes->size < sizeof(header))
		return -EINVAL;
	memcpy(&header, bytes->data, sizeof(header));
	bytes->data += sizeof(header);
	bytes->size -= sizeof(header);
	if (header.ch_type != ELFCOMPRESS_ZLIB || !header.ch_size ||
	    header.ch_size > MAX_UNCOMPRESSED)
		return -EINVAL;
	data = malloc(header.ch_size);
	if (!data)
		return -ENOMEM;
	size = header.ch_size;
	if (uncompress(data, &size, bytes->data, bytes->size) != Z_OK) {
		free(data);
		return -EINVAL;
	}
	*bytes = (struct image_bytes){ .data = data, .size = size, .owned = data };
	return 0;
}

int unwind_image__debug_frame(const struct image *image, struct image_bytes *bytes)
{
	Elf64_Shdr section;
	int err;

	*bytes = (struct image_bytes){ 0 };
	if (!find_section(image, ".debug_frame", &section))
		return 0;
	*bytes = clip(image, section.sh_offset, section.sh_size, 0);
	if (!bytes->data)
		return -EINVAL;
	if (section.sh_flags & SHF_COMPRESSED) {
		err = uncompress_section(bytes);
		if (err)
			return err;
	}
	return 1;
}

void image_bytes__release(struct image_bytes *bytes)
{
	free(bytes->owned);
	*bytes = (struct image_bytes){ 0 };
}
