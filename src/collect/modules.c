// SPDX-License-Identifier: GPL-2.0-or-later
#include "collect/modules.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/log.h"
#include "collect/identical.h"
#include "collect/row_reader.h"
#include "collect/twins.h"
#include "files/describe.h"
#include "process/path.h"

struct modules {
	pthread_mutex_t lock;
	struct tables *tables;
	struct names *names;
	struct roots *roots;
	struct symbolizer *symbolizer;
	struct custom_allocator *custom;
	struct twins *twins;
	struct row_reader *reader;
	struct module **by_file;
	uint32_t met, nunread;
	uint32_t *resting, *rested;	/* dropped files' indices: lately, and before that */
	uint32_t nresting, nrested;
};

struct modules *modules__new(struct tables *tables, struct names *names, struct roots *roots,
			     struct symbolizer *symbolizer, struct custom_allocator *custom)
{
	struct modules *modules = calloc(1, sizeof(*modules));

	if (!modules)
		return NULL;
	pthread_mutex_init(&modules->lock, NULL);
	modules->tables = tables;
	modules->names = names;
	modules->roots = roots;
	modules->symbolizer = symbolizer;
	modules->custom = custom;
	modules->twins = twins__new();
	modules->by_file = calloc(MAX_FILES, sizeof(*modules->by_file));
	modules->resting = calloc(MAX_FILES, sizeof(*modules->resting));
	modules->rested = calloc(MAX_FILES, sizeof(*modules->rested));
	if (!modules->twins || !modules->by_file || !modules->resting || !modules->rested ||
	    row_reader__start(modules, tables, symbolizer, &modules->reader)) {
		modules__free(modules);
		return NULL;
	}
	return modules;
}

static void free_module(struct module *module)
{
	if (module->fd >= 0)
		close(module->fd);
	root__release(module->root);
	probes__free(&module->probes);
	free(module->path);
	free(module);
}

void modules__free(struct modules *modules)
{
	if (!modules)
		return;
	row_reader__stop(modules->reader);
	for (uint32_t i = 0; modules->by_file && i < MAX_FILES; i++)
		if (modules->by_file[i])
			free_module(modules->by_file[i]);
	twins__free(modules->twins);
	free(modules->resting);
	free(modules->rested);
	free(modules->by_file);
	pthread_mutex_destroy(&modules->lock);
	free(modules);
}

void modules__lock(struct modules *modules)
{
	pthread_mutex_lock(&modules->lock);
}

void modules__unlock(struct modules *modules)
{
	pthread_mutex_unlock(&modules->lock);
}

struct module *modules__get(const struct modules *modules, uint32_t file)
{
	return file < MAX_FILES ? __atomic_load_n(&modules->by_file[file], __ATOMIC_ACQUIRE) : NULL;
}

struct module *modules__next(const struct modules *modules, const struct module *module)
{
	struct module *next = NULL;

	for (uint32_t i = module ? module->file + 1 : 0; i < MAX_FILES && !next; i++)
		next = modules__get(modules, i);
	return next;
}

void module__note_over(struct module *module, const struct tables *tables, const char *over)
{
	if (!over || module->over)
		return;
	module->over = true;
	log__warn("%s: %s; some of its functions or tracebacks are left out", module->path, over);
	tables__count_lost(tables, LOST_LIMITS);
}

/* What the kernel half wants to know of the file besides its rows. */
static void describe(struct modules *modules, const struct module *module, bool library)
{
	struct code_file *file = &modules->tables->files[module->file];

	file->cleanup = module->probes.cleanup;
	file->cleanup_size = module->probes.cleanup >> 32 ? 0 : module->probes.cleanup_size;
	file->threads = module->mappers.threads;
	file->threads_size = module->mappers.threads >> 32 ? 0 : module->mappers.threads_size;
	if (library)
		file->flags |= FILE_LIBRARY;
	if (module->probes.linker.function ||
	    (library && (module->probes.allocator || module->mappers.count ||
			 module->mappers.threads_size)))
		file->flags |= FILE_RUNTIME;
}

/* Reads in what there is to know of a file; what cannot be read stays empty. */
static void read_module(struct modules *modules, struct module *module)
{
	struct file_description file = {};

	if (module->fd >= 0)
		file__describe(module->fd, module->path, modules->custom, &file);
	module__note_over(module, modules->tables, file.over);
	strcpy(module->build_id, file.build_id);
	module->code = file.code;
	module->probes = file.probes;
	module->mappers = file.mappers;
	if (!module->code.count) {
		tables__set_rows(modules->tables, module->file, NULL, 0);
		return;
	}
	if (module->probes.refused)
		log__warn("%s: its allocator is not followed: of %s, %s", module->path,
			  module->probes.refused, module->probes.why_refused);
	describe(modules, module, file.library);
	module->unread = true;
	__atomic_fetch_add(&modules->nunread, 1, __ATOMIC_RELAXED);
}

