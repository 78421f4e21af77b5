// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Files are opened for one batch of addresses and closed after it: with hundreds of mapped files,
 * and debug information of hundreds of megabytes, only the descriptors stay.
 */
#include "symbol/symbol.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/array.h"
#include "base/log.h"
#include "base/progress.h"
#include "process/root.h"
#include "symbol/demangle.h"
#include "symbol/dwarf_names.h"
#include "symbol/elf_names.h"
#include "symbol/files.h"

struct module {
	uint32_t users;	/* 0: not known */
	bool warned;	/* of what its debug information lacks */
	int fd;
	char *path;
	struct root *root;	/* of a process that maps it */
	bool over;		/* over a limit, and somebody said so */
};

struct symbolizer {
	struct module *modules;	/* by module index */
	size_t nmodules;
	struct root *ours;
	struct checksums checksums;
	uint64_t ncut;
};

struct symbolizer *symbolizer__new(struct roots *roots)
{
	struct symbolizer *symbolizer = calloc(1, sizeof(*symbolizer));

	if (!symbolizer)
		return NULL;
	pthread_mutex_init(&symbolizer->checksums.lock, NULL);
	symbolizer->ours = roots__open(roots, "/");
	if (!symbolizer->ours) {
		free(symbolizer);
		symbolizer = NULL;
	}
	return symbolizer;
}

static void release_module(struct module *module)
{
	close(module->fd);
	root__release(module->root);
	free(module->path);
}

void symbolizer__free(struct symbolizer *symbolizer)
{
	if (!symbolizer)
		return;
	for (size_t i = 0; i < symbolizer->nmodules; i++)
		if (symbolizer->modules[i].users)
			release_module(&symbolizer->modules[i]);
	root__release(symbolizer->ours);
	free(symbolizer->modules);
	free(symbolizer);
}

int symbolizer__add_module(struct symbolizer *symbolizer, uint32_t index, int fd, const char *path,
			   struct root *root)
{
	struct module *module;

	if (index >= symbolizer->nmodules) {
		size_t n = index + 1 > 2 * symbolizer->nmodules ? index + 1UL :
								  2 * symbolizer->nmodules;

		if (array__enlarge(&symbolizer->modules, symbolizer->nmodules, n,
				   sizeof(*symbolizer->modules)))
			return -ENOMEM;
		symbolizer->nmodules = n;
	}
	module = &symbolizer->modules[index];
	if (module->users) {
		module->users++;
		return 0;
	}
	module->path = strdup(path);
	if (!module->path)
		return -ENOMEM;
	module->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (module->fd < 0) {
		int err = -errno;

		free(module->path);
		return err;
	}
	module->root = root__use(root ? root : symbolizer->ours);
	module->users = 1;
	return 0;
}

void symbolizer__drop_module(struct symbolizer *symbolizer, uint32_t index)
{
	struct module *module = index < symbolizer->nmodules ? &symbolizer->modules[index] : NULL;

	if (!module || !module->users || --module->users)
		return;
	release_module(module);
	memset(module, 0, sizeof(*module));
}

/* ---- from answers to frames ---- */

/* Compilers give static C++ functions no linkage name in DWARF, but a mangled symbol. */
static const char *outermost_name(const struct scope *scope, const char *symbol,
				  const char *demangled)
{
	if (!scope || !scope->function)
		return demangled ? demangled : symbol;
	if (scope->unqualified && demangled && strstr(demangled, scope->function))
		return demangled;
	return scope->function;
}

