// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The tree of debugging entries is walked once per unit for all addresses in it, instead of with
 * libdw's dwarf_getscopes() once per address. What an address lies in is found by the ranges of
 * the units themselves: .debug_aranges is what clang does not write and what others get wrong.
 */
#include "symbol/dwarf_names.h"

#include <dwarf.h>
#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "symbol/demangle.h"
#include "symbol/intervals.h"
#include "symbol/lines.h"

/*
 * Each entry is passed over once more for each that encloses it, which for real units is far from
 * this many times. Without a limit, made-up units could cost the square of their size.
 */
#define MAX_PASSES 64

/* What the linker leaves behind of the address of a function that it dropped, where that may be
 * the address of code as well. */
#define LAST_TOMBSTONE 1

/* Units may share one list of ranges, which real ones do not; all lists of Chromium have less. */
#define MAX_RANGES (16U << 20)

/* libdw keeps all lines and abbreviations of every unit that it was asked about. Where that is more
 * than this, and than this share of the sections, it has to begin again. */
#define MIN_LIBDW_MEMORY (1UL << 20)
#define LIBDW_SHARE 64

struct units {
	Dwarf_Off *items;	/* of their first entries */
	size_t count;
	struct intervals ranges;
};

/* The walk over one unit. */
struct walk {
	const struct image *image;
	struct names *names;
	struct scope **scopes;
	struct query *queries;	/* those in the unit, by address */
	size_t nqueries;
	struct lines *lines;
	const char *directory;	/* what relative names are relative to, if that is absolute */
	Dwarf_Files *files;
	size_t nfiles;
	bool split;		/* the functions are in a .dwo file */
	bool everywhere;	/* look into functions and types that hold no address, too */
	uint64_t budget;	/* bytes that may still be passed over */
	size_t memory;		/* in use before libdw was asked for anything */
};

void scopes__free(struct scope *scopes)
{
	while (scopes) {
		struct scope *next = scopes->next;

		free(scopes);
		scopes = next;
	}
}

static const char *string_attribute(Dwarf_Die *die, unsigned int name)
{
	Dwarf_Attribute attribute;

	/* Follows DW_AT_abstract_origin and DW_AT_specification. */
	return dwarf_formstring(dwarf_attr_integrate(die, name, &attribute));
}

static uint64_t number_attribute(Dwarf_Die *die, unsigned int name)
{
	Dwarf_Attribute attribute;
	Dwarf_Word value;

	return dwarf_formudata(dwarf_attr(die, name, &attribute), &value) ? 0 : value;
}

/* As the DWARF says, "/a/b/../c" included: that is the name gdb and addr2line know it by. */
static int intern_file(struct walk *walk, const char *path, const char **file)
{
	char *absolute = NULL;

	/* libdw names what it does not know "???". */
	if (!path || !path[0] || !strcmp(path, "???") || !elf_file__take_name(walk->image->debug, path))
		return 0;
	if (path[0] != '/' && walk->directory &&
	    asprintf(&absolute, "%s/%s", walk->directory, path) < 0)
		return -ENOMEM;
	*file = names__string(walk->names, absolute ? absolute : path);
	free(absolute);
	return *file ? 0 : -ENOMEM;
}

/*
 * A mangled name that nobody reads is worse than the one without its scope; but one that was chosen
 * (Rust's export_name, C's asm labels) is the function's, as in the symbol table.
 */
static bool is_chosen(const char *linkage)
{
	return linkage && !strchr("_$", linkage[0]);
}

static int name_scope(struct walk *walk, Dwarf_Die *die, struct scope *scope)
{
	const char *linkage = string_attribute(die, DW_AT_linkage_name);
	const char *name = string_attribute(die, DW_AT_name);
	char *demangled;

	if (!linkage)
		linkage = string_attribute(die, DW_AT_MIPS_linkage_name);
	demangled = linkage ? demangle(linkage) : NULL;
	if (demangled)
		name = demangled;
	else if (!name || is_chosen(linkage))
		name = linkage;
	if (name && !elf_file__take_name(walk->image->debug, name))
		name = NULL;
	scope->unqualified = !linkage;
	scope->function = names__string(walk->names, name);
	free(demangled);
	return name && !scope->function ? -ENOMEM : 0;
}