uint32_t modules__unread(const struct modules *modules)
{
	return __atomic_load_n(&modules->nunread, __ATOMIC_ACQUIRE);
}

static uint64_t code_size(const struct module *module)
{
	uint64_t size = 0;

	for (uint32_t i = 0; i < module->code.count; i++)
		size += module->code.segments[i].size;
	return size;
}

struct module *modules__take_unread(struct modules *modules)
{
	struct module *module = NULL, *smallest = NULL;

	if (!modules__unread(modules))
		return NULL;
	while ((module = modules__next(modules, module)))
		if (module->unread && (!smallest || code_size(module) < code_size(smallest)))
			smallest = module;
	if (smallest) {
		smallest->unread = false;
		__atomic_fetch_sub(&modules->nunread, 1, __ATOMIC_RELAXED);
	}
	return smallest;
}

int modules__publish(struct modules *modules)
{
	return row_reader__finish(modules->reader);
}

void modules__pause(struct modules *modules)
{
	row_reader__pause(modules->reader);
}

void modules__resume(struct modules *modules)
{
	row_reader__resume(modules->reader);
}

/* A file with a name of which this one is a copy, or NULL. */
static const struct module *find_identical(const struct modules *modules,
					   const struct module *module)
{
	const struct module *other = NULL;

	while ((other = modules__next(modules, other)))
		if (other->name && !strcmp(other->build_id, module->build_id) &&
		    module__is_identical(modules->symbolizer, other, module))
			return other;
	return NULL;
}

uint32_t modules__name(struct modules *modules, struct module *module)
{
	const char *build_id = module->build_id[0] ? module->build_id : NULL;
	const struct module *other;
	int err;

	if (module->name)
		return module->name;
	other = build_id ? find_identical(modules, module) : NULL;
	if (other)
		err = names__module_copy(modules->names, module->path, build_id,
					 names__get_module(modules->names, other->name)->copy,
					 &module->name);
	else
		err = twins__name(modules->twins, modules->names, module->path, build_id,
				  &module->id, module->fd, &module->name);
	if (!err && module->code.count)
		symbolizer__add_module(modules->symbolizer, module->name, module->fd, module->path,
				       module->root);
	return module->name;
}

void modules__use_names(struct modules *modules)
{
	const struct module *module = NULL;

	while ((module = modules__next(modules, module)))
		names__use_module(modules->names, module->name);
	twins__forget(modules->twins, modules->names);
}

static bool same_id(const struct file_id *a, const struct file_id *b)
{
	return a->inode == b->inode && a->device == b->device;
}

/* Is it the file that the kernel half met? Some file systems tell us other numbers than they use. */
static bool is_that_file(const struct tables *tables, const struct file_id *met, int fd)
{
	struct file_id id = {};
	struct stat st = {};

	if (!fstat(fd, &st)) {
		id.inode = st.st_ino;
		id.device = major(st.st_dev) << 20 | minor(st.st_dev);
	}
	return same_id(&id, met) || (!tables__identify(tables, fd, &id) && same_id(&id, met));
}

/* Then it was not copied up: another file is mapped there since. Code made at run time is such a
 * file, and comes and goes so often that asking more would cost too much. */
static bool is_nameless(int fd)
{
	struct stat st;

	return fd >= 0 && !fstat(fd, &st) && !st.st_nlink;
}

static bool is_still_mapped(const struct tables *tables, const struct listed_mapping *listed)
{
	struct listed_mappings now;
	bool found = false;

	if (tables__list_mappings(tables, listed->pid, &now))
		return false;
	for (size_t i = 0; i < now.count && !found; i++)
		found = same_id(&now.items[i].id, &listed->id);
	listed_mappings__free(&now);
	return found;
}

/*
 * The file of a mapping. -ESRCH: the process is gone, or runs another program since. -ESTALE: what
 * the name leads to is another file by now, as where overlayfs copied it up.
 */
static int open_file(const struct tables *tables, const struct listed_mapping *listed,
		     const struct target_mapping *mapping)
{
	int fd = listed->vdso ? target__open_vdso(listed->pid, mapping) :
				target__open_mapping(listed->pid, mapping);

	if (listed->vdso || (fd >= 0 && is_that_file(tables, &listed->id, fd)))
		return fd;
	if (is_nameless(fd) || !is_still_mapped(tables, listed)) {
		if (fd >= 0)
			close(fd);
		return -ESRCH;
	}
	if (fd < 0)
		return fd;
	close(fd);
	return -ESTALE;
}

