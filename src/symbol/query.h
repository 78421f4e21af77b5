/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is asked of the readers of DWARF and symbol tables, and what they answer. */
#ifndef MT_SYMBOL_QUERY_H
#define MT_SYMBOL_QUERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Deeper than compilers nest scopes, shallow enough to walk recursively. */
#define MAX_SCOPE_DEPTH 256

/* A function, or one that was inlined, with the text interned in the names. */
struct scope {
	struct scope *next;	/* the list that owns it */
	struct scope *outer;	/* the function this one was inlined into; NULL: not inlined */
	const char *function;	/* NULL: not known */
	bool unqualified;	/* function may be a bare "f" where "a::f(int)" is meant */
	const char *call_file;	/* where it was inlined; NULL: not known */
	uint32_t call_line;
};

struct query {
	uint32_t module;	/* as in the location */
	uint32_t location;
	uint64_t offset;	/* in the file, of an instruction of the code asked about */
	uint64_t address;	/* the same as a p_vaddr of the file */

	/* the answers */
	uint32_t unit;		/* 1 + index of the unit that covers it; 0: none */
	const struct scope *scope; /* innermost, NULL: not known */
	const char *file;	/* interned; NULL: not known */
	uint32_t line;		/* 0: not known */
	char *symbol;		/* of the symbol table, mangled; owned; NULL: none */
	uint64_t symbol_start, symbol_end;

	/* steps on the way to them */
	uint64_t declared_file, line_file; /* indices into the unit's files */
	uint32_t declared_line;	/* of the function; 0: not known */
	bool has_line;		/* line_file is known */
	/* Functions are not described here: it may be of one that was inlined into the symbol's. */
	bool foreign_line;
};

/* For qsort(). */
static inline int query__by_address(const void *a, const void *b)
{
	const struct query *x = a, *y = b;

	return x->address < y->address ? -1 : x->address > y->address;
}

/* Index of the first one there, of queries in order of address. */
static inline size_t query__first(const struct query *queries, size_t nqueries, uint64_t address)
{
	size_t low = 0, high = nqueries;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (queries[middle].address < address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

#endif
