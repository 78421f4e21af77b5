/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The line number table of a unit, sequence by sequence (DWARF 5 section 6.2). libdw's own answer
 * is of all sequences sorted together: those of functions that the linker dropped, left behind at
 * address 0, then give their lines to whatever lies there.
 */
#ifndef MT_SYMBOL_LINES_H
#define MT_SYMBOL_LINES_H

#include <elfutils/libdw.h>

#include "symbol/image.h"
#include "symbol/query.h"

struct lines {
	const uint8_t *data;	/* .debug_line, the image's; NULL: none */
	size_t size;
	uint64_t budget;	/* bytes that may still be read: units may share a table */
};

struct lines lines__of(const struct dwarf_image *dwarf);

/*
 * Sets line_file and line of the queries (in ascending order of address) that a live sequence of
 * the unit's table covers. Of several sequences it is the one that covers the function best. What
 * the table of a unit says from where it is damaged on does not count. 0 or -ENOMEM.
 */
int lines__find(struct lines *lines, Dwarf_Die *unit, const struct image *image,
		struct query *queries, size_t nqueries);

#endif