static int new_scope(struct walk *walk, Dwarf_Die *die, struct scope *outer, struct scope **result)
{
	struct scope *scope = calloc(1, sizeof(*scope));
	uint64_t file;
	int err;

	if (!scope)
		return -ENOMEM;
	scope->next = *walk->scopes;
	*walk->scopes = scope;
	scope->outer = outer;
	err = name_scope(walk, die, scope);
	if (err)
		return err;
	if (outer) {
		uint64_t line = number_attribute(die, DW_AT_call_line);

		scope->call_line = line <= UINT32_MAX ? line : 0;
		file = number_attribute(die, DW_AT_call_file);
		if (dwarf_hasattr(die, DW_AT_call_file) && file < walk->nfiles)
			err = intern_file(walk, dwarf_filesrc(walk->files, file, NULL, NULL),
					  &scope->call_file);
	}
	*result = scope;
	return err;
}

static bool spend(struct walk *walk, uint64_t bytes)
{
	if (elf_file__is_late(walk->image->debug) || bytes > walk->budget) {
		walk->budget = 0;
		return false;
	}
	walk->budget -= bytes;
	return true;
}

/* Is this function the one that the symbol table has there? Static functions of C++ have a linkage
 * name only there: "_ZN1aL1fEi". */
static bool is_symbols(Dwarf_Die *die, const struct query *query)
{
	const char *linkage = string_attribute(die, DW_AT_linkage_name);
	const char *name = string_attribute(die, DW_AT_name);
	size_t length;

	if (!query->symbol || !(linkage || name))
		return false;
	if (linkage)
		return !strcmp(linkage, query->symbol);
	length = strlen(name);
	if (!strncmp(query->symbol, "_Z", 2))
		return strstr(query->symbol, name);
	return !strncmp(query->symbol, name, length) && strchr(".", query->symbol[length]);
}

/*
 * Does the function not hold the address, although it says so? The linker may have dropped it, or
 * have folded it into another one: then it is that which the symbol table names.
 */
static bool is_other(Dwarf_Die *die, uint64_t start, const struct query *query)
{
	return (query->scope || start <= LAST_TOMBSTONE) && !is_symbols(die, query);
}

static void note_declaration(Dwarf_Die *die, struct query *query)
{
	Dwarf_Attribute attribute;
	Dwarf_Word file, line;

	query->declared_line = 0;
	if (dwarf_formudata(dwarf_attr_integrate(die, DW_AT_decl_file, &attribute), &file) ||
	    dwarf_formudata(dwarf_attr_integrate(die, DW_AT_decl_line, &attribute), &line))
		return;
	query->declared_file = file;
	query->declared_line = line <= UINT32_MAX ? line : 0;
}

/*
 * Gives the queries within a function or an inlined function their scope; *result stays NULL when
 * there is none. An inlined function counts only where the one around it does.
 */
static int enter_function(struct walk *walk, Dwarf_Die *die, struct scope *outer,
			  struct scope **result)
{
	ptrdiff_t offset = 0;
	Dwarf_Addr base, start, end;
	int err;

	while ((offset = dwarf_ranges(die, offset, &base, &start, &end)) > 0 && spend(walk, 1)) {
		/* What the linker dropped is left behind at address 0 and the like. */
		if (!image__is_code(walk->image, start))
			continue;
		for (size_t i = query__first(walk->queries, walk->nqueries, start);
		     i < walk->nqueries && walk->queries[i].address < end; i++) {
			if (outer ? walk->queries[i].scope != outer :
				    is_other(die, start, &walk->queries[i]))
				continue;
			if (!*result) {
				err = new_scope(walk, die, outer, result);
				if (err)
					return err;
			}
			walk->queries[i].scope = *result;
			if (!outer)
				note_declaration(die, &walk->queries[i]);
		}
	}
	return 0;
}

static int walk_children(struct walk *walk, Dwarf_Die *parent, struct scope *outer,
			 unsigned int depth);

