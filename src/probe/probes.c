// SPDX-License-Identifier: GPL-2.0-or-later
#include "probe/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "probe/allocators.h"
#include "probe/code.h"
#include "probe/custom.h"
#include "probe/exits.h"
#include "probe/place.h"

/* A function of the file that an allocator's row names. */
struct found {
	const struct function *function;
	__u32 flags;			/* struct allocator's */
	unsigned int rank;		/* of two names for one address the lower is kept */
	uint64_t address, size;		/* size 0: not known */
	uint64_t offset;		/* in the file */
};

#define MAX_PREFIXES 4

/* What a jemalloc's names may begin with. */
struct prefix {
	char text[32];
	unsigned int signs;		/* a bit for each of jemalloc_signs that was found with it */
};

struct search {
	struct code code;
	bool exported;			/* the symbols at hand are meant for other files */
	bool locals;			/* look at local symbols too */
	uint64_t its_malloc;		/* address; 0: the file defines none */
	uint64_t markers[MAX_ALLOCATORS]; /* addresses; 0: not found */
	bool also[MAX_ALLOCATORS];	/* the other symbol that an allocator needs is there */
	struct prefix prefixes[MAX_PREFIXES];
	const struct allocator *owner;	/* of its malloc; NULL: none, or the linker */
	uint64_t go_start, go_end;	/* code that Go's compiler made */
	uint64_t cleanup, cleanup_size;	/* address; 0: not found */
	struct linker_hook linker;
	const char *wanted;		/* a symbol; "": it is there */
	char suggestions[256];
	const struct custom_allocator *custom; /* the user's description of the file, or NULL */
	struct found found[MAX_PROBES];
	size_t nfound;
};

typedef int (*symbol_fn)(struct search *search, const char *name, const Elf64_Sym *sym);

static bool is_definition(const struct search *search, const Elf64_Sym *sym)
{
	return sym->st_shndx != SHN_UNDEF && sym->st_value &&
	       (search->locals || ELF64_ST_BIND(sym->st_info) != STB_LOCAL);
}

static int search_tables(struct search *search, symbol_fn look)
{
	struct elf_cursor cursor = {};
	const char *name;
	Elf64_Sym sym;
	int err = 0;

	while (!err && elf_symbols__next(&search->code.symbols, &cursor, &sym, &name)) {
		search->exported = elf_cursor__in_dynsym(&cursor);
		if (is_definition(search, &sym))
			err = look(search, name, &sym);
	}
	return err;
}

/* ---- whose functions are these? ---- */

/* Only what is exported is meant for others: a static program's hook is never called. */
static void note_linker(struct search *search, const char *name, const Elf64_Sym *sym)
{
	struct instruction chosen;
	uint64_t available;

	if (!strcmp(name, "_r_debug"))
		search->linker.r_debug = sym->st_value;
	if (strcmp(name, "_dl_debug_state"))
		return;
	search->linker.function = 0;
	if (!place__choose(&search->code, sym->st_value, sym->st_size, 0, &chosen) && !chosen.none)
		code__offset(&search->code, sym->st_value + chosen.offset,
			     &search->linker.function, &available);
}

/* An IFUNC's address is its resolver's. */
static bool is_function(const Elf64_Sym *sym)
{
	return ELF64_ST_TYPE(sym->st_info) == STT_FUNC;
}

static void note_prefix(struct search *search, const char *name, size_t length, unsigned int sign)
{
	struct prefix *prefix = search->prefixes;

	/* Mangled names end in anything. */
	if (!length || length >= sizeof(prefix->text) || !strncmp(name, "_Z", 2) ||
	    !strncmp(name, "_R", 2))
		return;
	for (size_t i = 0; i < MAX_PREFIXES; i++, prefix++)
		if (!prefix->signs ||
		    (!strncmp(prefix->text, name, length) && !prefix->text[length])) {
			memcpy(prefix->text, name, length);
			prefix->signs |= 1U << sign;
			return;
		}
}

static void note_signs(struct search *search, const char *name)
{
	size_t length = strlen(name);

	for (unsigned int i = 0; jemalloc_signs[i]; i++) {
		size_t sign = strlen(jemalloc_signs[i]);

		if (length > sign && !strcmp(name + length - sign, jemalloc_signs[i]))
			note_prefix(search, name, length - sign, i);
	}
}

