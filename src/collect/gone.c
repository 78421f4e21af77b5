// SPDX-License-Identifier: GPL-2.0-or-later
#include "collect/gone.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/log.h"

#define BREAKPOINT 0xcc		/* arch/x86/include/asm/uprobes.h, UPROBE_SWBP_INSN */
#define CALL 0xe8		/* since 6.18, in the place of a nop of five bytes ... */
#define LONG_NOP 0x0f		/* ... which begins so */

struct look {
	int memory;		/* of the process */
	const struct module *module;
	const struct listed_mapping *mapping;
	size_t count;
	const struct module *in;	/* the first that is gone, by file and function */
	const char *symbol;
};

/* What cannot be read belongs to a process that ends. */
static bool is_gone(const struct look *look, uint64_t offset)
{
	uint64_t address = look->mapping->start + (offset - look->mapping->offset);
	uint8_t now, before;

	if (pread(look->memory, &now, 1, address) != 1 || now == BREAKPOINT)
		return false;
	return now != CALL || pread(look->module->fd, &before, 1, offset) != 1 ||
	       before != LONG_NOP;
}

static void look_at(struct look *look, const char *symbol, uint64_t offset)
{
	const struct listed_mapping *mapping = look->mapping;

	if (offset < mapping->offset || offset - mapping->offset >= mapping->end - mapping->start ||
	    !is_gone(look, offset))
		return;
	if (!look->count++) {
		look->in = look->module;
		look->symbol = symbol;
	}
}

static void look_at_mapping(struct look *look, const struct attachments *attachments)
{
	const struct module *module = look->module;

	if (attachments__has_allocator(attachments, module->file))
		for (size_t i = 0; i < module->probes.count; i++)
			look_at(look, module->probes.items[i].symbol,
				module->probes.items[i].offset);
	if (attachments__has_mappers(attachments, module->file))
		for (size_t i = 0; i < module->mappers.count; i++)
			look_at(look, module->mappers.items[i].symbol,
				module->mappers.items[i].offset);
}

void gone__look(struct gone *gone, pid_t pid, const struct listed_mappings *list,
		const struct modules *modules, const struct attachments *attachments,
		const struct tables *tables)
{
	struct look look = {};
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d/mem", target__thread(pid));
	look.memory = open(path, O_RDONLY | O_CLOEXEC);
	if (look.memory < 0)
		return;
	for (size_t i = 0; i < list->count; i++) {
		int file = list->items[i].vdso ? -1 : tables__find_file(tables, &list->items[i].id);

		look.module = file < 0 ? NULL : modules__get(modules, file);
		look.mapping = &list->items[i];
		if (look.module)
			look_at_mapping(&look, attachments);
	}
	close(look.memory);
	if (look.count > gone->count)
		log__warn("process %d: the probe at %s of %s is gone%s: somebody wrote the code "
			  "back, and what is allocated through it is not seen", pid, look.symbol,
			  look.in->path, look.count > 1 ? ", and others are" : "");
	for (; gone->count < look.count; gone->count++)
		tables__count_lost(tables, LOST_PROBES);
	gone->count = look.count;
}
