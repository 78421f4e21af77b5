// SPDX-License-Identifier: GPL-2.0-or-later
#include "collect/machine.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/progress.h"

#define FILES_KEPT 1024	/* after so many, we begin to forget those that nobody maps */
#define FILES_NEW 256	/* ... each time that so many came */
#define ROUNDS_TO_REUSE 2	/* see modules__reuse() */

/* The mappings of one process: what its maps say of files is read once for all. */
static void add_process(struct machine *machine, const struct listed_mapping *items, size_t n)
{
	struct target target = TARGET_OF(items->pid);

	for (size_t i = 0; i < n; i++)
		modules__use(machine->modules, &items[i], &target, NULL);
	target__close(&target);
}

/* A file that cannot be attached to has been told of; only if that is so of all, nothing works. */
static int attach_all(struct machine *machine)
{
	const struct module *module = NULL;
	bool attached = false;
	int err = 0;

	while ((module = modules__next(machine->modules, module))) {
		int failed = attachments__add(&machine->attachments, module, machine->tables);

		attached |= !failed && module->probes.count;
		err = failed ? failed : err;
	}
	return attached ? 0 : err;
}

int machine__add_all(struct machine *machine)
{
	struct listed_mappings list;
	struct progress progress;
	size_t first = 0;
	int err;

	if (!machine->whole)
		return 0;
	err = tables__list_mappings(machine->tables, 0, &list);
	if (err) {
		log__error("cannot read what processes map: %s", strerror(-err));
		return err;
	}
	modules__lock(machine->modules);
	progress__begin(&progress, "looking at what processes map", "mappings", list.count);
	for (size_t i = 1; i <= list.count; i++) {
		progress__step(&progress, i);
		if (i < list.count && list.items[i].pid == list.items[first].pid)
			continue;
		add_process(machine, &list.items[first], i - first);
		first = i;
	}
	progress__end(&progress);
	err = attach_all(machine);
	modules__unlock(machine->modules);
	listed_mappings__free(&list);
	return err;
}

/* Those whose code is mapped, or was by a process that is still to be told of. */
static bool *find_used(struct machine *machine)
{
	bool *used = calloc(MAX_FILES, sizeof(*used));
	struct listed_mappings list;

	if (!used || tables__list_mappings(machine->tables, 0, &list)) {
		free(used);
		return NULL;
	}
	for (size_t i = 0; i < list.count; i++) {
		int file = tables__find_file(machine->tables, &list.items[i].id);

		if (file >= 0)
			used[file] = true;
	}
	listed_mappings__free(&list);
	tables__mark_files(machine->tables, used);
	used[FILE_VDSO] = true;
	return used;
}

/* Files by their index. */
struct files {
	uint32_t list[MAX_FILES], n;
};

static void take_known(const struct machine *machine, struct files *files)
{
	const struct module *module = NULL;

	while ((module = modules__next(machine->modules, module)))
		files->list[files->n++] = module->file;
}

static void leave_used(const struct machine *machine, struct files *files, const bool *used)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < files->n; i++)
		if (!used[files->list[i]] &&
		    !modules__get(machine->modules, files->list[i])->holders)
			files->list[n++] = files->list[i];
	files->n = n;
}

static void detach(struct machine *machine, const struct files *files)
{
	struct attachments gone = {};

	modules__lock(machine->modules);
	for (uint32_t i = 0; i < files->n; i++)
		attachments__move(&machine->attachments, files->list[i], &gone);
	modules__unlock(machine->modules);
	attachments__clear(&gone);
}

static void drop(struct machine *machine, struct files *files, const bool *used)
{
	uint32_t n = 0;

	modules__lock(machine->modules);
	for (uint32_t i = 0; i < files->n; i++) {
		uint32_t file = files->list[i];

		if (attachments__has(&machine->attachments, file))
			continue;	/* again, meanwhile */
		modules__drop(machine->modules, modules__get(machine->modules, file));
		files->list[n++] = file;
	}
	modules__reuse(machine->modules, used);
	modules__unlock(machine->modules);
	tables__drop_files(machine->tables, files->list, n);
}

/* Nobody will run it again, and it takes up room on a disk. */
static bool is_deleted(const struct module *module)
{
	struct stat st;

	return module->fd >= 0 && !fstat(module->fd, &st) && !st.st_nlink;
}

static void leave_linked(const struct machine *machine, struct files *files)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < files->n; i++)
		if (is_deleted(modules__get(machine->modules, files->list[i])))
			files->list[n++] = files->list[i];
	files->n = n;
}

static uint32_t count_deleted(const struct machine *machine)
{
	const struct module *module = NULL;
	uint32_t n = 0;

	while ((module = modules__next(machine->modules, module)))
		n += is_deleted(module);
	return n;
}

/* All that nobody maps, or of these the deleted ones. */
static void forget(struct machine *machine, bool deleted)
{
	struct files *files = calloc(1, sizeof(*files));
	bool *used;

	if (!files)
		return;
	take_known(machine, files);	/* before looking who is used: others come meanwhile */
	used = find_used(machine);
	if (used) {
		leave_used(machine, files, used);
		if (deleted)
			leave_linked(machine, files);
		detach(machine, files);
		modules__pause(machine->modules);
		drop(machine, files, used);
		modules__resume(machine->modules);
		machine__add_all(machine);
	}
	free(used);
	free(files);
	malloc_trim(0);		/* glibc would keep it, in pieces */
}

void machine__forget_unused(struct machine *machine)
{
	uint32_t met = modules__met(machine->modules);

	if (!machine->whole || met <= FILES_KEPT || met < machine->met + FILES_NEW)
		return;
	machine->met = met;
	forget(machine, false);
}

/* Some found no index: rounds follow until those of forgotten files are there again. */
static bool is_full(struct machine *machine)
{
	uint64_t lost = tables__lost(machine->tables, LOST_FILES);

	if (lost != machine->lost_files)
		machine->nrounds = ROUNDS_TO_REUSE;
	machine->lost_files = lost;
	return machine->nrounds && machine->nrounds--;
}

/* Files may have come that nobody told us of. */
static bool is_behind(struct machine *machine)
{
	uint64_t lost = tables__lost(machine->tables, LOST_EVENTS);
	bool behind = lost != machine->lost_events;

	machine->lost_events = lost;
	return behind;
}

void machine__catch_up(struct machine *machine)
{
	uint32_t met = modules__met(machine->modules), ndeleted;
	bool full, behind;

	if (!machine->whole)
		return;
	full = is_full(machine);
	behind = is_behind(machine);
	ndeleted = count_deleted(machine);
	/* Those that were deleted and still mapped the last time are no reason to look again. */
	if (full || (ndeleted && (ndeleted != machine->ndeleted || met != machine->looked))) {
		forget(machine, !full);
		machine->looked = met;
		machine->ndeleted = count_deleted(machine);
	} else if (behind) {
		machine__add_all(machine);
	}
}

void machine__add_file(struct machine *machine, const struct listed_mapping *mapping,
		       const char *path)
{
	struct target target = TARGET_OF(mapping->pid);
	const struct module *module;
	bool linker;

	modules__lock(machine->modules);
	module = modules__use(machine->modules, mapping, &target, path);
	if (module && machine->whole)
		attachments__add(&machine->attachments, module, machine->tables);
	linker = module && module->probes.linker.function;
	modules__unlock(machine->modules);
	target__close(&target);
	/* What a new dynamic linker mapped before its probe was there, in whichever process. */
	if (linker)
		machine__add_all(machine);
}

void machine__close(struct machine *machine)
{
	attachments__clear(&machine->attachments);
}
