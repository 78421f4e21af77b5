/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The files whose code is run: each known once, by what the kernel half calls it, whoever maps it.
 * They are held open, so that their names are to be had when all else of them is gone.
 */
#ifndef MT_COLLECT_MODULES_H
#define MT_COLLECT_MODULES_H

#include <sys/types.h>

#include "collect/tables.h"
#include "elf/notes.h"
#include "probe/mappers.h"
#include "probe/probe.h"
#include "process/root.h"
#include "process/target.h"
#include "symbol/symbol.h"

struct module {
	uint32_t file;		/* index of the kernel half's files */
	struct file_id id;	/* what it calls it by */
	char *path;		/* as the process that it was first seen in sees it */
	struct root *root;	/* of a process that mapped it; NULL: not known */
	int fd;			/* -1: could not be opened */
	char build_id[BUILD_ID_HEX]; /* "": none */
	uint32_t name;		/* index of names' modules; 0: not asked for yet */
	struct elf_code code;	/* empty: nothing is known of the file */
	bool unread;		/* its rows are yet to be read */
	int nice;		/* of the process that it was first seen in, 0 to 19 */
	bool over;		/* it is over a limit, and somebody said so */
	uint32_t holders;	/* it must not be dropped while there are any */
	struct probes probes;
	struct mappers mappers;
};

struct modules;

/* All of these stay the caller's and outlive the modules; `custom` is a list. */
struct modules *modules__new(struct tables *tables, struct names *names, struct roots *roots,
			     struct symbolizer *symbolizer, struct custom_allocator *custom);
void modules__free(struct modules *modules);

/*
 * One thread meets files, another reads their rows, a third reports and forgets them: who adds or
 * drops modules, or attaches to them, holds this lock. To find one takes none, where it cannot be
 * dropped.
 */
void modules__lock(struct modules *modules);
void modules__unlock(struct modules *modules);

/*
 * The module of an executable mapping, looked at when it is new (allocator, names); `target` is its
 * process, looked at here if that is needed. If the process is gone, the file may still be under
 * `path` (NULL: not known). What cannot be had is left out after a warning: fd -1, no
 * probes. NULL: no memory, no room, or the process is gone and nobody has seen the file before.
 */
struct module *modules__use(struct modules *modules, const struct listed_mapping *mapping,
			    struct target *target, const char *path);
/* Waits until the kernel half has the rows of all modules; without the lock. 0 or -errno. */
int modules__publish(struct modules *modules);
/* In between no rows are read, and modules can be dropped; without the lock. */
void modules__pause(struct modules *modules);
void modules__resume(struct modules *modules);
/* For who reads the rows: how many are to be read; the smallest of them, which then no longer is. */
uint32_t modules__unread(const struct modules *modules);
struct module *modules__take_unread(struct modules *modules);
/* Warns, once a file, that a limit left out some of it: names, or tracebacks. NULL: it did not. */
void module__note_over(struct module *module, const struct tables *tables, const char *over);
/* Index of names' modules; 0: no memory. */
uint32_t modules__name(struct modules *modules, struct module *module);
/* Marks the names of all modules as in use, after all else was: see names__begin_forgetting(). */
void modules__use_names(struct modules *modules);
/* The module with this index, or NULL. */
struct module *modules__get(const struct modules *modules, uint32_t file);
/* The one after it, in no order; the first for NULL; NULL after the last. */
struct module *modules__next(const struct modules *modules, const struct module *module);

/* How many files were ever met. */
uint32_t modules__met(const struct modules *modules);
/* Forgets the module, for good or until it is met again; nothing may be attached to it, nobody may
 * hold it. Its rows are the caller's to take away. Its index rests until modules__reuse(). */
void modules__drop(struct modules *modules, struct module *module);
/* What was dropped before the last call of this function, and is not `used` (by index), makes room
 * for others. */
void modules__reuse(struct modules *modules, const bool *used);

#endif
