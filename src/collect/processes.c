// SPDX-License-Identifier: GPL-2.0-or-later
#include "collect/processes.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "memtracebpf.skel.h"

#define R_STATE_OFFSET 24	/* offsetof(struct r_debug, r_state), elf/link.h */

struct spaces {
	struct tables *tables;
	uint32_t next_space;	/* numbers and room are reused late, for walks that are under way */
	uint32_t next_mapping;
	uint32_t version;
};

struct spaces *spaces__new(struct tables *tables)
{
	struct spaces *spaces = calloc(1, sizeof(*spaces));

	if (!spaces)
		return NULL;
	spaces->tables = tables;
	spaces->next_space = 1;
	return spaces;
}

void spaces__free(struct spaces *spaces)
{
	free(spaces);
}

static bool overlaps(uint32_t first, uint32_t count, const struct traced *traced)
{
	return first < traced->first + traced->count && traced->first < first + count;
}

/* First index of `count` mappings that nobody uses; -ENOSPC. */
static int take_mappings(struct spaces *spaces, uint32_t count, struct traced *const *all,
			 size_t nall)
{
	uint32_t first = spaces->next_mapping;

	for (size_t tries = 0; tries < nall + 2; tries++) {
		size_t i;

		if (first + count > MAX_MAPPINGS)
			first = 0;
		for (i = 0; i < nall; i++)
			if (overlaps(first, count, all[i]))
				break;
		if (i == nall) {
			spaces->next_mapping = first + count;
			return first;
		}
		first = all[i]->first + all[i]->count;
	}
	return -ENOSPC;
}

/* A space number that no process has. When they start again, what the kernel half remembers of
 * addresses in the old ones has to go. */
static uint32_t take_space(struct spaces *spaces, struct traced *const *all, size_t nall)
{
	for (;;) {
		uint32_t space = spaces->next_space++;
		size_t i;

		if (space >= MAX_SPACES) {
			memset(spaces->tables->rule_cache, 0, RULE_CACHE_SIZE * sizeof(uint64_t));
			spaces->next_space = 1;
			continue;
		}
		for (i = 0; i < nall; i++)
			if (all[i]->space == space)
				break;
		if (i == nall)
			return space;
	}
}

static struct epoch *current_epoch(const struct traced *traced)
{
	return traced->nepochs ? &traced->epochs[traced->nepochs - 1] : NULL;
}

/* Writes the mappings where the kernel half looks, then makes them the current ones. */
static int publish(struct traced *traced, struct traced *const *all, size_t nall,
		   struct spaces *spaces, struct tables *tables)
{
	const struct epoch *epoch = current_epoch(traced);
	int first = take_mappings(spaces, epoch->count, all, nall);
	uint32_t space;

	if (first < 0)
		return first;
	for (size_t i = 0; i < epoch->count; i++) {
		const struct code_mapping *from = &epoch->mappings[i];
		struct mapping *to = &tables->mappings[first + i];
		uint64_t address;

		*to = (struct mapping){ .start = from->start, .end = from->end };
		if (!from->module || !from->module->file ||
		    !module__address(from->module, from->offset, &address))
			continue;
		to->bias = from->start - address + from->module->base;
		to->file = from->module->file;
		to->nrows = from->module->nrows;
	}
	space = take_space(spaces, all, nall);
	tables->spaces[space] = (struct space){
		.first = first,
		.count = epoch->count,
		.epoch = traced->nepochs - 1,
		.version = ++spaces->version,
	};
	__atomic_store_n(&tables->processes[traced->index].space, space, __ATOMIC_RELEASE);
	traced->space = space;
	traced->first = first;
	traced->count = epoch->count;
	return 0;
}

/* Where the program itself lies: /proc/PID/exe. Its inode will do: few
 * files are mapped, and overlayfs gives stat another device than the mapping has. */