/* 0 where it cannot be said. */
static int nice_of(pid_t pid)
{
	int nice = getpriority(PRIO_PROCESS, pid);	/* -1 is one, too; below ours none counts */

	return nice > 0 ? nice : 0;
}

/* `fd` and `root` become the module's. */
static struct module *add_module(struct modules *modules, const struct listed_mapping *listed,
				 uint32_t file, const char *path, int fd, struct root *root)
{
	struct module *module = calloc(1, sizeof(*module));

	if (!module) {
		if (fd >= 0)
			close(fd);
		root__release(root);
		return NULL;
	}
	module->root = root;
	module->file = file;
	module->id = listed->id;
	module->fd = fd;
	module->nice = nice_of(listed->pid);
	module->path = strdup(path);
	if (!module->path) {
		free_module(module);
		return NULL;
	}
	read_module(modules, module);
	__atomic_store_n(&modules->by_file[file], module, __ATOMIC_RELEASE);
	row_reader__wake(modules->reader);
	return module;
}

static const char *why_unread(int err)
{
	if (err == -ESTALE)
		return "another file has its name now";
	return err == -EINVAL ? "it is no file with content" : strerror(-err);
}

/* NULL: the process is gone. */
static struct module *add_mapped(struct modules *modules, const struct listed_mapping *listed,
				 uint32_t file, struct target *target)
{
	const struct target_mapping *mapping = target__mapping(target, listed->start, listed->end);
	struct root *root;
	int fd;

	if (!mapping || (!mapping->inode && !listed->vdso))
		return NULL;
	fd = open_file(modules->tables, listed, mapping);
	if (fd == -ESRCH)
		return NULL;
	root = roots__of_process(modules->roots, listed->pid);
	if (!target__lives(target)) {	/* the root may be that of another process */
		root__release(root);
		root = NULL;
	}
	if (fd < 0)
		log__warn("%s of process %d cannot be read: %s; its functions stay without names, "
			  "and what it allocates is not seen", mapping->path, listed->pid,
			  why_unread(fd));
	return add_module(modules, listed, file, mapping->path, fd, root);
}

/* The next process that runs it may be as short-lived. The path is as that process saw it, and what
 * is found by it in our own root may be anything. */
static struct module *add_named(struct modules *modules, const struct listed_mapping *listed,
				uint32_t file, const char *path)
{
	struct root *ours = roots__open(modules->roots, "/");
	int fd = ours ? path__open_below(root__fd(ours), path) : -1;

	if (fd >= 0 && is_that_file(modules->tables, &listed->id, fd))
		return add_module(modules, listed, file, path, fd, ours);
	if (fd >= 0)
		close(fd);
	root__release(ours);
	return NULL;
}

struct module *modules__use(struct modules *modules, const struct listed_mapping *listed,
			    struct target *target, const char *path)
{
	int file = listed->vdso ? FILE_VDSO : tables__file_index(modules->tables, &listed->id);
	struct module *module = modules__get(modules, file);

	if (file < 0) {
		tables__count_lost(modules->tables, LOST_FILES);
		return NULL;
	}
	if (module)
		return module;
	__atomic_fetch_add(&modules->met, 1, __ATOMIC_RELAXED);
	module = add_mapped(modules, listed, file, target);
	if (!module && path)
		module = add_named(modules, listed, file, path);
	if (module || listed->vdso)
		return module;
	/* It may be met again. */
	tables__forget_file(modules->tables, &listed->id);
	modules->resting[modules->nresting++] = file;
	return NULL;
}

uint32_t modules__met(const struct modules *modules)
{
	return __atomic_load_n(&modules->met, __ATOMIC_RELAXED);
}

void modules__drop(struct modules *modules, struct module *module)
{
	tables__forget_file(modules->tables, &module->id);
	if (module->name && module->code.count)
		symbolizer__drop_module(modules->symbolizer, module->name);
	modules->resting[modules->nresting++] = module->file;
	modules->by_file[module->file] = NULL;
	__atomic_fetch_sub(&modules->nunread, module->unread, __ATOMIC_RELAXED);
	free_module(module);
}

void modules__reuse(struct modules *modules, const bool *used)
{
	uint32_t *rested = modules->rested, n = 0;

	/* A walk under way may have remembered a rule even after its file was dropped. */
	memset(modules->tables->rule_cache, 0, RULE_CACHE_SIZE * sizeof(uint64_t));
	for (uint32_t i = 0; i < modules->nrested; i++)
		if (used[rested[i]])
			rested[n++] = rested[i];
		else
			tables__reuse_file(modules->tables, rested[i]);
	memcpy(rested + n, modules->resting, modules->nresting * sizeof(*rested));
	modules->nrested = n + modules->nresting;
	modules->nresting = 0;
}
