/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A snapshot: what was outstanding at one moment, as plain data. No BPF, no /proc, no pointers to
 * either; it can be made by the collector, read from a file or written by a test.
 *
 * What addresses mean (strings, modules, locations) lives in a `struct names` that outlives the
 * snapshots which refer to it, so that an interval costs only what changed.
 */
#ifndef MT_SNAPSHOT_SNAPSHOT_H
#define MT_SNAPSHOT_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/types.h"

/* ---- names: indices stay valid while they are in use, index 0 is "unknown" in every table ---- */

struct names_frame {
	const char *function;	/* demangled; NULL: not known */
	const char *file;	/* absolute where DWARF says so; NULL: not known */
	uint32_t line;		/* 0: not known */
	bool inlined;		/* inlined into the next frame of the same location */
};

struct names_module {
	const char *path;	/* as the process sees it; "[vdso]", "[anon]" for what is no file */
	const char *build_id;	/* lower-case hex; NULL: none */
	uint64_t copy;		/* see names__module_copy() */
};

/*
 * One return address of one file. `frames` is innermost first: inlined functions, then the
 * function itself; nframes is 0 until the symbolizer has looked (then at least 1, possibly all
 * unknown).
 */
struct names_location {
	uint32_t module;	/* 0: address in no known module */
	uint64_t offset;	/* file offset of pc; the address itself where module is 0 */
	bool exact;		/* pc is the instruction itself, not the address after a call */
	struct names_frame *frames;
	uint32_t nframes;
};

struct names;
struct traces;
struct snapshot;

struct names *names__new(void);			/* NULL: no memory */
void names__free(struct names *names);		/* takes NULL */

/* The one copy of s, owned by names: equal strings give equal pointers. NULL for NULL. */
const char *names__string(struct names *names, const char *s);

/* Index of the module with this path and build id (either may be NULL), added if new. */
int names__module(struct names *names, const char *path, const char *build_id, uint32_t *index);
/* The same for one of several files that nothing but their content tells apart, though they have one
 * build id, or none and one path: 0 (which is what names__module() gives), 1, ... */
int names__module_copy(struct names *names, const char *path, const char *build_id, uint64_t copy,
		       uint32_t *index);
const struct names_module *names__get_module(const struct names *names, uint32_t index);
uint32_t names__nmodules(const struct names *names);	/* one past the highest index */

/* Index of the location, added (with nframes 0) if new. */
int names__location(struct names *names, uint32_t module, uint64_t offset, bool exact,
		    uint32_t *index);
/* A new location in any case: files may give one address several meanings. */
int names__add_location(struct names *names, uint32_t module, uint64_t offset, bool exact,
			uint32_t *index);
struct names_location *names__get_location(const struct names *names, uint32_t index);
uint32_t names__nlocations(const struct names *names);	/* one past the highest index */
/* The location that stands in a stack where frames may be missing. It has a frame that says so. */
int names__gap(struct names *names, uint32_t *index);
/* Copies frames (their strings are interned). Replaces what was there. */
int names__set_frames(struct names *names, uint32_t location, const struct names_frame *frames,
		      uint32_t nframes);

/* Index of the stack (locations, most recent call first), added if new. */
int names__stack(struct names *names, const uint32_t *locations, uint32_t nlocations, uint8_t stop,
		 uint32_t *index);
struct names_stack {
	const uint32_t *locations;
	uint32_t nlocations;
	uint8_t stop;		/* enum stop_reason */
};
struct names_stack names__get_stack(const struct names *names, uint32_t index);
uint32_t names__nstacks(const struct names *names);	/* one past the highest index */

/*
 * Names that nobody uses any more are forgotten, when they are more than half: begin, which marks
 * what snapshots use; mark what else is in use; end. Strings that are not marked are freed, and indices
 * may mean something else from then on: what was remembered by them in an earlier round is void.
 */