static int visit(struct walk *walk, Dwarf_Die *die, struct scope *outer, unsigned int depth)
{
	struct scope *scope = NULL;
	int err;

	switch (dwarf_tag(die)) {
	case DW_TAG_subprogram:
		err = enter_function(walk, die, NULL, &scope);
		if (err || !(scope || walk->everywhere))
			return err;
		return walk_children(walk, die, scope, depth);
	case DW_TAG_inlined_subroutine:
		err = outer ? enter_function(walk, die, outer, &scope) : 0;
		return err || !scope ? err : walk_children(walk, die, scope, depth);
	case DW_TAG_lexical_block:
	case DW_TAG_try_block:
	case DW_TAG_catch_block:
		return walk_children(walk, die, outer, depth);
	case DW_TAG_namespace:
	case DW_TAG_module:
		return walk_children(walk, die, NULL, depth);
	case DW_TAG_class_type:
	case DW_TAG_structure_type:
	case DW_TAG_union_type:
	case DW_TAG_enumeration_type:
	case DW_TAG_interface_type:
		return walk->everywhere ? walk_children(walk, die, NULL, depth) : 0;
	default:
		return 0;
	}
}

static int walk_children(struct walk *walk, Dwarf_Die *parent, struct scope *outer,
			 unsigned int depth)
{
	Dwarf_Die die;
	int err;

	if (depth == MAX_SCOPE_DEPTH || dwarf_child(parent, &die))
		return 0;
	for (;;) {
		Dwarf_Off offset = dwarf_dieoffset(&die), next;

		err = visit(walk, &die, outer, depth + 1);
		if (err || dwarf_siblingof(&die, &die))
			return err;
		next = dwarf_dieoffset(&die);
		if (next <= offset || !spend(walk, next - offset))
			return 0;
	}
}

static int find_lines(struct walk *walk, Dwarf_Die *unit)
{
	int err = lines__find(walk->lines, unit, walk->image, walk->queries, walk->nqueries);

	for (size_t i = 0; !err && i < walk->nqueries; i++) {
		struct query *query = &walk->queries[i];

		if (query->has_line && query->line_file < walk->nfiles)
			err = intern_file(walk, dwarf_filesrc(walk->files, query->line_file, NULL,
							      NULL), &query->file);
		if (!query->file)
			query->line = 0;
		query->foreign_line = query->line && walk->split && !query->scope;
	}
	return err;
}

/* Does a query have no function yet? (Its unit says it has code there, so there should be one.) */
static bool any_left(const struct walk *walk)
{
	for (size_t i = 0; i < walk->nqueries; i++)
		if (!walk->queries[i].scope)
			return true;
	return false;
}

static uint64_t unit_size(Dwarf_Die *unit)
{
	Dwarf_Off start = dwarf_dieoffset(unit) - dwarf_cuoffset(unit), next;

	if (dwarf_nextcu(dwarf_cu_getdwarf(unit->cu), start, &next, NULL, NULL, NULL, NULL))
		return 0;
	return next - start;
}

/* Compilers may leave the inlined functions in the skeleton, too. */
static bool is_split(Dwarf_Die *unit)
{
	return (dwarf_hasattr(unit, DW_AT_dwo_name) || dwarf_hasattr(unit, DW_AT_GNU_dwo_name)) &&
	       !dwarf_haschildren(unit);
}

static int name_unit(struct walk *walk, Dwarf_Die *unit)
{
	uint64_t budget = MAX_PASSES * unit_size(unit);
	Dwarf_Attribute attribute;
	int err;

	/* dwarf_attr_integrate() would open the .dwo file of a skeleton unit. */
	walk->directory = dwarf_formstring(dwarf_attr(unit, DW_AT_comp_dir, &attribute));
	if (walk->directory && walk->directory[0] != '/')
		walk->directory = NULL;
	if (dwarf_getsrcfiles(unit, &walk->files, &walk->nfiles))
		walk->nfiles = 0;

	walk->split = is_split(unit);
	walk->everywhere = false;
	walk->budget = budget;
	err = walk_children(walk, unit, NULL, 0);
	if (!err && any_left(walk)) {
		/* Functions in functions (GNU C, methods of local classes), in types (Rust). */
		walk->everywhere = true;
		walk->budget = budget;
		err = walk_children(walk, unit, NULL, 0);
	}
	return err ? err : find_lines(walk, unit);
}

