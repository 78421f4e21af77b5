/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Functions, inlined functions and lines from DWARF. */
#ifndef MT_SYMBOL_DWARF_NAMES_H
#define MT_SYMBOL_DWARF_NAMES_H

#include <stddef.h>

#include "snapshot/snapshot.h"
#include "symbol/image.h"
#include "symbol/query.h"

/*
 * Sets `scope`, `file` and `line` of the queries that `dwarf` (of `image`, or of its debug file)
 * covers; sorts the queries as it likes. Their symbols are known by now. The scopes are put before *scopes, for the caller to
 * release with scopes__free(); they do not point into `dwarf`. 0 or -ENOMEM.
 *
 * Time is linear in the units that hold one of the addresses, plus one look at every unit.
 */
int dwarf_names__find(struct dwarf_image *dwarf, const struct image *image, struct names *names,
		      struct query *queries, size_t nqueries, struct scope **scopes);
void scopes__free(struct scope *scopes);

#endif
