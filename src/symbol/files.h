/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The files that one module's names are in, while it is named. */
#ifndef MT_SYMBOL_FILES_H
#define MT_SYMBOL_FILES_H

#include "symbol/debug_file.h"
#include "symbol/image.h"

struct symbol_files {
	struct elf_file elf, mini;	/* mini: of .gnu_debugdata, fd -1: there is none */
	struct debug_file debug, shared;
	struct dwarf_image dwarf, shared_dwarf;
	struct elf_file *with_dwarf;	/* whose `dwarf` is; NULL: none has any */
};

/*
 * Opens `fd` (the caller's; `path` is where it is below the first root) and its debug file, without
 * the DWARF. 0, -ENOMEM, or as elf_file__open(). symbol_files__close() in any case.
 */
int symbol_files__open(struct symbol_files *files, int fd, const char *path,
		       const struct search *search);
void symbol_files__close(struct symbol_files *files);

/* Reads the DWARF, if there is any that is whole. 0 or -ENOMEM. */
int symbol_files__read_dwarf(struct symbol_files *files, const char *path,
			     const struct search *search);
/* Which limit one of the files is over, in words; NULL: none. */
const char *symbol_files__over(const struct symbol_files *files);

#endif