bool names__are_many(const struct names *names);
void names__begin_forgetting(struct names *names);
void names__use_string(struct names *names, const char *s);	/* takes NULL */
void names__use_module(struct names *names, uint32_t index);
void names__use_stack(struct names *names, uint32_t index);
void names__use_traces(struct names *names, const struct traces *traces);	/* takes NULL */
bool names__uses_string(const struct names *names, const char *s);
bool names__uses_module(const struct names *names, uint32_t index);
void names__end_forgetting(struct names *names);
uint32_t names__round(const struct names *names);

/* ---- the snapshot ---- */

/* Blocks of no bytes are of class 0, blocks of 2^(n-1) to 2^n - 1 bytes of class n. */
#define SIZE_CLASSES 65
#define SIZE_CLASS_UNKNOWN UINT8_MAX

/* tracemalloc's trace, folded: all blocks of one process, stack and size class. Sizes in bytes. */
struct trace {
	uint32_t stack;		/* index of names' stacks; 0: no stack was recorded */
	const char *domain;	/* interned: which allocator; NULL: the C library's ("malloc") */
	uint64_t size, count;	/* outstanding */
	uint64_t alloc_size, alloc_count; /* ever allocated since counting began */
	uint64_t peak_size, peak_count;	/* outstanding when its process was at its peak */
	uint64_t temporary;	/* allocations freed before their thread's next one */
	uint64_t usable_size;	/* outstanding, as the allocator gave it; 0: not asked for */
	uint64_t oldest_ns;	/* age of the oldest outstanding block; 0: not asked for */
	/* Of size and count, where they are estimates from a sample; else 0. */
	double size_variance, count_variance;
	uint8_t size_class;	/* n: all blocks have 2^(n-1) to 2^n - 1 bytes; 0: no bytes */
};

/* All of one process. Snapshots between which nothing happened in it share them. */
struct traces {
	struct trace *items;
	size_t count;
	uint32_t users;
};

struct snapshot_process {
	uint64_t id;		/* unique in a run, unlike pids; 0: from a file */
	uint32_t pid;
	const char *comm;	/* interned in names */
	const char *cgroup;	/* the same; as in /proc/PID/cgroup; NULL: not known */
	struct view *view;	/* it sees files so; NULL: not known. Given back with the snapshot */
	bool elsewhere;		/* its root directory is not that of who took the snapshot */
	uint64_t since_ns;	/* for how long it has been watched */
	uint64_t size, count, peak_size;
	struct traces *traces;	/* NULL: none. Given back with the snapshot */
	uint64_t aged_ns;	/* by so much older than they say are the traces' oldest blocks now */
};

/* Processes that were followed and have ended. */
struct snapshot_ended {
	uint64_t processes;
	uint64_t alloc_size, alloc_count; /* what they ever allocated */
	uint64_t size, count;	/* what they still held */
};

/* A process that grew by more than its tracked allocations explain. Bytes. */
struct snapshot_gap {
	uint32_t pid;
	const char *comm;	/* interned */
	uint64_t grown;		/* anonymous memory, resident and swapped, since counting began */
	uint64_t tracked;	/* allocations at their most */
	uint64_t unseen;	/* grown less what these took in the heap */
	const char *why;	/* interned sentences; NULL: it cannot be told */
};

struct snapshot_coverage {
	bool measured;		/* else nothing is known of it */
	uint64_t grown, tracked, unseen; /* of all processes that are followed */
	struct snapshot_gap *gaps;	/* owned; the largest first. Small ones are none */
	size_t ngaps;
};

/* A process that a signal ended while it was traced. */
struct snapshot_killed {
	uint32_t pid;
	uint32_t signal;
	char comm[16];		/* "": this entry is not used */
};

#define KILLED_NAMED 10		/* more of them are only counted */