static int set_frames(struct elf_file *file, struct names *names, const struct query *query)
{
	struct names_frame frames[MAX_SCOPE_DEPTH + 1] = {
		{ .file = query->file, .line = query->line },
	};
	const struct scope *scope = query->scope;
	char *demangled = query->symbol ? demangle(query->symbol) : NULL;
	uint32_t last = 0;
	int err;

	if (demangled && !elf_file__take_name(file, demangled)) {
		free(demangled);
		demangled = NULL;
	}
	for (; scope && scope->outer; scope = scope->outer) {
		frames[last].function = scope->function;
		frames[last++].inlined = true;
		frames[last].file = scope->call_file;
		frames[last].line = scope->call_line;
	}
	if (query->foreign_line)
		frames[last++].inlined = true;
	frames[last].function = outermost_name(scope, query->symbol, demangled);
	err = names__set_frames(names, query->location, frames, last + 1);
	free(demangled);
	return err;
}

/* Once for each file: names of functions or all lines are missing, and there is something to do. */
static void warn_of_gaps(struct module *module, const struct symbol_files *files,
			 const struct query *queries, size_t nqueries)
{
	size_t i = 0;

	while (i < nqueries && !queries[i].foreign_line)
		i++;
	if (module->warned || (i == nqueries && !files->debug.of_other_build))
		return;
	module->warned = true;
	if (files->debug.of_other_build)
		log__warn("%s: the debug file that it links to is of another build (its checksum "
			  "differs) and is not used", module->path);
	else
		log__warn("%s: its functions are described in .dwo files, which are not read: it "
			  "has no inlined functions here; build without -gsplit-dwarf for them",
			  module->path);
}

/* Sets the addresses; those outside of the code come first and stay without an answer. */
static size_t set_addresses(const struct elf_code *code, struct query *queries, size_t nqueries)
{
	size_t nunknown = 0;

	for (size_t i = 0; i < nqueries; i++)
		if (!elf_code__address(code, queries[i].offset, &queries[i].address)) {
			struct query unknown = queries[i];

			queries[i] = queries[nunknown];
			queries[nunknown++] = unknown;
		}
	return nunknown;
}

/* Symbols first: their tables are let go before the DWARF is read. */
static int answer(struct symbol_files *files, const struct module *module,
		  const struct search *search, struct names *names, struct query *queries,
		  size_t nqueries, struct scope **scopes)
{
	struct elf_file *with_symbols[] = {
		&files->elf, files->debug.path ? &files->debug.elf : NULL,
		files->mini.fd >= 0 ? &files->mini : NULL,
	};
	struct image image = { &files->elf, files->with_dwarf };
	int err;

	qsort(queries, nqueries, sizeof(*queries), query__by_address);
	err = elf_names__find(with_symbols, 3, queries, nqueries);
	malloc_trim(0);
	if (!err)
		err = symbol_files__read_dwarf(files, module->path, search);
	if (!err && files->dwarf.dwarf)
		err = dwarf_names__find(&files->dwarf, &image, names, queries, nqueries, scopes);
	return err;
}

static struct search search_of(struct symbolizer *symbolizer, const struct root *root)
{
	struct search search = { .checksums = &symbolizer->checksums };

	if (root)
		search.roots[search.nroots++] = root__fd(root);
	if (root != symbolizer->ours)
		search.roots[search.nroots++] = root__fd(symbolizer->ours);
	return search;
}

static void note_over(struct symbolizer *symbolizer, struct module *module, const char *over)
{
	if (!over || module->over)
		return;
	module->over = true;
	__atomic_fetch_add(&symbolizer->ncut, 1, __ATOMIC_RELAXED);
	log__warn("%s: %s; some of its functions or lines are left out", module->path, over);
}

/* All queries are about one module. */
static int name_module(struct symbolizer *symbolizer, struct module *module, struct names *names,
		       struct query *queries, size_t nqueries)
{
	struct search search = search_of(symbolizer, module->root);
	struct scope *scopes = NULL;
	struct symbol_files files;
	size_t nunknown;
	int err;