static int note_owner(struct search *search, const char *name, const Elf64_Sym *sym)
{
	if (search->exported)
		note_linker(search, name, sym);
	for (size_t i = 0; i < nallocators; i++) {
		if (allocators[i].marker && !strcmp(name, allocators[i].marker))
			search->markers[i] = sym->st_value;
		if (allocators[i].also && !strcmp(name, allocators[i].also))
			search->also[i] = true;
	}
	if (is_function(sym))
		note_signs(search, name);
	if (is_function(sym) && !strcmp(name, standard_functions[0].symbol))
		search->its_malloc = sym->st_value;
	if (!strcmp(name, "__malloc_arena_thread_freeres")) {
		search->cleanup = sym->st_value;
		search->cleanup_size = sym->st_size;
	}
	if (!strcmp(name, "runtime.text"))
		search->go_start = sym->st_value;
	if (!strcmp(name, "runtime.etext"))
		search->go_end = sym->st_value;
	return 0;
}

static int note_hidden(struct search *search, const char *name, const Elf64_Sym *sym)
{
	for (size_t i = 0; i < nallocators; i++)
		if (allocators[i].hidden && !strcmp(name, allocators[i].marker))
			search->markers[i] = sym->st_value;
	return 0;
}

static bool is_there(const struct search *search, size_t i)
{
	return search->markers[i] && (!allocators[i].also || search->also[i]);
}

/* More than one sign. */
static bool is_jemallocs(const struct prefix *prefix)
{
	return prefix->signs & (prefix->signs - 1);
}

/* Is malloc, where there is one, this allocator's? */
static bool owns_malloc(const struct search *search, size_t i)
{
	const struct allocator *allocator = &allocators[i];

	if (allocator->prefix)
		return false;
	if (!allocator->marker)		/* a local malloc is somebody's own */
		return search->its_malloc && !search->locals;
	return is_there(search, i) && (!allocator->is_malloc || !search->its_malloc ||
				      search->markers[i] == search->its_malloc);
}

static int find_owner(struct search *search)
{
	int err = search_tables(search, note_owner);

	/* glibc's malloc is hidden in a static PIE: the linker makes it a local symbol. */
	if (!err && !search->its_malloc) {
		search->locals = true;
		err = search_tables(search, note_owner);
	} else if (!err) {
		search->locals = true;
		err = search_tables(search, note_hidden);
		search->locals = false;
	}
	for (size_t i = 0; !err && !search->owner && i < nallocators; i++)
		if (owns_malloc(search, i))
			search->owner = &allocators[i];
	return err;
}

/* ---- their functions ---- */

static bool returns_block(__u32 call)
{
	return CALL_KIND(call) != CALL_FREES && CALL_KIND(call) != CALL_DESTROYS;
}

static bool outranks(const struct found *a, const struct found *b)
{
	bool a_throws = CALL_KIND(a->function->call) == CALL_NEWS;
	bool b_throws = CALL_KIND(b->function->call) == CALL_NEWS;

	return a_throws != b_throws ? a_throws : a->rank < b->rank;
}

/* Keeps one entry a file offset. Of one code under two names, who knows it best says how it ends. */
static int add_function(struct search *search, struct found *new)
{
	uint64_t available;

	if (!code__offset(&search->code, new->address, &new->offset, &available))
		return 0;
	/* A return probe would move with a goroutine's stack. C code that Go calls has another. */
	if (new->address >= search->go_start && new->address < search->go_end)
		return 0;
	if (new->size > available)
		new->size = available;
	for (size_t i = 0; i < search->nfound; i++) {
		struct found *old = &search->found[i];

		if (old->offset != new->offset)
			continue;
		if (!(old->flags & CALL_PENDING))
			new->flags &= ~CALL_PENDING;
		if (outranks(new, old))
			*old = *new;
		return 0;
	}
	if (search->nfound == MAX_PROBES)
		return -E2BIG;
	search->found[search->nfound++] = *new;
	return 0;
}