struct snapshot {
	struct names *names;	/* not owned; NULL: they have been freed */
	struct snapshot *next;	/* that refers to the same names */
	int64_t time_ns;	/* wall clock, since the epoch */
	uint64_t elapsed_ns;	/* since counting began */
	uint32_t nframe;	/* the traceback limit it was taken with */
	struct snapshot_process *processes;
	size_t nprocesses;
	struct traces *others;	/* of no known process; NULL: none */
	/* Of all processes: the sum of their traces, unless younger blocks are left out there.
	 * peak_size is 0 where the snapshot comes from a file that does not say. */
	uint64_t size, count, peak_size;
	uint64_t lost[LOST_MAX];
	uint64_t frames_cut[STOP_MAX];	/* stacks (allocations) that ended early, by reason */
	uint64_t programs_skipped;
	uint64_t frees_inherited; /* after fork, of blocks that were the parent's: no loss */
	struct snapshot_ended ended;
	struct snapshot_coverage coverage;
	uint64_t min_age_ns;	/* traces hold only blocks older than this; sums hold all */
	struct snapshot_killed killed[KILLED_NAMED];
	uint64_t nkilled;	/* since the last report; may be more than KILLED_NAMED */
	uint64_t sample_bytes;	/* mean interval between samples; 0: every allocation is recorded */
	bool many;		/* the processes were not named one by one */
	bool exited;		/* of one process that has ended: what it still held */
	/* What tracing took itself, in bytes: resident, now and at most, and in the kernel's tables.
	 * 0: not known. */
	uint64_t own_rss, own_peak, own_kernel;
	/* From a file that does not tell peak_* and temporary, or variances, of traces. */
	bool without_details, without_variances;
	const char *file;	/* it was read from; NULL: it was not */
	const char *how;	/* it was taken, for people; NULL: not known */
	const char *note;	/* a sentence for the report ("another allocator ..."), or NULL */
};

struct snapshot *snapshot__new(struct names *names);	/* NULL: no memory */
/* Of the two before and after its life. */
void names__add_snapshot(struct names *names, struct snapshot *snapshot);
void names__remove_snapshot(struct names *names, struct snapshot *snapshot);
void snapshot__free(struct snapshot *snapshot);		/* takes NULL; leaves names */
bool snapshot__peak_known(const struct snapshot *snapshot);
/* Ever made, also by processes that have ended. */
uint64_t snapshot__allocations(const struct snapshot *snapshot);
/* What is in its sums, but too young for its traces. */
void snapshot__younger(const struct snapshot *snapshot, uint64_t *size, uint64_t *count);
/* Its values are estimates, with known standard errors. */
bool snapshot__has_errors(const struct snapshot *snapshot);
int snapshot__add_process(struct snapshot *snapshot, const struct snapshot_process *process);
/* Of the process with this index; where there is none, of no known process. */
int snapshot__add_trace(struct snapshot *snapshot, size_t process, const struct trace *trace);
const struct traces *snapshot__traces(const struct snapshot *snapshot, size_t process);

/* Now; 0: not known. */
static inline uint64_t trace__oldest_ns(const struct trace *trace,
					const struct snapshot_process *process)
{
	return trace->oldest_ns && process ? trace->oldest_ns + process->aged_ns : trace->oldest_ns;
}

struct traces *traces__new(void);	/* with one user; NULL: no memory */
int traces__add(struct traces *traces, const struct trace *trace);
struct traces *traces__use(struct traces *traces);	/* by one more */
void traces__release(struct traces *traces);		/* by one of them; takes NULL */

/* ---- reasons, in words and as keys ---- */

/* "no unwind information"; NULL where a stack's end is no loss. */
const char *stop_reason__words(enum stop_reason stop);
const char *stop_reason__key(enum stop_reason stop);	/* "no_rows" */
/* "3 blocks lost", why, and what it does to a report: "blocks", "the kernel had no memory for them",
 * "sums are too small". */
const char *lost_reason__noun(enum lost_reason reason, uint64_t count);
const char *lost_reason__cause(enum lost_reason reason);
const char *lost_reason__effect(enum lost_reason reason);
const char *lost_reason__key(enum lost_reason reason);	/* "blocks_full" */
/* Stacks that ended early, for any reason that is a loss. */
uint64_t snapshot__frames_cut(const struct snapshot *snapshot);

#endif