static void set_program_file(const struct traced *traced, struct tables *tables)
{
	const struct epoch *epoch = current_epoch(traced);
	char path[32];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/exe", traced->pid);
	if (stat(path, &st))
		return;
	for (size_t i = 0; i < epoch->count; i++) {
		const struct module *module = epoch->mappings[i].module;

		if (module && module->inode == st.st_ino)
			tables->processes[traced->index].program_file = module->file;
	}
}

static void release_modules(struct epoch *epoch, struct modules *modules)
{
	for (size_t i = 0; i < epoch->count; i++)
		if (epoch->mappings[i].module)
			modules__release(modules, epoch->mappings[i].module);
}

/* Pages of the kernel's own that look like code: they are no place that allocates. */
static bool is_code(const struct target_mapping *mapping)
{
	return mapping->executable && strcmp(mapping->path, "[uprobes]") &&
	       strcmp(mapping->path, "[vsyscall]");
}

static int read_epoch(pid_t pid, struct modules *modules, struct epoch *epoch)
{
	struct target_maps maps;
	int err = target_maps__read(pid, &maps);

	if (err)
		return err;
	epoch->count = 0;
	epoch->mappings = calloc(maps.count ? maps.count : 1, sizeof(*epoch->mappings));
	for (size_t i = 0; epoch->mappings && i < maps.count; i++) {
		const struct target_mapping *from = &maps.items[i];
		struct code_mapping *to = &epoch->mappings[epoch->count];

		if (!is_code(from))
			continue;
		*to = (struct code_mapping){ from->start, from->end, from->offset, NULL };
		if (from->inode || !strcmp(from->path, "[vdso]"))
			to->module = modules__use(modules, pid, from);
		epoch->count++;
	}
	target_maps__free(&maps);
	return epoch->mappings ? 0 : -ENOMEM;
}

static bool same_mapping(const struct code_mapping *a, const struct code_mapping *b)
{
	return a->start == b->start && a->end == b->end && a->offset == b->offset &&
	       a->module == b->module;
}

/* Is every mapping of `old` still there? */
static bool all_kept(const struct epoch *old, const struct epoch *new)
{
	size_t j = 0;

	for (size_t i = 0; i < old->count; i++) {
		if (!old->mappings[i].module)	/* code made at run time has no names to mix up */
			continue;
		while (j < new->count && new->mappings[j].start < old->mappings[i].start)
			j++;
		if (j == new->count || !same_mapping(&old->mappings[i], &new->mappings[j]))
			return false;
	}
	return true;
}

static bool equal(const struct epoch *a, const struct epoch *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (!same_mapping(&a->mappings[i], &b->mappings[i]))
			return false;
	return true;
}

static void discard_epoch(struct epoch *epoch, struct modules *modules)
{
	release_modules(epoch, modules);
	free(epoch->mappings);
}

/* Makes `new` the current epoch: in place of the last, or after it when code has gone. */
static int advance(struct traced *traced, struct epoch *new, struct modules *modules)
{
	struct epoch *current = current_epoch(traced);
	bool kept = current && all_kept(current, new);
	struct epoch *epochs = traced->epochs;

	if (!kept) {
		epochs = reallocarray(epochs, traced->nepochs + 1, sizeof(*epochs));
		if (!epochs) {
			discard_epoch(new, modules);
			return -ENOMEM;
		}
		traced->epochs = epochs;
		current = current_epoch(traced);
	}
	if (current)
		release_modules(current, modules);
	if (kept) {
		free(current->mappings);
		*current = *new;
	} else {
		epochs[traced->nepochs++] = *new;
	}
	return 0;
}

static struct attachment *attachment_of(struct traced *traced, const struct module *module)
{
	struct attachment *items;

	for (size_t i = 0; i < traced->nattachments; i++)
		if (traced->attachments[i].module == module)
			return &traced->attachments[i];
	items = reallocarray(traced->attachments, traced->nattachments + 1, sizeof(*items));
	if (!items)
		return NULL;
	traced->attachments = items;
	items[traced->nattachments] = (struct attachment){ .module = module };
	return &items[traced->nattachments++];
}

