/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The files whose code traced processes run: each known once, by device and inode, whoever maps
 * it. A module's rows are in the kernel as long as a process maps it; its names stay to be had.
 */
#ifndef MT_MODULES_H
#define MT_MODULES_H

#include <sys/types.h>

#include "collect/tables.h"
#include "probe/probe.h"
#include "symbol/symbol.h"
#include "target/target.h"

struct module_segment {
	uint64_t offset, size;	/* in the file */
	uint64_t address;	/* p_vaddr */
};

struct module {
	uint64_t device, inode;
	char *path;		/* as the process that it was first seen in sees it */
	char root[32];		/* of the file system that it was seen in */
	int fd;			/* -1: could not be opened */
	uint32_t name;		/* index of names' modules */
	struct module_segment *segments; /* PT_LOAD, executable */
	size_t nsegments;
	uint32_t file;		/* index of the kernel's files; 0: no rows there now */
	uint32_t nrows;
	uint64_t base;		/* of its rows */
	uint32_t users;		/* processes that map it now */
	struct probes probes;
};

struct modules;

/* `tables`, `names` and `symbolizer` stay the caller's and outlive the modules. */
struct modules *modules__new(struct tables *tables, struct names *names,
			     struct symbolizer *symbolizer);
void modules__free(struct modules *modules);

/*
 * The module behind an executable mapping, read in when it is new (rows, allocator, names), with
 * one more user. What cannot be had is left out after a warning: fd -1, no rows, no probes. NULL:
 * no memory.
 */
struct module *modules__use(struct modules *modules, pid_t pid,
			    const struct target_mapping *mapping);
void modules__release(struct modules *modules, struct module *module);

/* Address in the file's own numbering of a file offset in its code; false: in no segment. */
bool module__address(const struct module *module, uint64_t offset, uint64_t *address);

#endif
