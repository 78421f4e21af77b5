// SPDX-License-Identifier: GPL-2.0-or-later
#include "collect/attachments.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "collect/own_code.h"
#include "memtracebpf.skel.h"

#define MOST_THREADS 128	/* to detach: 1,000 files in a second */

static struct attachment *find(const struct attachments *attachments, uint32_t file)
{
	for (size_t i = 0; i < attachments->count; i++)
		if (attachments->items[i].file == file)
			return &attachments->items[i];
	return NULL;
}

static struct attachment *attachment_of(struct attachments *attachments, uint32_t file)
{
	struct attachment *items, *found = find(attachments, file);

	if (found)
		return found;
	items = reallocarray(attachments->items, attachments->count + 1, sizeof(*items));
	if (!items)
		return NULL;
	attachments->items = items;
	items[attachments->count] = (struct attachment){ .file = file };
	return &items[attachments->count++];
}

static void report_probes(const struct module *module, const struct probe_links *links)
{
	log__verbose("%s: %zu functions probed by %s", module->path, module->probes.count,
		     probe_links__kind(links));
	for (size_t i = 0; i < module->probes.count; i++) {
		const struct probe *probe = &module->probes.items[i];

		log__verbose("probe %s of %s at %+lld: %s%s", probe->symbol, module->path,
			     (long long)(probe->offset - probe->function),
			     probe->instruction,
			     probe->emulated ? "" :
					       " (not emulated by the kernel: every call is "
					       "single-stepped, which is dear)");
	}
}

/* Where an allocator is none of our table's: its `ret`s are probed, and the kernel steps over them. */
static void report_steps(const struct module *module)
{
	const struct probes *probes = &module->probes;
	size_t nstepped = 0;
	bool own = false;

	for (size_t i = 0; i < probes->count; i++) {
		const struct probe *probe = &probes->items[i];

		own |= probe->kind != CALL_RETURNS && probe->kind != CALL_NEWS &&
		       probe->cookie & CALL_PENDING;
		nstepped += probe->kind == CALL_RETURNS && !probe->emulated;
	}
	if (own && nstepped)
		log__info("%s: its allocator is none that is known, so that %zu of its returns are"
			  " single-stepped: a second trap a call, very dear in virtual machines (-v"
			  " lists them, memtracebpf doctor measures)", module->path, nstepped);
}

static int attach_allocator(pid_t pid, const struct module *module, const struct tables *tables,
			    struct probe_links **links)
{
	struct memtracebpf_bpf *skel = tables->skeleton;
	struct probe_programs programs = { -1, -1, -1, -1 };
	char path[32];
	int err;

	if (tables->sessions) {
		programs.session_fd = bpf_program__fd(skel->progs.allocation_session);
		programs.multi_fd = bpf_program__fd(skel->progs.allocation_pass);
	} else {
		programs.entry_fd = bpf_program__fd(skel->progs.allocation_entry);
		programs.return_fd = bpf_program__fd(skel->progs.allocation_return);
	}
	snprintf(path, sizeof(path), "/proc/self/fd/%d", module->fd);
	if (!pid)
		own_code__spare(module);
	err = probe__attach(&programs, path, module->path, pid, &module->probes, links);
	if (!err) {
		report_probes(module, *links);
		report_steps(module);
	}
	return err;
}

static int attach_linker(pid_t pid, const struct module *module, const struct tables *tables,
			 struct probe_links **links)
{
	const struct linker_hook *hook = &module->probes.linker;
	int fd = bpf_program__fd(tables->skeleton->progs.libraries_changed);
	struct probe_programs programs = { -1, tables->sessions ? fd : -1,
					   tables->sessions ? -1 : fd, -1 };
	struct probe probe = { .symbol = "_dl_debug_state",
			       .function = hook->function, .offset = hook->function };
	struct probes probes = { .items = &probe, .count = 1 };
	uint64_t address;
	char path[32];

	if (hook->r_debug && elf_code__address(&module->code, hook->function, &address))
		probe.cookie = hook->r_debug - address;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", module->fd);
	return probe__attach(&programs, path, module->path, pid, &probes, links);
}

