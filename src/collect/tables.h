/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel half's tables as user space sees them: loaded, sized, mapped into our memory where
 * that is possible, and grown when the kernel half asks.
 */
#ifndef MT_TABLES_H
#define MT_TABLES_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/types.h"

struct memtracebpf_bpf;
struct ring_buffer;

struct tables_opts {
	uint32_t max_blocks;	/* live blocks followed at one time */
	uint32_t max_stacks;	/* distinct stacks of all processes */
	uint32_t nframe;	/* traceback limit */
	bool keep_slack;	/* read what the allocator gave beyond what was asked for */
	bool keep_sum;		/* keep the sum of all processes in processes[0] */
};

/* Files whose rows the kernel half is yet to get, and those that it still has. */
struct row_changes {
	uint32_t put[MAX_FILES], gone[MAX_FILES];
	int maps[MAX_FILES];	/* fds, beside `put` */
	uint32_t nput, ngone;
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
	uint64_t *site_heads;
	uint32_t nheads;	/* entries of it */
	/* The thread that makes the tables grow, and the lock that it takes to do so. */
	pthread_mutex_t growing;
	pthread_t grower;
	struct ring_buffer *requests;	/* NULL: there is no such thread */
	int stop_growing;		/* eventfd */
	uint64_t row_bytes;	/* of all files' rows; file_bytes by index of the file */
	uint32_t file_bytes[MAX_FILES];
	struct row_changes changes;
	uint64_t clock_ns, clock_jiffies; /* a moment, in both units */
	uint64_t skipped_before; /* programs skipped before the books were last cleared */
};

/* Loads the kernel half. On failure one sentence on stderr and -errno. */
int tables__open(const struct tables_opts *opts, struct tables *tables);
void tables__close(struct tables *tables);

/* Adds the pieces that are wanted now or soon. Cheap when none are; from any thread. */
int tables__grow(struct tables *tables);
/* From now on, a thread does so when the kernel half asks. */
int tables__start_growing(struct tables *tables);
void tables__stop_growing(struct tables *tables);

/* Site and frame words by index; NULL where user space has no such piece. */
const struct site *tables__site(const struct tables *tables, uint32_t site);
const uint64_t *tables__frames(const struct tables *tables, uint32_t frames);
/* One past the highest site id in use. */
uint32_t tables__nsites(const struct tables *tables);

/* Puts a file's rows where the kernel half finds them, as files[file]; nrows 0 takes them out.
 * Both happen at tables__commit_rows(). */
int tables__set_rows(struct tables *tables, uint32_t file, const struct unwind_row *rows,
		     uint32_t nrows);
int tables__commit_rows(struct tables *tables);

/* The pid's books from now on: an index into processes, zeroed, or -errno. */
int tables__add_process(struct tables *tables, uint32_t pid);
/* Takes books that nobody adds to any more out of the tables, blocks and totals. */
int tables__forget_blocks(struct tables *tables, uint32_t process);
/* The totals alone. */
void tables__drop_process(struct tables *tables, uint32_t process);

/* Forgets everything, as if counting had just begun; the processes and their code stay known. */
int tables__clear(struct tables *tables);

/* What ages say of the live blocks of each site. Arrays by site id, `nsites` long, zeroed. */
struct block_ages {
	uint64_t min_age_ns;	/* younger blocks are left out */
	uint32_t nsites;
	uint64_t *size, *count;
	uint64_t *slack;	/* bytes that the allocator gave beyond size */
	uint64_t *oldest_ns;	/* 0: no block */
};

/* Must have been called some time before ages are asked for. */
int tables__start_clock(struct tables *tables);

/* Looks at every live block: dear where there are millions. */
int tables__read_ages(struct tables *tables, struct block_ages *ages);

struct found_block {
	uint64_t address, size;
	uint64_t age_ns;
	uint32_t site;
};

/* The live block of the process at `address`, or the one that contains it. -ENOENT: none. */
int tables__find_block(struct tables *tables, uint32_t process, uint64_t address,
		       struct found_block *found);

/* Bytes of kernel memory that the tables take. */
uint64_t tables__memory(const struct tables *tables);

/* Times a program did not run because it was running already on its CPU; from the kernel. */
uint64_t tables__programs_skipped(const struct tables *tables);

#endif