	err = symbol_files__open(&files, module->fd, module->path, &search);
	if (!err) {
		nunknown = set_addresses(&files.elf.code, queries, nqueries);
		err = answer(&files, module, &search, names, queries + nunknown,
			     nqueries - nunknown, &scopes);
		warn_of_gaps(module, &files, queries + nunknown, nqueries - nunknown);
	}
	for (size_t i = 0; i < nqueries && err != -ENOMEM; i++)
		err = set_frames(&files.elf, names, &queries[i]);
	note_over(symbolizer, module, symbol_files__over(&files));
	symbol_files__close(&files);
	for (size_t i = 0; i < nqueries; i++)
		free(queries[i].symbol);
	scopes__free(scopes);
	return err;
}

int symbolizer__open_debug_file(struct symbolizer *symbolizer, int fd, const char *path,
				const struct root *root)
{
	struct search search = search_of(symbolizer, root);
	struct debug_file found = {};
	struct elf_file file;
	int err = elf_file__open(&file, fd);

	if (!err)
		err = debug_file__find(&found, &search, &file, path);
	if (!err)
		err = fcntl(found.elf.fd, F_DUPFD_CLOEXEC, 0);
	if (file.over) {
		__atomic_fetch_add(&symbolizer->ncut, 1, __ATOMIC_RELAXED);
		log__warn("%s: %s; what is there is left out", path, file.over);
	}
	debug_file__close(&found);
	elf_file__close(&file);
	return err;
}

uint64_t symbolizer__cut(const struct symbolizer *symbolizer)
{
	return __atomic_load_n(&symbolizer->ncut, __ATOMIC_RELAXED);
}

/* ---- the batch ---- */

static int by_module(const void *a, const void *b)
{
	const struct query *x = a, *y = b;

	return x->module < y->module ? -1 : x->module > y->module;
}

/* The locations without frames. The ones in no file are given their unknown frame at once. */
static int collect_queries(const struct symbolizer *symbolizer, struct names *names,
			   struct query *queries, size_t *nqueries)
{
	static const struct names_frame unknown;
	uint32_t n = names__nlocations(names);
	int err;

	*nqueries = 0;
	for (uint32_t i = 1; i < n; i++) {
		const struct names_location *location = names__get_location(names, i);
		/* The address after a call may already belong to the next function. */
		uint64_t back = location->exact ? 0 : 1;

		if (location->nframes)
			continue;
		if (location->module && location->module < symbolizer->nmodules &&
		    symbolizer->modules[location->module].users && location->offset >= back) {
			queries[(*nqueries)++] = (struct query){
				.module = location->module,
				.location = i,
				.offset = location->offset - back,
			};
			continue;
		}
		err = names__set_frames(names, i, &unknown, 1);
		if (err)
			return err;
	}
	return 0;
}

static size_t count_unnamed(const struct names *names)
{
	size_t count = 0;

	for (uint32_t i = 1; i < names__nlocations(names); i++)
		count += !names__get_location(names, i)->nframes;
	return count;
}

int symbolizer__name_all(struct symbolizer *symbolizer, struct names *names)
{
	size_t nqueries = count_unnamed(names), first, next;
	struct progress progress;
	struct query *queries;
	int err;

	if (!nqueries)
		return 0;
	queries = calloc(nqueries, sizeof(*queries));
	if (!queries)
		return -ENOMEM;
	err = collect_queries(symbolizer, names, queries, &nqueries);
	if (err)
		goto out;
	qsort(queries, nqueries, sizeof(*queries), by_module);
	progress__begin(&progress, "naming", "call sites", nqueries);
	for (first = 0; !err && first < nqueries; first = next) {
		uint32_t module = queries[first].module;

		for (next = first + 1; next < nqueries && queries[next].module == module;)
			next++;
		err = name_module(symbolizer, &symbolizer->modules[module], names, queries + first,
				  next - first);
		progress__step(&progress, next);
	}
	progress__end(&progress);
out:
	free(queries);
	/* Debug information comes in hundreds of megabytes; glibc would keep them for us. */
	if (!err)
		malloc_trim(0);
	return err;
}
