/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Functions from symbol tables. */
#ifndef MT_SYMBOL_ELF_NAMES_H
#define MT_SYMBOL_ELF_NAMES_H

#include <stddef.h>

#include "elf/file.h"
#include "symbol/query.h"

#define MAX_SYMBOL_FILES 3

/*
 * Sets `symbol` of every query (in ascending order of address) that a function symbol of one of
 * the files covers; it becomes the caller's. NULL entries of `files`, but for the first, are passed over. 0 or -ENOMEM.
 */
int elf_names__find(struct elf_file *const *files, size_t nfiles, struct query *queries,
		    size_t nqueries);

#endif
