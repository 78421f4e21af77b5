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
#include "process/root.h"
#include "symbol/debug_file.h"
#include "symbol/demangle.h"
#include "symbol/dwarf_names.h"
#include "symbol/elf_names.h"
#include "symbol/image.h"

struct module {
	uint32_t users;	/* 0: not known */
	bool warned;	/* of what its debug information lacks */
	int fd;
	char *path;
	struct root *root;	/* of a process that maps it */
};

struct symbolizer {
	struct module *modules;	/* by module index */
	size_t nmodules;
	struct root *ours;
};

struct symbolizer *symbolizer__new(struct roots *roots)
{
	struct symbolizer *symbolizer = calloc(1, sizeof(*symbolizer));

	if (!symbolizer)
		return NULL;
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

/* ---- the files of one module, while it is named ---- */

struct files {
	struct image image;
	struct debug_file debug, shared;
	Elf *mini;
	Dwarf *dwarf, *shared_dwarf;
};

static void close_files(struct files *files)
{
	dwarf_end(files->dwarf);
	dwarf_end(files->shared_dwarf);
	elf_end(files->mini);
	debug_file__close(&files->shared);
	debug_file__close(&files->debug);
	image__close(&files->image);
}

/*
 * libdw 0.188 hands out strings that it found the start of, and reads some itself, without looking
 * whether they end before their section does. The bytes are a copy of ours, and in sound files
 * the last one is a zero already (in .debug_info it ends the list of entries).
 */
static void terminate_strings(Elf *elf)
{
	static const char *const sections[] = {
		".debug_info",	".debug_str",  ".debug_line_str",
		".zdebug_info", ".zdebug_str", ".zdebug_line_str",
	};

	for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++) {
		Elf_Scn *section = image__section(elf, sections[i]);
		Elf_Data *data = section ? elf_getdata(section, NULL) : NULL;

		if (data && data->d_buf && data->d_size)
			((char *)data->d_buf)[data->d_size - 1] = '\0';
	}
}

static Dwarf *begin_dwarf(Elf *elf)
{
	Dwarf *dwarf = dwarf_begin_elf(elf, DWARF_C_READ, NULL);

	/* Compressed sections have been unpacked by now. */
	terminate_strings(elf);
	return dwarf;
}

/*
 * As gdb, do without DWARF that refers to a shared file which is not there. libdw would look for
 * it on its own, and open whatever has that name.
 */
static int open_dwarf(struct files *files, const struct search *search, Elf *elf, const char *path)
{
	bool refers;
	int err;

	files->dwarf = begin_dwarf(elf);
	refers = files->dwarf && image__section(elf, ".gnu_debugaltlink");
	if (!refers)
		return 0;
	err = debug_file__find_shared(&files->shared, search, files->dwarf, path);
	if (!err)
		files->shared_dwarf = begin_dwarf(files->shared.elf);
	if (files->shared_dwarf) {
		dwarf_setalt(files->dwarf, files->shared_dwarf);
		return 0;
	}
	dwarf_end(files->dwarf);
	files->dwarf = NULL;
	return err == -ENOMEM ? err : 0;
}

static bool has_dwarf(Elf *elf)
{
	return image__section(elf, ".debug_info") || image__section(elf, ".zdebug_info");
}

static int open_files(struct files *files, const struct symbolizer *symbolizer,
		      const struct module *module)
{
	struct search search = { .nroots = 1 };
	int err;

	err = image__open(&files->image, module->fd);
	if (err)
		return err;
	search.roots[0] = root__fd(module->root);
	if (module->root != symbolizer->ours)
		search.roots[search.nroots++] = root__fd(symbolizer->ours);
	if (has_dwarf(files->image.elf))
		return open_dwarf(files, &search, files->image.elf, module->path);

	err = debug_file__find(&files->debug, &search, files->image.elf, module->path);
	if (!err)
		return open_dwarf(files, &search, files->debug.elf, files->debug.path);
	files->mini = image__mini_debug(files->image.elf);
	return err == -ENOMEM ? err : 0;
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

static int set_frames(struct names *names, const struct query *query)
{
	struct names_frame frames[MAX_SCOPE_DEPTH + 1] = {
		{ .file = query->file, .line = query->line },
	};
	const struct scope *scope = query->scope;
	char *demangled = query->symbol ? demangle(query->symbol) : NULL;
	uint32_t last = 0;
	int err;

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
static void warn_of_gaps(struct module *module, const struct files *files,
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

/* All queries are about one module. */
static int name_module(const struct symbolizer *symbolizer, struct module *module,
		       struct names *names, struct query *queries, size_t nqueries)
{
	struct scope *scopes = NULL;
	struct files files = {};
	size_t nunknown = 0;
	int err;

	err = open_files(&files, symbolizer, module);
	if (err == -ENOEXEC) {
		err = 0;
		goto set;
	}
	if (err)
		goto out;
	/* Those outside of the code come first and stay without an answer. */
	for (size_t i = 0; i < nqueries; i++)
		if (!image__address(&files.image, queries[i].offset, &queries[i].address)) {
			struct query unknown = queries[i];

			queries[i] = queries[nunknown];
			queries[nunknown++] = unknown;
		}
	qsort(queries + nunknown, nqueries - nunknown, sizeof(*queries), query__by_address);
	err = elf_names__find((Elf *[]){ files.image.elf, files.debug.elf, files.mini }, 3,
			      queries + nunknown, nqueries - nunknown);
	if (!err && files.dwarf)
		err = dwarf_names__find(files.dwarf, &files.image, names, queries + nunknown,
					nqueries - nunknown, &scopes);
	if (err)
		goto out;
	warn_of_gaps(module, &files, queries + nunknown, nqueries - nunknown);
set:
	for (size_t i = 0; !err && i < nqueries; i++)
		err = set_frames(names, &queries[i]);
out:
	scopes__free(scopes);
	close_files(&files);
	return err;
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
	for (first = 0; !err && first < nqueries; first = next) {
		uint32_t module = queries[first].module;

		for (next = first + 1; next < nqueries && queries[next].module == module;)
			next++;
		err = name_module(symbolizer, &symbolizer->modules[module], names, queries + first,
				  next - first);
	}
out:
	free(queries);
	/* Debug information comes in hundreds of megabytes; glibc would keep them for us. */
	if (!err)
		malloc_trim(0);
	return err;
}