static int look_in(struct search *search, const struct allocator *allocator,
		   const struct function *list, unsigned int rank, const char *name,
		   const Elf64_Sym *sym)
{
	struct found new = { .flags = allocator->flags, .rank = rank,
			     .address = sym->st_value, .size = sym->st_size };

	for (; list && list->symbol; list++, new.rank++) {
		if (strcmp(name, list->symbol))
			continue;
		new.function = list;
		if (CALL_KIND(list->call) == CALL_NEWS)
			new.flags |= CALL_PENDING;
		return add_function(search, &new);
	}
	return 0;
}

/* Of several names for one address, whose is kept. */
#define RANK_CUSTOM 0
#define RANK_STANDARD 1000
#define RANK_OPERATORS 1100
#define RANK_OWN 1200

/* Of a recognised allocator, the names that are its alone. */
static int look_in_own(struct search *search, const struct allocator *allocator, const char *name,
		       const Elf64_Sym *sym)
{
	int err = 0;

	if (allocator->prefix) {
		if (strncmp(name, allocator->prefix, strlen(allocator->prefix)))
			return 0;
		name += strlen(allocator->prefix);
		err = look_in(search, allocator, standard_functions, RANK_OWN, name, sym);
	}
	return err ? err : look_in(search, allocator, allocator->functions, RANK_OWN, name,
				   sym);
}

static int look_at_function(struct search *search, const char *name, const Elf64_Sym *sym)
{
	const struct allocator *owner = search->owner;
	const size_t prefix = strlen(LIBC_PREFIX);
	int err = 0;

	if (!is_function(sym))
		return 0;
	if (owner && search->its_malloc)
		err = look_in(search, owner, standard_functions, RANK_STANDARD, name,
			      sym);
	if (!err && owner && search->its_malloc && !strncmp(name, LIBC_PREFIX, prefix))
		err = look_in(search, owner, standard_functions, RANK_OWN, name + prefix, sym);
	if (!err && owner && owner->has_operators)
		err = look_in(search, owner, cxx_operators, RANK_OPERATORS, name, sym);
	for (size_t i = 0; !err && i < nallocators; i++)
		if (is_there(search, i))
			err = look_in_own(search, &allocators[i], name, sym);
	for (size_t i = 0; !err && i < MAX_PREFIXES; i++) {
		struct allocator jemalloc = prefixed_jemalloc;

		jemalloc.prefix = search->prefixes[i].text;
		if (is_jemallocs(&search->prefixes[i]))
			err = look_in_own(search, &jemalloc, name, sym);
	}
	return err;
}

/* ---- what the user describes ---- */

static const struct allocator custom_allocator = { .name = "custom", .flags = CALL_PENDING };

static int look_at_custom(struct search *search, const char *name, const Elf64_Sym *sym)
{
	if (!is_function(sym))
		return 0;
	return look_in(search, &custom_allocator, search->custom->functions, RANK_CUSTOM, name,
		       sym);
}

/* Names of the file's functions that may have been meant. */
static int suggest(struct search *search, const char *name, const Elf64_Sym *sym)
{
	size_t length = strlen(search->suggestions);

	if (is_function(sym) && (strstr(name, "alloc") || strstr(name, "free")) &&
	    length + strlen(name) + 3 < sizeof(search->suggestions) &&
	    !strstr(search->suggestions, name))
		snprintf(search->suggestions + length, sizeof(search->suggestions) - length,
			 "%s%s", length ? ", " : "", name);
	return 0;
}

static int look_for_wanted(struct search *search, const char *name, const Elf64_Sym *sym)
{
	if (is_function(sym) && !strcmp(name, search->wanted))
		search->wanted = "";
	return 0;
}

/* The user knows best: also functions that are not exported. */
static int find_custom(struct search *search, const char *path)
{
	bool locals = search->locals;
	int err;

	search->locals = true;
	err = search_tables(search, look_at_custom);
	for (const struct function *f = search->custom->functions; f->symbol && !err; f++) {
		search->wanted = f->symbol;
		search_tables(search, look_for_wanted);
		if (!*search->wanted)
			continue;
		search_tables(search, suggest);
		log__error("--allocator: %s has no function '%s'%s; those with alloc or free in "
			   "their names are: %s", path, f->symbol,
			   !search->code.symbols.tables[1].count ? ", or is stripped of its name" : "",
			   *search->suggestions ? search->suggestions : "none");
		err = -ENOENT;
	}
	search->locals = locals;
	return err;
}

