/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The one reader of ELF files. What it needs is read, never mapped: the owner of a file may cut it
 * short or write to it at any moment, and a page that is gone is a SIGBUS. So every byte is looked
 * at after it was copied, and all sizes are bounded (base/limits.h). It opens nothing.
 */
#ifndef MT_ELF_FILE_H
#define MT_ELF_FILE_H

#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define MAX_CODE_SEGMENTS 16

/* Bytes of a file in memory, and the address (p_vaddr space) of the first. */
struct elf_bytes {
	const uint8_t *data;
	size_t size;
	uint64_t address;
	void *owned;		/* what elf_bytes__release() frees */
};

/* The executable PT_LOAD segments, in the file's order. */
struct elf_code {
	struct elf_code_segment {
		uint64_t offset, size;	/* in the file */
		uint64_t address;	/* p_vaddr */
		uint64_t first;		/* of the first section with code; else `address` */
	} segments[MAX_CODE_SEGMENTS];
	uint32_t count;
};

struct elf_file {
	int fd;			/* the caller's */
	uint64_t size;		/* of the file */
	uint64_t held;		/* bytes that the disk holds of it */
	uint64_t budget;	/* bytes that may still be read of it */
	uint64_t deadline_ns;	/* of the CPU time of the thread that opened it */
	uint16_t type;		/* ET_EXEC, ET_DYN, ... */
	uint64_t entry;
	Elf64_Phdr *segments;
	size_t nsegments;
	struct elf_code code;
	Elf64_Shdr *sections;
	size_t nsections;
	struct elf_bytes names;	/* of sections */
	const char *over;	/* the first limit that it went over, in words; NULL: none */
	unsigned int calls;	/* of elf_file__is_late() */
	bool late;
};

/* How a section lies in the file. */
struct elf_packing {
	uint32_t type;		/* ELFCOMPRESS_...; 0: as it is */
	uint64_t offset, packed; /* of what is packed */
	uint64_t size;		/* unpacked */
};

/*
 * 0; -ENOEXEC: no x86-64 ELF file, or cut off within its headers; -EFBIG: over a limit; -ENOMEM;
 * -errno. `fd` must stay open; elf_file__close() in any case.
 */
int elf_file__open(struct elf_file *file, int fd);
void elf_file__close(struct elf_file *file);

/* The first section of this name or type that takes room in the file, or NULL. */
const Elf64_Shdr *elf_file__section(const struct elf_file *file, const char *name);
const Elf64_Shdr *elf_file__section_of_type(const struct elf_file *file, uint32_t type);
const char *elf_file__section_name(const struct elf_file *file, const Elf64_Shdr *section);

/*
 * Reads a section, unpacked if it is compressed; its last byte is followed by a 0. What the file
 * does not hold of an uncompressed one is cut off. 0; -EINVAL: cannot be unpacked; -EFBIG: over a
 * limit; -ENOMEM; -errno. elf_bytes__release() releases.
 */
int elf_file__read_section(struct elf_file *file, const Elf64_Shdr *section,
			   struct elf_bytes *bytes);
/* The same in two steps, into `packing->size` bytes of the caller's, uncounted. */
int elf_file__packed_size(const struct elf_file *file, const Elf64_Shdr *section,
			  struct elf_packing *packing);
int elf_file__unpack(const struct elf_file *file, const struct elf_packing *packing, void *to);
/* What the file holds of [offset, offset + size). Errors as above. */
int elf_file__read_bytes(struct elf_file *file, uint64_t offset, uint64_t size,
			 struct elf_bytes *bytes);
/* Into memory of the caller's, uncounted. How many bytes the file holds, or -errno. */
ssize_t elf_file__pread(const struct elf_file *file, void *to, size_t size, uint64_t offset);
void elf_bytes__release(struct elf_bytes *bytes);

/* Notes in words which limit the file is over; the first one counts. `limit` is static. */
void elf_file__exceed(struct elf_file *file, const char *limit);
/* Is there as much left of what may be read? If so it is taken; else that is noted. */
bool elf_file__take(struct elf_file *file, uint64_t size);
/* The same for a name that is kept: many may lie over the same bytes. False also for what is too long
 * to be one. */
bool elf_file__take_name(struct elf_file *file, const char *name);
/* Does the disk hold about as much of the file as it claims? If not that is noted. */
bool elf_file__is_plausible(struct elf_file *file);
/* Has the file had its time? If so that is noted. Cheap enough for inner loops. */
bool elf_file__is_late(struct elf_file *file);

/* From addresses of code to offsets in the file, and back. `available`: bytes of code from there. */
bool elf_code__offset(const struct elf_code *code, uint64_t address, uint64_t *offset,
		      uint64_t *available);
bool elf_code__address(const struct elf_code *code, uint64_t offset, uint64_t *address);
/* A segment may begin with the ELF header, at address 0: that is no code. */
bool elf_code__has(const struct elf_code *code, uint64_t address);

#endif