static void report_probes(const struct module *module, const struct probe_links *links)
{
	log__verbose("%s: %zu functions probed by %s", module->path, module->probes.count,
		     probe_links__kind(links));
	for (size_t i = 0; i < module->probes.count; i++) {
		const struct probe *probe = &module->probes.items[i];

		log__verbose("probe %s of %s at +%llu: %s%s", probe->symbol, module->path,
			     (unsigned long long)(probe->offset - probe->function),
			     probe->instruction,
			     probe->emulated ? "" :
					       " (not emulated by the kernel: every call is "
					       "single-stepped, which is dear)");
	}
}

static int attach_allocator(struct traced *traced, struct attachment *attachment,
			    struct tables *tables)
{
	const struct module *module = attachment->module;
	struct memtracebpf_bpf *skel = tables->skeleton;
	struct probe_programs programs = { -1, -1, -1, -1 };
	char path[32];
	int err;

	if (tables->sessions) {
		programs.session_fd = bpf_program__fd(skel->progs.allocation_session);
		programs.multi_fd = bpf_program__fd(skel->progs.free_entry);
	} else {
		programs.entry_fd = bpf_program__fd(skel->progs.allocation_entry);
		programs.return_fd = bpf_program__fd(skel->progs.allocation_return);
	}
	snprintf(path, sizeof(path), "/proc/self/fd/%d", module->fd);
	err = probe__attach(&programs, path, module->path, traced->pid, &module->probes,
			    &attachment->allocator);
	if (!err)
		report_probes(module, attachment->allocator);
	return err;
}

/* Tells the kernel half where this process' dynamic linker says what it is about to do. */
static void set_link_state(const struct traced *traced, const struct code_mapping *mapping,
			   struct tables *tables)
{
	const struct module *module = mapping->module;
	uint64_t address;

	if (module->probes.linker.r_debug && module__address(module, mapping->offset, &address))
		tables->processes[traced->index].link_state =
			mapping->start - address + module->probes.linker.r_debug + R_STATE_OFFSET;
}

static void set_allocator(const struct traced *traced, const struct code_mapping *mapping,
			struct tables *tables)
{
	const struct probes *probes = &mapping->module->probes;
	struct process *process = &tables->processes[traced->index];

	process->chunk_heads = !strcmp(probes->allocator, "glibc");
	if (!probes->cleanup_size || probes->cleanup < mapping->offset ||
	    probes->cleanup - mapping->offset >= mapping->end - mapping->start)
		return;
	process->cleanup_start = mapping->start + (probes->cleanup - mapping->offset);
	process->cleanup_end = process->cleanup_start + probes->cleanup_size;
}

/* The hook wants what a free wants: to be seen at its entry. */
static int attach_linker(struct traced *traced, struct attachment *attachment,
			 struct tables *tables)
{
	const struct module *module = attachment->module;
	int fd = bpf_program__fd(tables->skeleton->progs.libraries_changed);
	struct probe_programs programs = { -1, tables->sessions ? fd : -1,
					   tables->sessions ? -1 : fd, -1 };
	struct probe probe = { .entry = ENTRY_FREE, .symbol = "_dl_debug_state",
			       .function = module->probes.linker.function,
			       .offset = module->probes.linker.function };
	struct probes probes = { .items = &probe, .count = 1 };
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", module->fd);
	return probe__attach(&programs, path, module->path, traced->pid, &probes,
			     &attachment->linker);
}