/* The file's allocator, by whose malloc it has; else by the names of its own that it has. */
static const struct allocator *name_allocator(const struct search *search)
{
	const struct allocator *allocator = search->owner;

	for (size_t i = 0; !allocator && i < MAX_PREFIXES; i++)
		if (is_jemallocs(&search->prefixes[i]))
			allocator = &prefixed_jemalloc;
	for (size_t i = 0; !allocator && i < nallocators; i++)
		if (is_there(search, i) && (allocators[i].functions || allocators[i].prefix))
			allocator = &allocators[i];
	return allocator || !search->custom ? allocator : &custom_allocator;
}

/* ---- where the probes go ---- */

static unsigned int last_argument(__u32 call)
{
	unsigned int last = CALL_SIZE(call);

	if (CALL_COUNT(call) > last)
		last = CALL_COUNT(call);
	return CALL_POINTER(call) > last ? CALL_POINTER(call) : last;
}

/* From the numbers of arguments to the registers that they are in at the probe. */
static __u32 located(__u32 call, const struct instruction *chosen)
{
	unsigned int size = CALL_SIZE(call), count = CALL_COUNT(call);
	unsigned int pointer = CALL_POINTER(call);

	return MAKE_CALL(CALL_KIND(call), size ? chosen->arguments[size - 1] : IN_NONE,
		    count ? chosen->arguments[count - 1] : IN_NONE,
		    pointer ? chosen->arguments[pointer - 1] : IN_NONE);
}

static void refuse(struct probes *probes, const struct found *found, const char *why)
{
	probes->refused = found->function->symbol;
	probes->why_refused = why;
}

/* Places the probe in the function at probe->function. */
static int place_probe(struct search *search, const struct found *found, struct probes *probes,
		       struct probe *probe)
{
	struct instruction chosen;
	int err = place__choose(&search->code, found->address, found->size,
				last_argument(found->function->call), &chosen);

	if (err)
		return err;
	if (chosen.none)
		refuse(probes, found, "the kernel would put a call in place of its first instruction");
	probe->cookie = located(found->function->call, &chosen) | found->flags;
	probe->offset = found->offset + chosen.offset;
	probe->emulated = chosen.emulated;
	probe->return_probe = returns_block(found->function->call) &&
			      !(found->flags & CALL_PENDING);
	memcpy(probe->instruction, chosen.text, sizeof(probe->instruction));
	return 0;
}

static int add_probe(struct probes *probes, const struct probe *probe)
{
	if (probes->count == MAX_PROBES)
		return -E2BIG;
	probes->items[probes->count++] = *probe;
	return 0;
}

/* Of what has no return probe, the returns are probed. */
static int add_exits(struct search *search, const struct found *found,
		     const struct probed *probed, struct exits *exits, struct probes *probes)
{
	size_t known = exits->count;
	int err;

	exits->all = true;
	err = exits__find(&search->code, found->address, found->size, probed, exits);
	for (size_t i = known; !err && i < exits->count; i++) {
		const struct exit *exit = &exits->items[i];
		struct probe probe = { .kind = CALL_RETURNS, .cookie = exit->cookie,
				       .symbol = found->function->symbol,
				       .function = found->offset, .emulated = exit->emulated };
		uint64_t available;

		memcpy(probe.instruction, exit->text, sizeof(probe.instruction));
		if (code__offset(&search->code, exit->address, &probe.offset, &available))
			err = add_probe(probes, &probe);
	}
	if (!exits->all && CALL_KIND(found->function->call) == CALL_NEWS)
		probes->unseen = found->function->symbol;
	else if (!exits->all)
		refuse(probes, found, "where it returns cannot be found");
	return err;
}

static int add_all_exits(struct search *search, struct probes *probes)
{
	uint64_t starts[MAX_PROBES], places[MAX_PROBES];
	struct probed probed = { starts, places, search->nfound };
	struct exits exits = {};
	int err = 0;

	for (size_t i = 0; i < search->nfound; i++) {
		starts[i] = search->found[i].address;
		places[i] = starts[i] + (probes->items[i].offset - probes->items[i].function);
	}
	for (size_t i = 0; i < search->nfound && !err; i++)
		if (search->found[i].flags & CALL_PENDING &&
		    returns_block(search->found[i].function->call))
			err = add_exits(search, &search->found[i], &probed, &exits, probes);
	exits__release(&exits);
	return err;
}

