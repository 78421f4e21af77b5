// SPDX-License-Identifier: GPL-2.0-or-later
#include "symbol/image.h"

#include <elfutils/libdwelf.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* A sparse file can claim any size. No real one is read in full, but its sections are. */
#define MAX_FILE_SIZE (8ULL << 30)

Elf *image__elf(int fd)
{
	struct stat st;
	Elf *elf;

	if (fstat(fd, &st) || !S_ISREG(st.st_mode) || (uint64_t)st.st_size > MAX_FILE_SIZE)
		return NULL;
	elf_version(EV_CURRENT);
	elf = elf_begin(fd, ELF_C_READ, NULL);
	if (elf && elf_kind(elf) != ELF_K_ELF) {
		elf_end(elf);
		elf = NULL;
	}
	return elf;
}

/* Where the first section with code of each segment is, for files that have section headers. */
static void find_first_sections(struct image *image)
{
	Elf_Scn *section = NULL;
	GElf_Shdr header;

	for (unsigned int i = 0; i < image->ncode; i++)
		image->code[i].first = image->code[i].address + image->code[i].size;
	while ((section = elf_nextscn(image->elf, section)))
		for (unsigned int i = 0; gelf_getshdr(section, &header) && i < image->ncode; i++)
			if (header.sh_flags & SHF_EXECINSTR &&
			    header.sh_addr >= image->code[i].address &&
			    header.sh_addr < image->code[i].first)
				image->code[i].first = header.sh_addr;
	for (unsigned int i = 0; i < image->ncode; i++)
		if (image->code[i].first == image->code[i].address + image->code[i].size)
			image->code[i].first = image->code[i].address;
}

int image__open(struct image *image, int fd)
{
	size_t nheaders;

	*image = (struct image){ .elf = image__elf(fd) };
	if (!image->elf || elf_getphdrnum(image->elf, &nheaders))
		goto bad;
	for (size_t i = 0; i < nheaders && image->ncode < MAX_CODE_SEGMENTS; i++) {
		GElf_Phdr header;

		if (!gelf_getphdr(image->elf, i, &header))
			goto bad;
		if (header.p_type != PT_LOAD || !(header.p_flags & PF_X))
			continue;
		image->code[image->ncode].offset = header.p_offset;
		image->code[image->ncode].address = header.p_vaddr;
		image->code[image->ncode++].size = header.p_filesz;
	}
	find_first_sections(image);
	return 0;
bad:
	image__close(image);
	return -ENOEXEC;
}

void image__close(struct image *image)
{
	elf_end(image->elf);
	image->elf = NULL;
}

bool image__address(const struct image *image, uint64_t offset, uint64_t *address)
{
	for (unsigned int i = 0; i < image->ncode; i++) {
		uint64_t distance = offset - image->code[i].offset;

		if (distance < image->code[i].size) {
			*address = image->code[i].address + distance;
			return true;
		}
	}
	return false;
}

bool image__is_code(const struct image *image, uint64_t address)
{
	for (unsigned int i = 0; i < image->ncode; i++)
		if (address >= image->code[i].first &&
		    address - image->code[i].address < image->code[i].size)
			return true;
	return false;
}

Elf_Scn *image__section(Elf *elf, const char *name)
{
	Elf_Scn *section = NULL;
	size_t strings;

	if (elf_getshdrstrndx(elf, &strings))
		return NULL;
	while ((section = elf_nextscn(elf, section))) {
		GElf_Shdr header;
		const char *s;

		if (!gelf_getshdr(section, &header))
			continue;
		s = elf_strptr(elf, strings, header.sh_name);
		if (s && !strcmp(s, name) && header.sh_type != SHT_NOBITS)
			return section;
	}
	return NULL;
}

Elf *image__mini_debug(Elf *elf)
{
	Elf_Scn *section = image__section(elf, ".gnu_debugdata");
	Elf_Data *data = section ? elf_rawdata(section, NULL) : NULL;
	Elf *mini = NULL;
	int fd;

	if (!data || !data->d_buf)
		return NULL;
	fd = memfd_create("gnu_debugdata", MFD_CLOEXEC);
	if (fd < 0)
		return NULL;
	/* dwelf_elf_begin() unpacks xz; what it unpacks into does not need the descriptor. */
	if (pwrite(fd, data->d_buf, data->d_size, 0) == (ssize_t)data->d_size)
		mini = dwelf_elf_begin(fd);
	close(fd);
	return mini;
}
