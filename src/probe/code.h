/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The code of an ELF file, by the addresses of the file's own numbering. Trusts nothing. */
#ifndef MT_PROBE_CODE_H
#define MT_PROBE_CODE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "elf/symbols.h"
#include "unwind/cfi.h"

/* What the dynamic linker will write into a word of the file. */
struct relocation {
	uint64_t slot, target;	/* addresses */
	const char *import;	/* the symbol of another file; NULL: `target` is it */
};

struct code {
	struct elf_file file;
	struct elf_symbols symbols;
	struct relocation *relocations; /* by slot, once somebody has asked */
	size_t nrelocations;
	bool has_relocations;
	struct cfi_section frames;	/* of .eh_frame, once somebody has asked */
	bool has_frames;
};

/* -ENOEXEC: `fd` is no x86-64 ELF program or library; -EFBIG: over a limit; -ENOMEM; -errno.
 * code__close() in any case. */
int code__open(struct code *code, int fd);
void code__close(struct code *code);

/* The file offset of `address`, and how many bytes of code the file has from there on. */
bool code__offset(const struct code *code, uint64_t address, uint64_t *offset,
		  uint64_t *available);
/* What the file has of `size` bytes of code at `address`; 0: nothing; -errno. */
ssize_t code__read(const struct code *code, uint64_t address, void *bytes, size_t size);
/* The code around `address` that one entry of .eh_frame describes. False: none does. */
bool code__described(struct code *code, uint64_t address, uint64_t *start, uint64_t *end);
/* Where the word at `slot` will point once the dynamic linker has filled it in, if within this
 * file: what a jump through the PLT leads to. */
bool code__relocated(struct code *code, uint64_t slot, uint64_t *target);
/* The name of the symbol of another file that the word at `slot` will point at; NULL: there is none. */
const char *code__import(struct code *code, uint64_t slot);

#endif
