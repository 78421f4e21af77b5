// SPDX-License-Identifier: GPL-2.0-or-later
#include "collect/machine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

#define FILES_KEPT 1024	/* after so many, we begin to forget those that nobody maps */
#define FILES_NEW 256	/* ... each time that so many came */
#define MOST_DETACHED 8	/* at a time: the kernel takes a while for each */

/* The mappings of one process: what its maps say of files is read once for all. */
static void add_process(struct machine *machine, const struct listed_mapping *items, size_t n)
{
	struct target_maps maps = {};

	for (size_t i = 0; i < n; i++)
		modules__use(machine->modules, &items[i], &maps);
	target_maps__free(&maps);
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
	size_t first = 0;
	int err = tables__list_mappings(machine->tables, 0, &list);

	if (err) {
		log__error("cannot read what processes map: %s", strerror(-err));
		return err;
	}
	for (size_t i = 1; i <= list.count; i++) {
		if (i < list.count && list.items[i].pid == list.items[first].pid)
			continue;
		add_process(machine, &list.items[first], i - first);
		first = i;
	}
	listed_mappings__free(&list);
	err = attach_all(machine);
	return err ? err : modules__publish(machine->modules);
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
		int file = tables__file_index(machine->tables, &list.items[i].id);

		if (file >= 0)
			used[file] = true;
	}
	listed_mappings__free(&list);
	tables__mark_files(machine->tables, used);
	used[FILE_VDSO] = true;
	return used;
}

/*
 * Machines that build software run thousands of programs once. What is mapped just while we forget
 * it is found by looking again.
 */
static void forget_unused(struct machine *machine)
{
	bool *used = find_used(machine);
	struct module *module = modules__next(machine->modules, NULL), *next;
	unsigned int ndetached = 0;

	for (; used && module; module = next) {
		next = modules__next(machine->modules, module);
		if (used[module->file] || ndetached == MOST_DETACHED)
			continue;
		ndetached += attachments__remove(&machine->attachments, module->file);
		modules__drop(machine->modules, module);
	}
	if (used)
		modules__reuse(machine->modules, used);
	free(used);
	machine__add_all(machine);
	machine->met = modules__met(machine->modules);
}

void machine__add_file(struct machine *machine, const struct listed_mapping *mapping)
{
	struct target_maps maps = {};
	const struct module *module = modules__use(machine->modules, mapping, &maps);

	target_maps__free(&maps);
	if (module)
		attachments__add(&machine->attachments, module, machine->tables);
	modules__publish(machine->modules);
	/* What a new dynamic linker mapped before its probe was there, in whichever process. */
	if (module && module->probes.linker.function)
		machine__add_all(machine);
	if (modules__met(machine->modules) > FILES_KEPT &&
	    modules__met(machine->modules) >= machine->met + FILES_NEW)
		forget_unused(machine);
}

void machine__close(struct machine *machine)
{
	attachments__clear(&machine->attachments);
}
