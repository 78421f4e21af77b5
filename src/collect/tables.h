/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel half's tables as user space sees them: loaded, sized, mapped into our memory where
 * that is possible, and grown when the kernel half asks.
 */
#ifndef MT_COLLECT_TABLES_H
#define MT_COLLECT_TABLES_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/types.h"

struct block_table;
struct mapped;
struct memtracebpf_bpf;
struct ring_buffer;

struct tables_opts {
	uint32_t max_blocks;	/* live blocks followed at one time */
	uint32_t max_stacks;	/* distinct stacks of all processes */
	uint32_t nframe;	/* traceback limit */
	bool keep_slack;	/* read what the allocator gave beyond what was asked for */
	bool no_blocks;		/* do not follow blocks */
	bool regions;		/* follow what programs map themselves */
	bool keep_sum;		/* keep the sum of all processes in processes[0] */
	uint64_t sample_bytes;	/* mean way between samples; 0: all is recorded */
	uint32_t select_by;	/* enum select_by */
	bool whole_machine;	/* probes are not for single processes */
	bool follow_fork;	/* children of what is followed are followed */
	bool each_end;		/* an event for each process that ends */
};

#define MAX_ROW_CHANGES 256
#define MAX_ROW_PUTTERS 64

/* Files whose rows the kernel half is yet to get, and threads that give them to it. */
struct row_changes {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct row_batch {
		uint32_t files[MAX_ROW_CHANGES], nrows[MAX_ROW_CHANGES];
		int maps[MAX_ROW_CHANGES];	/* fds */
		uint32_t n;
	} next;
	uint32_t nputters;
	int err;		/* the first one since tables__finish_rows() */
};

#define MOST_PUTS 16
#define MOST_AT_ONCE 256

/* Pieces on their way into a table of the kernel half. */
struct put {
	pthread_t thread;
	bool running;
	bool failed;		/* they are not in it: to be tried again */
	int table;
	uint32_t n;
	uint32_t indices[MOST_AT_ONCE];
	int fds[MOST_AT_ONCE];
};

/* Answers the kernel half's requests. */
struct grower {
	struct tables *tables;
	struct ring_buffer *requests;	/* NULL: there is no such thread */
	pthread_t thread;
	int (*grow)(struct tables *tables);
	bool failed;			/* the last time, and that was said */
	bool hears_mappings;		/* ... and listens to what programs map */
};

struct tables {
	struct memtracebpf_bpf *skeleton;
	bool sessions;		/* the kernel has uprobe sessions, and the programs use them */
	uint32_t max_blocks, max_stacks;
	/* Shared with the kernel half. */
	struct process *processes;
	struct totals *totals;	/* `ntotals` a process: see struct totals */
	uint32_t nshards, ntotals;
	struct code_file *files;
	struct unwind_rule *rules;
	uint64_t *rule_cache;
	struct site *sites[MAX_SITE_PIECES];
	uint64_t *frames[MAX_FRAME_PIECES];
	struct mapping *mappings[MAX_MAPPING_PIECES];
	uint32_t nsite_pieces, nframe_pieces, nmapping_pieces;
	int block_tables[2];	/* map fds; 0: none. See struct block_tables */
	__u64 *site_slots;
	uint32_t nbuckets;	/* of SITE_BUCKET slots */
	/* The threads that make the tables grow, and the locks that they take to do so. */
	struct grower piece_grower, block_grower;
	int stop_growing;		/* eventfd */
	pthread_mutex_t growing_pieces;
	struct put puts[MOST_PUTS];
	uint32_t nputs;
	pthread_mutex_t growing;	/* the table of blocks */
	struct mapped *mapped;	/* the books of mapped memory; NULL: nobody asked for them */
	uint64_t row_bytes;	/* of all files' rows */
	struct row_changes changes;
	uint64_t skipped_before; /* programs skipped before the books were last cleared */
};

/* Loads the kernel half. On failure one sentence on stderr and -errno. */
int tables__open(const struct tables_opts *opts, struct tables *tables);
void tables__close(struct tables *tables);

/* Makes all tables as large as is wanted now or soon. */
int tables__grow(struct tables *tables);
/* From now on, threads do so when the kernel half asks. */
int tables__start_growing(struct tables *tables);
void tables__stop_growing(struct tables *tables);
/* Of the table of blocks alone; the lock is held. */
int tables__grow_blocks(struct tables *tables);

/* Removes all blocks and their tables; the lock is held and nothing is counted. Then or later no
 * program runs any more that had begun before. */
int tables__remove_blocks(struct tables *tables);
/* The table of live blocks in our memory; the lock is held from one to the other. */
int tables__map_blocks(const struct tables *tables, struct block_table *table);
void tables__unmap_blocks(struct block_table *table);
/* Of the blocks' clock: its steps are so many jiffies, as a power of two. */
uint32_t tables__clock_shift(void);