static bool is_asked(const struct walk *walk, uint64_t start, uint64_t end)
{
	size_t i = query__first(walk->queries, walk->nqueries, start);

	return i < walk->nqueries && walk->queries[i].address < end;
}

/* Only ranges that somebody asks about are kept: files have millions. */
static int add_unit(struct units *units, const struct walk *walk, Dwarf_Die *unit)
{
	ptrdiff_t offset = 0;
	Dwarf_Addr base, start, end;
	int err = 0;

	if (array__make_room(&units->items, units->count, sizeof(*units->items)))
		return -ENOMEM;
	units->items[units->count++] = dwarf_dieoffset(unit);
	while (!err && units->ranges.count < MAX_RANGES &&
	       (offset = dwarf_ranges(unit, offset, &base, &start, &end)) > 0)
		if (start < end && image__is_code(walk->image, start) && is_asked(walk, start, end))
			err = intervals__add(&units->ranges, start, end, units->count);
	return err;
}

static int read_units(Dwarf *dwarf, const struct walk *walk, struct units *units)
{
	Dwarf_CU *cu = NULL;
	Dwarf_Die unit;
	uint8_t type;
	int err = 0;

	/*
	 * The NULL at the end keeps libdw from opening .dwo files, whose names are the target's
	 * to choose.
	 */
	while (!err && !elf_file__is_late(walk->image->debug) &&
	       !dwarf_get_units(dwarf, cu, &cu, NULL, &type, &unit, NULL))
		if (type == DW_UT_compile || type == DW_UT_skeleton)
			err = add_unit(units, walk, &unit);
	return err ? err : intervals__sort(&units->ranges);
}

static int by_unit(const void *a, const void *b)
{
	const struct query *x = a, *y = b;

	if (x->unit != y->unit)
		return x->unit < y->unit ? -1 : 1;
	return query__by_address(a, b);
}

static size_t memory_in_use(void)
{
	struct mallinfo2 info = mallinfo2();

	return info.uordblks + info.hblkhd;
}

/* Those of one unit. */
static int name_queries(struct dwarf_image *dwarf, struct walk *walk, Dwarf_Off offset)
{
	Dwarf_Die unit;

	if (elf_file__is_late(walk->image->debug))
		return 0;
	if (memory_in_use() > walk->memory + MIN_LIBDW_MEMORY + dwarf->size / LIBDW_SHARE) {
		int err = dwarf_image__renew(dwarf);

		if (err || !dwarf->dwarf)
			return err;
	}
	return dwarf_offdie(dwarf->dwarf, offset, &unit) ? name_unit(walk, &unit) : 0;
}

static int name_by_unit(struct dwarf_image *dwarf, struct walk *walk, const struct units *units,
			struct query *queries, size_t nqueries)
{
	size_t first, next;
	int err = 0;

	for (first = 0; !err && first < nqueries; first = next) {
		uint32_t unit = queries[first].unit;

		for (next = first; next < nqueries && queries[next].unit == unit;)
			next++;
		walk->queries = queries + first;
		walk->nqueries = next - first;
		if (unit)
			err = name_queries(dwarf, walk, units->items[unit - 1]);
	}
	return err;
}

int dwarf_names__find(struct dwarf_image *dwarf, const struct image *image, struct names *names,
		      struct query *queries, size_t nqueries, struct scope **scopes)
{
	struct lines lines = lines__of(dwarf);
	struct walk walk = {
		.image = image, .names = names, .scopes = scopes, .lines = &lines,
		.queries = queries, .nqueries = nqueries, .memory = memory_in_use(),
	};
	struct units units = {};
	int err;

	qsort(queries, nqueries, sizeof(*queries), query__by_address);
	err = read_units(dwarf->dwarf, &walk, &units);
	if (err)
		goto out;
	for (size_t i = 0; i < nqueries; i++) {
		const struct interval *range = intervals__find(&units.ranges, queries[i].address);

		queries[i].unit = range ? range->value : 0;
	}
	intervals__release(&units.ranges);
	qsort(queries, nqueries, sizeof(*queries), by_unit);
	err = name_by_unit(dwarf, &walk, &units, queries, nqueries);
out:
	intervals__release(&units.ranges);
	free(units.items);
	return err;
}
