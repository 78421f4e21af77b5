// SPDX-License-Identifier: GPL-2.0-or-later
#include "collect/modules.h"

#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <elfutils/libdwelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "unwind/unwind.h"

#define SLOW_NS 1000000000ULL	/* what takes longer is explained on a terminal */

struct modules {
	struct tables *tables;
	struct names *names;
	struct symbolizer *symbolizer;
	struct unwind_rules *rules;
	uint32_t nrules;	/* rules that the kernel has */
	struct module **items;
	size_t count;
	bool *file_used;	/* indices of the kernel's files */
	uint32_t next_file;	/* to try first: one that was given back rests a while, for walks
				 * that are under way */
	uint64_t started_ns;
	bool explained;
};

struct modules *modules__new(struct tables *tables, struct names *names,
			     struct symbolizer *symbolizer)
{
	struct modules *modules = calloc(1, sizeof(*modules));

	if (!modules)
		return NULL;
	modules->tables = tables;
	modules->names = names;
	modules->symbolizer = symbolizer;
	modules->rules = unwind_rules__new();
	modules->file_used = calloc(MAX_FILES, sizeof(*modules->file_used));
	modules->started_ns = clock_ns(CLOCK_MONOTONIC);
	if (!modules->rules || !modules->file_used) {
		modules__free(modules);
		return NULL;
	}
	modules->file_used[0] = true;
	return modules;
}

static void free_module(struct module *module)
{
	if (module->fd >= 0)
		close(module->fd);
	probes__free(&module->probes);
	free(module->segments);
	free(module->path);
	free(module);
}

void modules__free(struct modules *modules)
{
	if (!modules)
		return;
	for (size_t i = 0; i < modules->count; i++)
		free_module(modules->items[i]);
	unwind_rules__free(modules->rules);
	free(modules->file_used);
	free(modules->items);
	free(modules);
}

bool module__address(const struct module *module, uint64_t offset, uint64_t *address)
{
	bool found = false;

	/* Mappings begin at a page, segments anywhere in it: the last that fits is meant. */
	for (size_t i = 0; i < module->nsegments; i++) {
		const struct module_segment *segment = &module->segments[i];

		if (offset < (segment->offset & ~4095ULL) ||
		    offset >= segment->offset + segment->size)
			continue;
		*address = segment->address + (offset - segment->offset);
		found = true;
	}
	return found;
}

static int read_segments(struct module *module, Elf *elf)
{
	size_t n = 0;

	if (elf_getphdrnum(elf, &n))
		return -ENOEXEC;
	module->segments = calloc(n ? n : 1, sizeof(*module->segments));
	if (!module->segments)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		GElf_Phdr phdr;

		if (!gelf_getphdr(elf, i, &phdr))
			return -ENOEXEC;
		if (phdr.p_type != PT_LOAD || !(phdr.p_flags & PF_X))
			continue;
		module->segments[module->nsegments++] = (struct module_segment){
			.offset = phdr.p_offset,
			.size = phdr.p_filesz,
			.address = phdr.p_vaddr,
		};
	}
	return 0;
}

/* The build id as hex, or NULL. */
static const char *build_id(Elf *elf, char *hex, size_t size)
{
	const unsigned char *bytes;
	ssize_t n = dwelf_elf_gnu_build_id(elf, (const void **)&bytes);

	if (n <= 0 || (size_t)n * 2 + 1 > size)
		return NULL;
	for (ssize_t i = 0; i < n; i++)
		sprintf(hex + 2 * i, "%02x", bytes[i]);
	return hex;
}

/* A new index of the kernel's files, or 0 when all are taken. */
static uint32_t take_file(struct modules *modules)
{
	for (uint32_t i = 0; i < MAX_FILES; i++) {
		uint32_t file = modules->next_file++ % MAX_FILES;

		if (!modules->file_used[file]) {
			modules->file_used[file] = true;
			return file;
		}
	}
	return 0;
}

static void upload_rules(struct modules *modules)
{
	uint32_t count;
	const struct unwind_rule *rules = unwind_rules__table(modules->rules, &count);

	memcpy(modules->tables->rules + modules->nrules, rules + modules->nrules,
	       (count - modules->nrules) * sizeof(*rules));
	modules->nrules = count;
}

static int put_rows(struct modules *modules, struct module *module, const struct unwind_rows *rows)
{
	int err;

	upload_rules(modules);
	if (!rows->nrows)
		return 0;
	module->file = take_file(modules);
	if (!module->file)
		return -ENOSPC;
	err = tables__set_rows(modules->tables, module->file, rows->rows, rows->nrows);
	if (err) {
		modules->file_used[module->file] = false;
		module->file = 0;
		return err;
	}
	module->nrows = rows->nrows;
	module->base = rows->base;
	return 0;
}

