// SPDX-License-Identifier: GPL-2.0-or-later
#include "unwind/image.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/param.h>

#include "base/limits.h"
#include "unwind/reader.h"

#define CHUNK 65536UL
#define BEFORE 16	/* bytes: an instruction has 15 at most */
#define BEHIND 512

static size_t chunks(const struct image_code *code)
{
	return (code->size + CHUNK - 1) / CHUNK;
}

static int add_code(struct image *image, const struct elf_code_segment *segment)
{
	struct image_code *code = &image->code[image->ncode];
	const struct elf_file *file = image->file;
	void *memory;

	if (segment->offset >= file->size)
		return 0;
	*code = (struct image_code){
		.size = MIN(segment->size, file->size - segment->offset),
		.address = segment->address,
		.offset = segment->offset,
	};
	code->size = MIN(code->size, MAX_SECTION_SIZE);
	if (!code->size)
		return 0;
	/* Takes no memory but for the chunks that are read. */
	memory = mmap(NULL, code->size, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (memory == MAP_FAILED)
		return -ENOMEM;
	code->data = memory;
	image->ncode++;
	code->loaded = calloc(chunks(code), sizeof(*code->loaded));
	return code->loaded ? 0 : -ENOMEM;
}

int unwind_image__open(struct image *image, struct elf_file *file)
{
	int err = 0;

	*image = (struct image){ .file = file };
	for (uint32_t i = 0; i < file->code.count && !err; i++)
		err = add_code(image, &file->code.segments[i]);
	return err;
}

void unwind_image__close(struct image *image)
{
	for (uint32_t i = 0; i < image->ncode; i++) {
		munmap((void *)image->code[i].data, image->code[i].size);
		free(image->code[i].loaded);
	}
	image->ncode = 0;
	free(image->window.data);
	elf_symbols__release(&image->symbols);
}

static bool load_chunk(struct image *image, const struct image_code *code, size_t chunk)
{
	size_t at = chunk * CHUNK, size = MIN(CHUNK, code->size - at);

	if (code->loaded[chunk])
		return true;
	if (!elf_file__take(image->file, size))
		return false;
	code->loaded[chunk] = true;
	return elf_file__pread(image->file, (void *)(code->data + at), size, code->offset + at) >= 0;
}

bool unwind_image__load(struct image *image, const struct image_code *code, uint64_t start,
			uint64_t end)
{
	size_t first = start - code->address, last = MIN(end - code->address + BEFORE, code->size);

	first -= MIN(first, BEFORE);
	for (size_t chunk = first / CHUNK; chunk * CHUNK < last; chunk++)
		if (!load_chunk(image, code, chunk))
			return false;
	return true;
}

static bool move_window(struct image *image, const struct image_code *code, uint64_t start)
{
	struct image_window *window = &image->window;
	size_t skip = start - code->address, size = MIN(CHUNK, code->size - skip);
	ssize_t n;

	window->size = 0;
	if (!window->data)
		window->data = malloc(CHUNK);
	if (!window->data || !elf_file__take(image->file, size))
		return false;
	n = elf_file__pread(image->file, window->data, size, code->offset + skip);
	if (n < 0)
		return false;
	memset(window->data + n, 0, size - n);	/* as where nothing was read */
	window->address = start;
	window->size = size;
	return true;
}

const uint8_t *unwind_image__peek(struct image *image, const struct image_code *code,
				  uint64_t start, uint64_t end)
{
	const struct image_window *window = &image->window;

	if (start < code->address || end < start || end - code->address > code->size ||
	    end - start > CHUNK)
		return NULL;
	if ((start < window->address || end - window->address > window->size) &&
	    !move_window(image, code, start))
		return NULL;
	return window->data + (start - window->address);
}

const struct image_code *unwind_image__segment_at(const struct image *image, uint64_t address)
{
	for (uint32_t i = 0; i < image->ncode; i++)
		if (address - image->code[i].address < image->code[i].size)
			return &image->code[i];
	return NULL;
}

const struct image_code *unwind_image__code_at(struct image *image, uint64_t address)
{
	const struct image_code *code = unwind_image__segment_at(image, address);

	return code && unwind_image__load(image, code, address, address + BEHIND) ? code : NULL;
}

bool unwind_image__next_function(struct image *image, struct elf_cursor *cursor, uint64_t *start,
				 uint64_t *size)
{
	const char *name;
	Elf64_Sym symbol;

	if (!image->has_symbols && elf_symbols__read(image->file, &image->symbols))
		return false;
	image->has_symbols = true;
	while (elf_symbols__next(&image->symbols, cursor, &symbol, &name)) {
		if (ELF64_ST_TYPE(symbol.st_info) != STT_FUNC || !symbol.st_value)
			continue;
		*start = symbol.st_value;
		*size = symbol.st_size;
		return true;
	}
	return false;
}

/* Where in the file the bytes from `address` to the end of its PT_LOAD segment are. */
static bool rest_of_segment(const struct elf_file *file, uint64_t address, uint64_t *offset,
			    uint64_t *size)
{
	for (size_t i = 0; i < file->nsegments; i++) {
		const Elf64_Phdr *segment = &file->segments[i];
		uint64_t skip = address - segment->p_vaddr;

		if (segment->p_type != PT_LOAD || skip >= segment->p_filesz ||
		    segment->p_offset + skip < skip)
			continue;
		*offset = segment->p_offset + skip;
		*size = segment->p_filesz - skip;
		return *offset < file->size;
	}
	return false;
}

/* LSB Core 10.6.2: version, three encodings, then the pointer to .eh_frame. */
static bool find_eh_frame(const struct elf_file *file, uint64_t *address)
{
	for (size_t i = 0; i < file->nsegments; i++) {
		const Elf64_Phdr *segment = &file->segments[i];
		uint8_t head[4 + sizeof(uint64_t)];
		struct reader reader;
		uint8_t encoding;
		ssize_t n;

		if (segment->p_type != PT_GNU_EH_FRAME)
			continue;
		n = elf_file__pread(file, head, MIN(sizeof(head), segment->p_filesz),
				    segment->p_offset);
		reader = reader__over(head, n > 0 ? n : 0);
		if (reader__u8(&reader) != 1)
			return false;
		encoding = reader__u8(&reader);
		reader__skip(&reader, 2);
		*address = segment->p_vaddr + 4;
		return reader__pointer(&reader, encoding, address);
	}
	return false;
}

int unwind_image__eh_frame(struct elf_file *file, struct elf_bytes *bytes, bool *to_segment_end)
{
	const Elf64_Shdr *section = elf_file__section(file, ".eh_frame");
	uint64_t address, offset, size;
	int err;

	*bytes = (struct elf_bytes){};
	*to_segment_end = false;
	/* PT_GNU_EH_FRAME is what a process itself goes by; the section header knows the end. */
	if (!find_eh_frame(file, &address) || !rest_of_segment(file, address, &offset, &size)) {
		if (!section || section->sh_offset >= file->size)
			return 0;
		address = section->sh_addr;
		offset = section->sh_offset;
		size = section->sh_size;
	} else if (section && section->sh_addr == address && section->sh_size <= size) {
		size = section->sh_size;
	} else {
		*to_segment_end = true;
	}
	err = elf_file__read_bytes(file, offset, size, bytes);
	bytes->address = address;
	return err ? err : 1;
}

int unwind_image__debug_frame(struct elf_file *file, struct elf_bytes *bytes)
{
	const Elf64_Shdr *section = elf_file__section(file, ".debug_frame");
	int err;

	*bytes = (struct elf_bytes){};
	if (!section)
		return 0;
	err = elf_file__read_section(file, section, bytes);
	if (!err && !bytes->size)
		err = -EINVAL;
	bytes->address = 0;
	return err ? err : 1;
}