static int attach_mappers(pid_t pid, const struct module *module, const struct tables *tables,
			  struct probe_links **links)
{
	struct memtracebpf_bpf *skel = tables->skeleton;
	struct probe_programs programs = { -1, -1, -1, -1 };
	struct probe items[MAX_MAPPERS] = {};
	struct probes probes = { .items = items, .count = module->mappers.count };
	char path[32];

	if (tables->sessions) {
		programs.session_fd = bpf_program__fd(skel->progs.mapping_session);
	} else {
		programs.entry_fd = bpf_program__fd(skel->progs.mapping_entry);
		programs.return_fd = bpf_program__fd(skel->progs.mapping_return);
	}
	for (size_t i = 0; i < probes.count; i++) {
		const struct mapper *mapper = &module->mappers.items[i];

		items[i] = (struct probe){
			.symbol = mapper->symbol, .cookie = mapper->kind, .return_probe = true,
			.function = mapper->function, .offset = mapper->offset,
		};
	}
	snprintf(path, sizeof(path), "/proc/self/fd/%d", module->fd);
	return probe__attach(&programs, path, module->path, pid, &probes, links);
}

/* A library's own mappings are told by who calls; a program's with an allocator within only by the
 * allocator's call in progress. */
static bool wants_allocator(const struct module *module, const struct tables *tables)
{
	return module->probes.count && (tables->skeleton->rodata->keep_blocks ||
					!(tables->files[module->file].flags & FILE_RUNTIME));
}

int attachments__add(struct attachments *attachments, const struct module *module,
		     const struct tables *tables)
{
	bool allocator = wants_allocator(module, tables);
	bool mappers = tables->mapped && module->mappers.count;
	bool linker = module->probes.linker.function;
	struct attachment *attachment;
	int err = 0;

	if (!allocator && !linker && !mappers)
		return 0;
	attachment = attachment_of(attachments, module->file);
	if (!attachment)
		return -ENOMEM;
	if (linker && !attachment->linker)
		err = attach_linker(attachments->pid, module, tables, &attachment->linker);
	if (!err && allocator && !attachment->allocator)
		err = attach_allocator(attachments->pid, module, tables, &attachment->allocator);
	if (!err && mappers && !attachment->mappers)
		err = attach_mappers(attachments->pid, module, tables, &attachment->mappers);
	return err;
}

static void detach(struct attachment *attachment)
{
	probe_links__free(attachment->allocator);
	probe_links__free(attachment->linker);
	probe_links__free(attachment->mappers);
}

bool attachments__has(const struct attachments *attachments, uint32_t file)
{
	return find(attachments, file);
}

bool attachments__has_allocator(const struct attachments *attachments, uint32_t file)
{
	const struct attachment *attachment = find(attachments, file);

	return attachment && attachment->allocator;
}

bool attachments__has_mappers(const struct attachments *attachments, uint32_t file)
{
	const struct attachment *attachment = find(attachments, file);

	return attachment && attachment->mappers;
}

int attachments__move(struct attachments *attachments, uint32_t file, struct attachments *to)
{
	struct attachment *from = find(attachments, file), *moved;

	if (!from)
		return 0;
	moved = attachment_of(to, file);
	if (!moved)
		return -ENOMEM;
	*moved = *from;
	*from = attachments->items[--attachments->count];
	return 0;
}

/* Every n-th of them, from `first` on. */
struct share {
	struct attachment *items;
	size_t count, first, n;
};

static void *detach_share(void *context)
{
	const struct share *share = context;

	for (size_t i = share->first; i < share->count; i += share->n)
		detach(&share->items[i]);
	return NULL;
}

/* The kernel waits a tenth of a second for each, but for many at a time as well as for one. */
void attachments__clear(struct attachments *attachments)
{
	struct share shares[MOST_THREADS];
	pthread_t threads[MOST_THREADS];
	size_t n = attachments->count < MOST_THREADS ? attachments->count : MOST_THREADS;
	bool started[MOST_THREADS];

	for (size_t i = 0; i < n; i++) {
		shares[i] = (struct share){ attachments->items, attachments->count, i, n };
		started[i] = !pthread_create(&threads[i], NULL, detach_share, &shares[i]);
		if (!started[i])
			detach_share(&shares[i]);
	}
	for (size_t i = 0; i < n; i++)
		if (started[i])
			pthread_join(threads[i], NULL);
	free(attachments->items);
	attachments->items = NULL;
	attachments->count = 0;
}