static int attach_new(struct traced *traced, struct tables *tables)
{
	const struct epoch *epoch = current_epoch(traced);
	int err = 0;

	for (size_t i = 0; i < epoch->count && !err; i++) {
		const struct module *module = epoch->mappings[i].module;
		bool allocator = module && module->probes.count && module->probes.followed;
		bool linker = module && module->probes.linker.function;
		struct attachment *attachment;

		if (!allocator && !linker)
			continue;
		attachment = attachment_of(traced, module);
		if (!attachment)
			return -ENOMEM;
		if (allocator)
			set_allocator(traced, &epoch->mappings[i], tables);
		if (linker)
			set_link_state(traced, &epoch->mappings[i], tables);
		if (linker && !attachment->linker)
			err = attach_linker(traced, attachment, tables);
		if (!err && allocator && !attachment->allocator)
			err = attach_allocator(traced, attachment, tables);
	}
	return err;
}

int traced__sync(struct traced *traced, struct traced *const *all, size_t nall,
		 struct spaces *spaces, struct modules *modules, struct tables *tables)
{
	struct process *process = &tables->processes[traced->index];
	uint32_t changes = __atomic_load_n(&process->changes, __ATOMIC_ACQUIRE);
	struct epoch new = {};
	int err = read_epoch(traced->pid, modules, &new);

	if (err)
		return err;
	if (traced->nepochs && equal(current_epoch(traced), &new)) {
		discard_epoch(&new, modules);
	} else {
		err = advance(traced, &new, modules);
		if (!err)
			err = tables__commit_rows(tables);
		if (!err)
			err = publish(traced, all, nall, spaces, tables);
		if (!err)
			set_program_file(traced, tables);
	}
	__atomic_store_n(&process->changes_read, changes, __ATOMIC_RELEASE);
	return err ? err : attach_new(traced, tables);
}

static void detach_all(struct traced *traced)
{
	for (size_t i = 0; i < traced->nattachments; i++) {
		probe_links__free(traced->attachments[i].allocator);
		probe_links__free(traced->attachments[i].linker);
	}
	free(traced->attachments);
	traced->attachments = NULL;
	traced->nattachments = 0;
}

static void forget_epochs(struct traced *traced, struct modules *modules)
{
	if (traced->nepochs)
		release_modules(current_epoch(traced), modules);
	for (size_t i = 0; i < traced->nepochs; i++)
		free(traced->epochs[i].mappings);
	free(traced->epochs);
	traced->epochs = NULL;
	traced->nepochs = 0;
	traced->space = traced->first = traced->count = 0;
}

void traced__exec(struct traced *traced, uint32_t index, struct modules *modules)
{
	/* The links stay: they find the new image too where it maps the same files. */
	forget_epochs(traced, modules);
	traced->index = index;
	target__comm(traced->pid, traced->comm);
}

void traced__close(struct traced *traced, struct modules *modules)
{
	detach_all(traced);
	forget_epochs(traced, modules);
	if (traced->pidfd >= 0)
		close(traced->pidfd);
	traced->pidfd = -1;
}

const struct code_mapping *traced__find(const struct traced *traced, uint32_t epoch,
					uint64_t address)
{
	const struct epoch *e = epoch < traced->nepochs ? &traced->epochs[epoch] : NULL;

	for (size_t i = 0; e && i < e->count; i++)
		if (address >= e->mappings[i].start && address < e->mappings[i].end)
			return &e->mappings[i];
	return NULL;
}

bool traced__followed(const struct traced *traced)
{
	const struct epoch *epoch = current_epoch(traced);

	for (size_t i = 0; epoch && i < epoch->count; i++) {
		const struct module *module = epoch->mappings[i].module;

		if (module && module->probes.count && module->probes.followed)
			return true;
	}
	return false;
}

const struct module *traced__not_followed(const struct traced *traced)
{
	const struct epoch *epoch = current_epoch(traced);

	for (size_t i = 0; epoch && i < epoch->count; i++) {
		const struct module *module = epoch->mappings[i].module;

		if (module && module->probes.allocator && !module->probes.followed)
			return module;
	}
	return NULL;
}
