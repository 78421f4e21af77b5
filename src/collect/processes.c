// SPDX-License-Identifier: GPL-2.0-or-later
#include "collect/processes.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

/* Those that it has are not dropped. */
static void take_modules(struct traced *traced, struct module **modules, size_t n)
{
	for (size_t i = 0; i < n; i++)
		modules[i]->holders++;
	for (size_t i = 0; i < traced->nmodules; i++)
		traced->modules[i]->holders--;
	free(traced->modules);
	traced->modules = modules;
	traced->nmodules = n;
}

static int set_modules(struct traced *traced, struct modules *modules,
		       const struct listed_mappings *list, struct tables *tables)
{
	struct module **mapped = calloc(list->count ? list->count : 1, sizeof(*mapped));
	uint32_t *files = calloc(list->count ? list->count : 1, sizeof(*files));
	struct target target = TARGET_OF(traced->pid);
	size_t n = 0;
	int err;

	err = mapped && files ? target__look(&target) : -ENOMEM;
	if (err) {
		free(mapped);
		goto out;
	}
	modules__lock(modules);
	for (size_t i = 0; i < list->count; i++) {
		struct module *module = modules__use(modules, &list->items[i], &target, NULL);

		if (!module)
			continue;
		/* Debug files are looked for while its root is there. */
		modules__name(modules, module);
		files[i] = module->file;
		mapped[n++] = module;
	}
	if (traced->index)
		tables__note_mappings(tables, traced->index, list, files);
	take_modules(traced, mapped, n);
	modules__unlock(modules);
out:
	free(files);
	target__close(&target);
	return err;
}

int traced__sync(struct traced *traced, struct modules *modules, struct tables *tables)
{
	struct listed_mappings list;
	int err = tables__list_mappings(tables, traced->pid, &list);

	if (err)
		return err == -ENOENT ? -ESRCH : err;
	err = list.count ? set_modules(traced, modules, &list, tables) : -ESRCH;
	modules__lock(modules);
	for (size_t i = 0; !err && i < traced->nmodules; i++)
		err = attachments__add(traced->attachments, traced->modules[i], tables);
	if (!err)
		gone__look(&traced->gone, traced->pid, &list, modules, traced->attachments, tables);
	modules__unlock(modules);
	listed_mappings__free(&list);
	/* Their rows are read while the kernel takes its time to attach. */
	return err ? err : modules__publish(modules);
}

void traced__close(struct traced *traced)
{
	attachments__clear(&traced->own);
	take_modules(traced, NULL, 0);
	if (traced->pidfd >= 0)
		close(traced->pidfd);
	traced->pidfd = -1;
}

const struct module *traced__followed(const struct traced *traced)
{
	for (size_t i = 0; i < traced->nmodules; i++) {
		const struct probes *probes = &traced->modules[i]->probes;

		if (probes->count)
			return traced->modules[i];
	}
	return NULL;
}

bool traced__has_mappers(const struct traced *traced)
{
	for (size_t i = 0; i < traced->nmodules; i++)
		if (traced->modules[i]->mappers.count)
			return true;
	return false;
}

const struct module *traced__not_followed(const struct traced *traced)
{
	for (size_t i = 0; i < traced->nmodules; i++) {
		const struct probes *probes = &traced->modules[i]->probes;

		if (probes->allocator && !probes->count)
			return traced->modules[i];
	}
	return NULL;
}
