// SPDX-License-Identifier: GPL-2.0-or-later
#include "elf/file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/param.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "elf/unpack.h"

#define NS_PER_SECOND 1000000000ULL
#define CALLS_PER_LOOK 256	/* at the clock, which is a system call */

ssize_t elf_file__pread(const struct elf_file *file, void *to, size_t size, uint64_t offset)
{
	size_t done = 0;

	while (done < size && offset + done <= INT64_MAX) {
		ssize_t n = pread(file->fd, (char *)to + done, size - done, offset + done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			break;
		done += n;
	}
	return done;
}

void elf_file__exceed(struct elf_file *file, const char *limit)
{
	if (!file->over)
		file->over = limit;
}

bool elf_file__take(struct elf_file *file, uint64_t size)
{
	if (size > MAX_SECTION_SIZE) {
		elf_file__exceed(file, "a section is too large");
		return false;
	}
	if (size > file->budget) {
		elf_file__exceed(file, "its sections claim far more than the disk holds of it");
		return false;
	}
	file->budget -= size;
	return true;
}

bool elf_file__take_name(struct elf_file *file, const char *name)
{
	size_t length = strnlen(name, MAX_NAME_SIZE);

	return length < MAX_NAME_SIZE && elf_file__take(file, length);
}

bool elf_file__is_plausible(struct elf_file *file)
{
	if (file->size <= MIN_FILE_BUDGET + MAX_UNPACKING * file->held)
		return true;
	elf_file__exceed(file, "it claims far more than the disk holds of it");
	return false;
}

bool elf_file__is_late(struct elf_file *file)
{
	if (file->late || ++file->calls % CALLS_PER_LOOK)
		return file->late;
	file->late = clock_ns(CLOCK_THREAD_CPUTIME_ID) > file->deadline_ns;
	if (file->late)
		elf_file__exceed(file, "to read it takes too long");
	return file->late;
}

/* A table of the file as the caller's to free; NULL and 0 entries where the file has none of it. */
static void *read_table(struct elf_file *file, uint64_t offset, uint64_t n, size_t size, int *err)
{
	void *table;
	ssize_t got;

	if (!n || offset > file->size || n * size > file->size - offset)
		return NULL;
	if (!elf_file__take(file, n * size)) {
		*err = -EFBIG;
		return NULL;
	}
	table = malloc(n * size);
	if (!table) {
		*err = -ENOMEM;
		return NULL;
	}
	got = elf_file__pread(file, table, n * size, offset);
	if (got == (ssize_t)(n * size))
		return table;
	free(table);
	*err = got < 0 ? (int)got : -ENOEXEC;
	return NULL;
}

static void note_code(struct elf_file *file)
{
	for (size_t i = 0; i < file->nsegments; i++) {
		const Elf64_Phdr *segment = &file->segments[i];

		if (segment->p_type != PT_LOAD || !(segment->p_flags & PF_X) ||
		    segment->p_offset > INT64_MAX - segment->p_filesz ||
		    segment->p_vaddr > UINT64_MAX - segment->p_filesz)
			continue;
		if (file->code.count == MAX_CODE_SEGMENTS) {
			elf_file__exceed(file, "it has too many segments of code");
			break;
		}
		file->code.segments[file->code.count++] = (struct elf_code_segment){
			segment->p_offset, segment->p_filesz, segment->p_vaddr, segment->p_vaddr,
		};
	}
}

static int read_segments(struct elf_file *file, const Elf64_Ehdr *header, uint64_t n)
{
	int err = 0;

	if (n > MAX_SEGMENTS) {
		elf_file__exceed(file, "it has too many segments");
		n = MAX_SEGMENTS;
	}
	if (header->e_phentsize != sizeof(*file->segments))
		return 0;
	file->segments = read_table(file, header->e_phoff, n, sizeof(*file->segments), &err);
	file->nsegments = file->segments ? n : 0;
	note_code(file);
	return err;
}

/* What does not fit into the header's fields is in section 0 (gABI, ELF Header). */
static int read_sections(struct elf_file *file, const Elf64_Ehdr *header)
{
	uint64_t n = header->e_shnum, names = header->e_shstrndx;
	Elf64_Shdr first;
	int err = 0;

	if (!header->e_shoff || header->e_shentsize != sizeof(first))
		return 0;
	if (elf_file__pread(file, &first, sizeof(first), header->e_shoff) != sizeof(first))
		return 0;
	if (!n)
		n = first.sh_size;
	if (names == SHN_XINDEX)
		names = first.sh_link;
	if (n > MAX_SECTIONS) {
		elf_file__exceed(file, "it has too many sections");
		return 0;
	}
	file->sections = read_table(file, header->e_shoff, n, sizeof(*file->sections), &err);
	file->nsections = file->sections ? n : 0;
	if (!err && names < file->nsections)
		err = elf_file__read_section(file, &file->sections[names], &file->names);
	/* A table of names that cannot be read leaves a file without names of sections. */
	return err == -EINVAL || err == -EFBIG ? 0 : err;
}

static bool is_x86_64(const Elf64_Ehdr *header)
{
	return !memcmp(header->e_ident, ELFMAG, SELFMAG) &&
	       header->e_ident[EI_CLASS] == ELFCLASS64 &&
	       header->e_ident[EI_DATA] == ELFDATA2LSB && header->e_machine == EM_X86_64;
}

static void note_first_sections(struct elf_file *file)
{
	for (uint32_t i = 0; i < file->code.count; i++) {
		struct elf_code_segment *segment = &file->code.segments[i];
		uint64_t first = segment->size;

		for (size_t j = 0; j < file->nsections; j++)
			if (file->sections[j].sh_flags & SHF_EXECINSTR)
				first = MIN(first, file->sections[j].sh_addr - segment->address);
		if (first < segment->size)
			segment->first += first;
	}
}

static int read_all(struct elf_file *file)
{
	Elf64_Ehdr header;
	Elf64_Shdr first;
	uint64_t nsegments;
	ssize_t n = elf_file__pread(file, &header, sizeof(header), 0);
	int err;

	if (n < 0)
		return n;
	if (n != sizeof(header) || !is_x86_64(&header))
		return -ENOEXEC;
	file->type = header.e_type;
	file->entry = header.e_entry;
	nsegments = header.e_phnum;
	if (nsegments == PN_XNUM && elf_file__pread(file, &first, sizeof(first), header.e_shoff) ==
				    sizeof(first))
		nsegments = first.sh_info;
	err = read_segments(file, &header, nsegments);
	if (!err)
		err = read_sections(file, &header);
	note_first_sections(file);
	return err;
}

int elf_file__open(struct elf_file *file, int fd)
{
	struct stat st;

	*file = (struct elf_file){ .fd = fd };
	if (fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -ENOEXEC;
	file->size = st.st_size;
	/* Some file systems do not count blocks; none has a hole without counting. */
	file->held = st.st_blocks ? MIN(file->size, st.st_blocks * 512ULL) : file->size;
	file->budget = MIN_FILE_BUDGET + MAX_UNPACKING * MIN(file->held, MAX_FILE_SIZE);
	file->deadline_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID) + MAX_FILE_SECONDS * NS_PER_SECOND;
	if (file->size > MAX_FILE_SIZE) {
		elf_file__exceed(file, "it is too large");
		return -EFBIG;
	}
	return read_all(file);
}

void elf_file__close(struct elf_file *file)
{
	elf_bytes__release(&file->names);
	free(file->segments);
	free(file->sections);
	file->segments = NULL;
	file->sections = NULL;
	file->nsegments = file->nsections = 0;
}

/* ---- sections ---- */

const char *elf_file__section_name(const struct elf_file *file, const Elf64_Shdr *section)
{
	if (section->sh_name >= file->names.size)
		return "";
	return (const char *)file->names.data + section->sh_name;
}

const Elf64_Shdr *elf_file__section(const struct elf_file *file, const char *name)
{
	for (size_t i = 1; i < file->nsections; i++)
		if (file->sections[i].sh_type != SHT_NOBITS &&
		    !strcmp(elf_file__section_name(file, &file->sections[i]), name))
			return &file->sections[i];
	return NULL;
}

const Elf64_Shdr *elf_file__section_of_type(const struct elf_file *file, uint32_t type)
{
	for (size_t i = 1; i < file->nsections; i++)
		if (file->sections[i].sh_type == type)
			return &file->sections[i];
	return NULL;
}

static int allocate(struct elf_file *file, uint64_t size, struct elf_bytes *bytes)
{
	if (!elf_file__take(file, size))
		return -EFBIG;
	bytes->owned = malloc(size + 1);
	if (!bytes->owned)
		return -ENOMEM;
	bytes->data = bytes->owned;
	bytes->size = size;
	return 0;
}

static void terminate(struct elf_bytes *bytes)
{
	((uint8_t *)bytes->owned)[bytes->size] = '\0';
}

int elf_file__read_bytes(struct elf_file *file, uint64_t offset, uint64_t size,
			 struct elf_bytes *bytes)
{
	ssize_t n;
	int err;

	*bytes = (struct elf_bytes){};
	size = offset < file->size ? MIN(size, file->size - offset) : 0;
	err = allocate(file, size, bytes);
	if (err)
		return err;
	n = elf_file__pread(file, bytes->owned, size, offset);
	if (n < 0) {
		elf_bytes__release(bytes);
		return n;
	}
	bytes->size = n;
	terminate(bytes);
	return 0;
}

int elf_file__packed_size(const struct elf_file *file, const Elf64_Shdr *section,
			  struct elf_packing *packing)
{
	uint8_t gnu[12];
	Elf64_Chdr header;

	*packing = (struct elf_packing){ .size = section->sh_size, .offset = section->sh_offset };
	if (section->sh_flags & SHF_COMPRESSED) {
		if (section->sh_size < sizeof(header) ||
		    elf_file__pread(file, &header, sizeof(header), section->sh_offset) !=
			    sizeof(header))
			return -EINVAL;
		packing->type = header.ch_type;
		packing->size = header.ch_size;
		packing->offset += sizeof(header);
		packing->packed = section->sh_size - sizeof(header);
		return packing->type ? 0 : -EINVAL;
	}
	/* The way of GNU before there was a flag: "ZLIB" and the size, its high byte first. */
	if (strncmp(elf_file__section_name(file, section), ".zdebug_", 8))
		return 0;
	if (section->sh_size < sizeof(gnu) ||
	    elf_file__pread(file, gnu, sizeof(gnu), section->sh_offset) != sizeof(gnu) ||
	    memcmp(gnu, "ZLIB", 4))
		return -EINVAL;
	packing->type = ELFCOMPRESS_ZLIB;
	packing->size = 0;
	for (int i = 4; i < 12; i++)
		packing->size = packing->size << 8 | gnu[i];
	packing->offset += sizeof(gnu);
	packing->packed = section->sh_size - sizeof(gnu);
	return 0;
}

int elf_file__unpack(const struct elf_file *file, const struct elf_packing *packing, void *to)
{
	ssize_t n;

	if (packing->type)
		return elf_unpack(file->fd, packing->offset, packing->packed, packing->type, to,
				  packing->size);
	n = elf_file__pread(file, to, packing->size, packing->offset);
	if (n < 0)
		return n;
	memset((char *)to + n, 0, packing->size - n);
	return 0;
}

int elf_file__read_section(struct elf_file *file, const Elf64_Shdr *section,
			   struct elf_bytes *bytes)
{
	struct elf_packing packing;
	int err = elf_file__packed_size(file, section, &packing);

	*bytes = (struct elf_bytes){};
	if (err || section->sh_type == SHT_NOBITS)
		return err ? err : -EINVAL;
	if (packing.type) {
		err = allocate(file, packing.size, bytes);
		if (!err)
			err = elf_file__unpack(file, &packing, bytes->owned);
		if (err)
			elf_bytes__release(bytes);
		else
			terminate(bytes);
	} else {
		err = elf_file__read_bytes(file, packing.offset, packing.size, bytes);
	}
	bytes->address = section->sh_addr;
	return err;
}

void elf_bytes__release(struct elf_bytes *bytes)
{
	free(bytes->owned);
	*bytes = (struct elf_bytes){};
}
