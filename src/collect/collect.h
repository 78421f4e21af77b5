/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel half from the outside: which processes to follow, when to count, what the books say.
 * Nothing here knows about names of functions or about reports.
 */
#ifndef MT_COLLECT_COLLECT_H
#define MT_COLLECT_COLLECT_H

#include <stdbool.h>
#include <sys/types.h>

#include "snapshot/snapshot.h"
#include "symbol/symbol.h"

struct custom_allocator;

struct collect_opts {
	uint32_t max_blocks, max_stacks;
	uint32_t nframe;	/* traceback limit */
	uint64_t min_age_ns;	/* younger blocks are left out of snapshots; 0: none */
	bool usable;		/* snapshots tell how much the allocator really gave */
	uint64_t sample_bytes;	/* mean interval between samples; 0: every allocation */
	bool no_blocks;		/* do not follow what allocators give */
	bool regions;		/* follow what programs map themselves */
	size_t nprocesses;	/* how many will be added */
	/* Not only processes that are added: all that are one of each list which is not empty. */
	bool everything;
	const char *const *comms, *const *cgroups;
	const uid_t *users;
	size_t ncomms, ncgroups, nusers;
	bool first_thread_ended; /* of one of them, while others run */
	bool follow_fork;	/* and the children of all these */
	struct custom_allocator *custom; /* what the user describes; stays the caller's */
	bool leaks_at_exit;	/* collector__take_exited() is asked for */
};

struct collector;
struct roots;

/* Loads the kernel half. `names`, `roots` and `symbolizer` stay the caller's and outlive the
 * collector. On failure one sentence on stderr and -errno. */
int collector__new(const struct collect_opts *opts, struct names *names, struct roots *roots,
		   struct symbolizer *symbolizer, struct collector **collector);
/* Stops counting, detaches from every target, forgets the books. Takes NULL. */
void collector__free(struct collector *collector);

/* Attaches to all processes that are there, and to those that come, unless the options name each of
 * them. On failure one sentence. */
int collector__add_machine(struct collector *collector);
/* Attaches to a live process that target__check() accepted. On failure one sentence, -errno. */
int collector__add_process(struct collector *collector, pid_t pid);
/* Follows a child of ours that has not called exec yet: it is stopped there, and whenever it loads
 * libraries, until we have attached to them. */
int collector__add_child(struct collector *collector, pid_t pid);

/* The one switch: from now on allocations are recorded. */
void collector__start(struct collector *collector);

/* Readable when the collector has something to do; then call collector__handle_events(). */
int collector__fd(const struct collector *collector);
int collector__handle_events(struct collector *collector);
/* All processes have ended, and none can come. */
bool collector__ended(const struct collector *collector);

/* A process that has been seen to allocate, and its name; 0: none has yet. */
pid_t collector__first(const struct collector *collector, char comm[16]);

/* Title for reports, "redis-server (4711)"; valid until the next call. */
const char *collector__title(struct collector *collector);

/* Forgets all books and begins again. */
int collector__clear(struct collector *collector);
/* Snapshots name processes that a signal ended since this was last called. */
void collector__forget_killed(struct collector *collector);
/* From now on, the peak is that of what comes. */
void collector__reset_peak(struct collector *collector);

/* Where a block came from. */
struct collected_block {
	pid_t pid;
	uint64_t address, size, age_ns;
	uint32_t stack;		/* index of names' stacks; 0: none was recorded */
	struct view *view;	/* of its process, until the next call; NULL: not known */
};

/* The live block at or containing `address` of any followed process; -ENOENT: none is known. */
int collector__find_block(struct collector *collector, uint64_t address,
			  struct collected_block *block);

/* What a process that has ended still held, one at a time; 1: *snapshot is the caller's, 0: there is
 * none, or -errno. With leaks_at_exit only. */
int collector__take_exited(struct collector *collector, struct snapshot **snapshot);

/* Bytes of its own that a child of fork was given, until it calls exec; 0: not known. */
uint64_t collector__size_at_fork(const struct collector *collector, pid_t pid);

/* Bytes of kernel memory that the books take. */
uint64_t collector__memory(const struct collector *collector);

/* What the books say now; if asked, with the age of each trace's oldest block, which is dear.
 * Locations are not named yet. 0 or -errno. */
int collector__snapshot(struct collector *collector, bool ages, struct snapshot **snapshot);

#endif