/* In the order of the table, malloc first, however the file orders its symbols. */
static int compare_ranks(const void *a, const void *b)
{
	const struct found *x = a, *y = b;

	if (x->rank != y->rank)
		return x->rank < y->rank ? -1 : 1;
	return x->address < y->address ? -1 : x->address > y->address;
}

static int make_probes(struct search *search, struct probes *probes)
{
	int err = 0;

	probes->items = calloc(MAX_PROBES, sizeof(*probes->items));
	if (!probes->items)
		return -ENOMEM;
	qsort(search->found, search->nfound, sizeof(search->found[0]), compare_ranks);
	for (size_t i = 0; i < search->nfound && !err; i++) {
		const struct found *found = &search->found[i];
		struct probe probe = { .kind = CALL_KIND(found->function->call),
				       .symbol = found->function->symbol,
				       .function = found->offset };

		err = place_probe(search, found, probes, &probe);
		if (!err)
			err = add_probe(probes, &probe);
	}
	return err ? err : add_all_exits(search, probes);
}

/* All or nothing: of an allocator that is seen in part, the blocks would never end, or never begin. */
static int refuse_all(const struct search *search, const char *path, struct probes *probes)
{
	probes->count = 0;
	if (!search->custom)
		return 0;	/* whoever attaches says so */
	log__error("--allocator: %s cannot be followed: of %s, %s", path, probes->refused,
		   probes->why_refused);
	return -EOPNOTSUPP;
}

static int find_probes(struct search *search, const char *path, struct probes *probes)
{
	const struct allocator *allocator;
	int err = find_owner(search);

	if (!err && search->custom)
		err = find_custom(search, path);
	if (err)
		return err;
	allocator = name_allocator(search);
	if (!allocator)
		return 0;
	probes->allocator = allocator->name;
	if (!allocator->unfollowed)
		err = search_tables(search, look_at_function);
	if (!err && search->nfound)
		err = make_probes(search, probes);
	return !err && probes->refused ? refuse_all(search, path, probes) : err;
}

int probes__find(int fd, const char *path, struct custom_allocator *custom,
		 struct probes *probes)
{
	struct search *search = calloc(1, sizeof(*search));
	uint64_t available;
	const char *over;
	int err;

	*probes = (struct probes){ 0 };
	if (!search)
		return -ENOMEM;
	custom = custom_allocators__find(custom, fd, path);
	if (custom)
		custom->met = true;
	search->custom = custom;
	err = code__open(&search->code, fd);
	if (!err)
		err = find_probes(search, path, probes);
	if (probes->unseen)
		log__warn("%s: where %s returns cannot be found in full; some of its blocks are "
			  "missing", path, probes->unseen);
	probes->linker = search->linker;
	if (search->cleanup &&
	    code__offset(&search->code, search->cleanup, &probes->cleanup, &available))
		probes->cleanup_size = search->cleanup_size;
	over = search->code.file.over;
	code__close(&search->code);
	free(search);
	if (err)
		probes__free(probes);
	probes->over = over;
	return err;
}

void probes__free(struct probes *probes)
{
	free(probes->items);
	*probes = (struct probes){ 0 };
}

int probes__check(const struct custom_allocator *custom)
{
	int err = 0;

	for (; custom && !err; custom = custom->next) {
		/* As if the user had described no other. */
		struct custom_allocator alone = { .file = custom->file,
						  .functions = custom->functions };
		struct probes probes;
		int fd;

		if (!strchr(custom->file, '/'))
			continue;
		fd = open(custom->file, O_RDONLY | O_CLOEXEC);
		if (fd < 0) {
			err = -errno;
			log__error("--allocator: %s cannot be read: %s", custom->file,
				   strerror(errno));
			break;
		}
		err = probes__find(fd, custom->file, &alone, &probes);
		if (err == -ENOEXEC)
			log__error("--allocator: %s is no x86-64 program or library",
				   custom->file);
		probes__free(&probes);
		close(fd);
	}
	return err;
}
