/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A traced process: what it maps, now and before, and the probes that are attached for it. */
#ifndef MT_PROCESSES_H
#define MT_PROCESSES_H

#include <stdbool.h>
#include <sys/types.h>

#include "collect/modules.h"
#include "collect/tables.h"
#include "probe/attach.h"

struct code_mapping {
	uint64_t start, end;	/* addresses in the process */
	uint64_t offset;	/* in the module */
	struct module *module;	/* NULL: anonymous (code made at run time) */
};

/* The executable mappings while no address changed its meaning. */
struct epoch {
	struct code_mapping *mappings;	/* in address order */
	size_t count;
};

struct attachment {
	const struct module *module;
	struct probe_links *allocator, *linker;
};

struct traced {
	pid_t pid;
	uint32_t index;		/* of its books, in the kernel's processes */
	char comm[16];
	int pidfd;		/* -1 once it has ended */
	struct epoch *epochs;	/* the last one is now */
	size_t nepochs;
	uint32_t space;		/* its current one, and ... */
	uint32_t first, count;	/* ... that one's mappings in the kernel's table */
	struct attachment *attachments;
	size_t nattachments;
};

struct spaces;

/* Hands out the room in the kernel's spaces and mappings. */
struct spaces *spaces__new(struct tables *tables);
void spaces__free(struct spaces *spaces);

/*
 * Reads what the process maps, makes new modules known, publishes the mappings to the kernel half
 * and attaches to allocators that came. -ESRCH: it has ended. `all` is every traced process.
 */
int traced__sync(struct traced *traced, struct traced *const *all, size_t nall,
		 struct spaces *spaces, struct modules *modules, struct tables *tables);
/* The process runs a new program: its books are `index` from now on, nothing else is known. */
void traced__exec(struct traced *traced, uint32_t index, struct modules *modules);
/* Detaches and releases everything but the struct. */
void traced__close(struct traced *traced, struct modules *modules);

/* The mapping that held `address` during an epoch, or NULL. */
const struct code_mapping *traced__find(const struct traced *traced, uint32_t epoch,
					uint64_t address);
/* It maps an allocator whose calls are followed. */
bool traced__followed(const struct traced *traced);
/* A module that carries an allocator which is not followed, or NULL. */
const struct module *traced__not_followed(const struct traced *traced);

#endif
