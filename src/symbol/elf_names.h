/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Functions from symbol tables. */
#ifndef MT_SYMBOL_ELF_NAMES_H
#define MT_SYMBOL_ELF_NAMES_H

#include <libelf.h>
#include <stddef.h>

#include "symbol/query.h"

/*
 * Sets `symbol` of every query (in ascending order of address) that a function symbol of one of
 * the files covers. NULL entries of `elves` are passed over. 0 or -ENOMEM.
 */
int elf_names__find(Elf *const *elves, size_t nelves, struct query *queries, size_t nqueries);

#endif
