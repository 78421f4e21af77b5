/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel half's tables as user space sees them: loaded, sized, mapped into our memory where
 * that is possible, and grown when the kernel half asks.
 */
#ifndef MT_TABLES_H
#define MT_TABLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/types.h"

struct memtracebpf_bpf;

struct tables_opts {
	uint32_t max_blocks;	/* live blocks followed at one time */
	uint32_t max_stacks;	/* distinct stacks of all processes */
	uint32_t nframe;	/* traceback limit */
	bool keep_time;		/* note when a block was allocated, for tables__old_blocks() */
	bool keep_sum;		/* keep the sum of all processes in processes[0] */
};

struct tables {
	struct memtracebpf_bpf *skeleton;
	bool sessions;		/* the kernel has uprobe sessions, and the programs use them */
	uint32_t max_blocks, max_stacks;
	/* Shared with the kernel half. */
	struct process *processes;
	struct space *spaces;
	struct mapping *mappings;
	struct unwind_rule *rules;
	uint64_t *rule_cache;
	struct site *sites[MAX_SITE_PIECES];
	uint64_t *frames[MAX_FRAME_PIECES];
	uint32_t nsite_pieces, nframe_pieces;
	int block_levels[MAX_BLOCK_LEVELS];	/* map fds */
	uint32_t nblock_levels;
};

/* Loads the kernel half. On failure one sentence on stderr and -errno. */
int tables__open(const struct tables_opts *opts, struct tables *tables);
void tables__close(struct tables *tables);

/* Adds the pieces that are wanted now or soon. Cheap when none are. */
int tables__grow(struct tables *tables);

/* Site and frame words by index; NULL where user space has no such piece. */
const struct site *tables__site(const struct tables *tables, uint32_t site);
const uint64_t *tables__frames(const struct tables *tables, uint32_t frames);
/* One past the highest site id in use. */
uint32_t tables__nsites(const struct tables *tables);

/* Puts a file's rows where the kernel half finds them, as files[file]; nrows 0 takes them out. */
int tables__set_rows(struct tables *tables, uint32_t file, const struct unwind_row *rows,
		     uint32_t nrows);

/* The pid's books from now on: an index into processes, zeroed, or -errno. */
int tables__add_process(struct tables *tables, uint32_t pid);
/* Takes the blocks of books that nobody reads any more out of the tables. */
int tables__forget_blocks(struct tables *tables, uint32_t process);

/* Live blocks older than `age_ns`, added up by site into size[] and count[] (nsites long). */
int tables__old_blocks(const struct tables *tables, uint64_t age_ns, uint64_t *size,
		       uint64_t *count, uint32_t nsites);

/* Times a program did not run because it was running already on its CPU; from the kernel. */
uint64_t tables__programs_skipped(const struct tables *tables);

#endif
