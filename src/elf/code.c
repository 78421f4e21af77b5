// SPDX-License-Identifier: GPL-2.0-or-later
#include "elf/file.h"

#define PAGE 4096ULL

bool elf_code__offset(const struct elf_code *code, uint64_t address, uint64_t *offset,
		      uint64_t *available)
{
	for (uint32_t i = 0; i < code->count; i++) {
		uint64_t distance = address - code->segments[i].address;

		if (distance >= code->segments[i].size)
			continue;
		*offset = code->segments[i].offset + distance;
		*available = code->segments[i].size - distance;
		return true;
	}
	return false;
}

bool elf_code__address(const struct elf_code *code, uint64_t offset, uint64_t *address)
{
	bool found = false;

	/* Mappings begin at a page, segments anywhere in it: the last that fits is meant. */
	for (uint32_t i = 0; i < code->count; i++) {
		const struct elf_code_segment *segment = &code->segments[i];

		if (offset < (segment->offset & ~(PAGE - 1)) ||
		    offset >= segment->offset + segment->size)
			continue;
		*address = segment->address + (offset - segment->offset);
		found = true;
	}
	return found;
}

bool elf_code__has(const struct elf_code *code, uint64_t address)
{
	for (uint32_t i = 0; i < code->count; i++)
		if (address >= code->segments[i].first &&
		    address - code->segments[i].address < code->segments[i].size)
			return true;
	return false;
}