/* Sites, words of stacks and mappings by index; NULL where user space has no such piece. */
struct site *tables__site(const struct tables *tables, uint32_t site);
uint64_t *tables__frames(const struct tables *tables, uint32_t frames);
struct mapping *tables__mapping(const struct tables *tables, uint32_t mapping);
/* One past the highest site id in use. */
uint32_t tables__nsites(const struct tables *tables);

/* The kernel half's index of the file; -ENOENT: it has none. */
int tables__find_file(const struct tables *tables, const struct file_id *id);
/* The same, given now if it has none. -ENOSPC: they are all taken. */
int tables__file_index(struct tables *tables, const struct file_id *id);
/* For what user space itself has to leave out. */
void tables__count_lost(const struct tables *tables, enum lost_reason reason);
uint64_t tables__lost(const struct tables *tables, enum lost_reason reason);
/* The kernel half asks again when it meets the file. */
void tables__forget_file(struct tables *tables, const struct file_id *id);
/* Takes out what it knows of forgotten ones. */
void tables__drop_files(struct tables *tables, const uint32_t *files, uint32_t n);
/* The index may be another file's: rules that were remembered for it must be gone by then. */
void tables__reuse_file(struct tables *tables, uint32_t file);

/* Puts a file's rows where the kernel half finds them; nrows 0: it has none. Copies; does not wait
 * until they are there. From one thread at a time, as tables__drop_files(). 0 or -errno. */
int tables__set_rows(struct tables *tables, uint32_t file, const struct unwind_row *rows,
		     uint32_t nrows);
/* Waits until the kernel half has all rows that were set. 0, or -errno if it does not. */
int tables__finish_rows(struct tables *tables);
/* What the rows of all files take. */
uint64_t tables__row_bytes(const struct tables *tables);

/* Executable mappings of files, in address order within a process. */
struct listed_mappings {
	struct listed_mapping *items;
	size_t count;
};

/* Those of one process, or with pid 0 of all, ourselves not included. 0 or -errno. */
int tables__list_mappings(const struct tables *tables, pid_t pid, struct listed_mappings *list);
void listed_mappings__free(struct listed_mappings *list);
/* What the kernel itself calls an open file. 0 or -errno: it cannot be mapped. */
int tables__identify(const struct tables *tables, int fd, struct file_id *id);

/* Opens books for the pid, as our namespace has it: an index into processes, or -errno. */
int tables__add_process(struct tables *tables, uint32_t pid, uint32_t flags);
/* Sums over the groups of the process' threads. */
struct totals tables__heap(const struct tables *tables, uint32_t process);
/* Of memory that the program maps itself; NULL: it is not followed. */
struct totals *tables__mapped(const struct tables *tables, uint32_t process);
/* Both together. */
struct totals tables__totals(const struct tables *tables, uint32_t process);
/* Has anything been counted in the process' books since this was last asked? Before they are read. */
bool tables__take_change(struct tables *tables, uint32_t process);
/* The most bytes that were ever outstanding. */
uint64_t tables__peak_size(const struct tables *tables, uint32_t process);
/* Is it at its peak just now, which has not been noted yet? Then so is each of its sites. */
bool tables__is_at_peak(const struct tables *tables, uint32_t process);
/* From now on, its peak is that of what comes. */
void tables__reset_peak(struct tables *tables, uint32_t process);
/* One past the highest index of processes in use. */
uint32_t tables__nprocesses(const struct tables *tables);
/* Notes where a process maps code, as walks do when they meet it: one that cannot ask because its
 * mappings are just being changed then knows. files[i] is the file of list->items[i]; 0: none. */
void tables__note_mappings(struct tables *tables, uint32_t process,
			   const struct listed_mappings *list, const uint32_t *files);
/* Sets used[file] for the files of all mappings that the books refer to. */
void tables__mark_files(const struct tables *tables, bool *used);
/* Takes books that nobody adds to any more out of the tables: totals, places, mappings. The blocks,
 * and with them the index, go at tables__sweep(). */
void tables__clear_process(struct tables *tables, uint32_t process);
/* Makes what was cleared available again. */
int tables__sweep(struct tables *tables);

/* Takes out the blocks of dead processes: an array of bools by index. */
int tables__sweep_blocks(struct tables *tables, const uint8_t *dead);

/* Forgets everything, as if counting had just begun; the processes and their code stay known. */
int tables__clear(struct tables *tables);

/* What ages say of the live blocks of each site. Arrays by site id, `nsites` long, zeroed. */
struct block_ages {
	const bool *processes;	/* by index of books: only blocks of these */
	uint64_t min_age_ns;	/* younger blocks are left out */
	uint32_t nsites;
	uint64_t *oldest_ns;	/* 0: no block */
	/* With a minimum age, else not looked at: */
	uint64_t *size, *count;
	uint64_t *slack;	/* bytes that the allocator gave beyond size */
};

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