/* Attaching to what maps hundreds of megabytes of code takes a moment. */
static void explain_wait(struct modules *modules, const struct module *module)
{
	if (modules->explained || !isatty(STDERR_FILENO) ||
	    clock_ns(CLOCK_MONOTONIC) - modules->started_ns < SLOW_NS)
		return;
	log__info("reading unwind information of %s ...", module->path);
	modules->explained = true;
}

struct image {
	void *bytes;	/* NULL: none */
	size_t size;
};

static int map_image(struct image *image, int fd)
{
	struct stat st;

	*image = (struct image){};
	if (fstat(fd, &st))
		return -errno;
	if (!st.st_size)
		return -ENOEXEC;
	image->bytes = mmap(NULL, st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	image->size = st.st_size;
	if (image->bytes != MAP_FAILED)
		return 0;
	image->bytes = NULL;
	return -errno;
}

static void unmap_image(struct image *image)
{
	if (image->bytes)
		munmap(image->bytes, image->size);
}

/* The separate debug file may have a .debug_frame where the file itself has nothing. */
static void map_debug_image(struct image *image, const struct module *module, const char *root)
{
	int fd = symbol__open_debug_file(module->fd, module->path, root);

	*image = (struct image){};
	if (fd < 0)
		return;
	if (map_image(image, fd))
		log__warn("the debug file of %s cannot be read", module->path);
	close(fd);
}

static int read_rows(struct modules *modules, struct module *module)
{
	struct unwind_rows rows = {};
	struct image image, debug;
	int err;

	explain_wait(modules, module);
	err = map_image(&image, module->fd);
	if (err)
		return err;
	map_debug_image(&debug, module, module->root);
	err = unwind_rows__read(image.bytes, image.size, debug.bytes, debug.size, module->path,
				modules->rules, &rows);
	unmap_image(&image);
	unmap_image(&debug);
	if (!err)
		err = put_rows(modules, module, &rows);
	unwind_rows__free(&rows);
	return err;
}

static bool is_vdso(const struct target_mapping *mapping)
{
	return !strcmp(mapping->path, "[vdso]");
}

/* Reads in what there is to know of a file; what cannot be read stays empty. */
static void read_module(struct modules *modules, struct module *module)
{
	char hex[129];
	const char *id = NULL;
	Elf *elf;
	int err;

	elf_version(EV_CURRENT);
	elf = module->fd >= 0 ? elf_begin(module->fd, ELF_C_READ_MMAP, NULL) : NULL;
	if (elf) {
		id = build_id(elf, hex, sizeof(hex));
		read_segments(module, elf);
		elf_end(elf);
	}
	if (names__module(modules->names, module->path, id, &module->name) || !module->nsegments)
		return;
	err = read_rows(modules, module);
	if (err)
		log__warn("%s: no unwind information could be read: %s", module->path,
			  strerror(-err));
	symbolizer__add_module(modules->symbolizer, module->name, module->fd, module->path,
			       module->root);
	if (probes__find(module->fd, &module->probes))
		memset(&module->probes, 0, sizeof(module->probes));
}

static struct module *add_module(struct modules *modules, pid_t pid,
				 const struct target_mapping *mapping)
{
	struct module **items = reallocarray(modules->items, modules->count + 1, sizeof(*items));
	struct module *module;

	if (!items)
		return NULL;
	modules->items = items;
	module = calloc(1, sizeof(*module));
	if (!module)
		return NULL;
	module->device = mapping->device;
	module->inode = mapping->inode;
	module->path = strdup(mapping->path);
	module->fd = is_vdso(mapping) ? target__open_vdso(pid, mapping) :
					target__open_mapping(pid, mapping);
	if (!module->path) {
		free_module(module);
		return NULL;
	}
	if (module->fd < 0)
		log__warn("%s of process %d cannot be read: %s; its functions stay without names",
			  module->path, pid, strerror(-module->fd));
	snprintf(module->root, sizeof(module->root), "/proc/%d/root", pid);
	read_module(modules, module);
	items[modules->count++] = module;
	return module;
}

struct module *modules__use(struct modules *modules, pid_t pid,
			    const struct target_mapping *mapping)
{
	struct module *module = NULL;

	for (size_t i = 0; i < modules->count && !module; i++) {
		struct module *item = modules->items[i];

		/* All processes have the kernel's one vDSO (but for 32-bit ones). */
		if (item->device == mapping->device && item->inode == mapping->inode &&
		    (item->inode || !strcmp(item->path, mapping->path)))
			module = item;
	}
	if (!module)
		module = add_module(modules, pid, mapping);
	else if (!module->users && module->nsegments && !module->file)
		read_rows(modules, module);
	if (module)
		module->users++;
	return module;
}

void modules__release(struct modules *modules, struct module *module)
{
	if (--module->users || !module->file)
		return;
	tables__set_rows(modules->tables, module->file, NULL, 0);
	modules->file_used[module->file] = false;
	module->file = 0;
}
