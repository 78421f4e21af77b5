/* SPDX-License-Identifier: GPL-2.0-or-later OR GPL-2.0 */
/*
 * What the kernel half and the user half share: the keys and values of the maps, fixed in width.
 * Nothing else belongs here. The includer brings __u8..__u64 (vmlinux.h or linux/types.h).
 */
#ifndef MT_MEMTRACEBPF_H
#define MT_MEMTRACEBPF_H

#define MAX_FRAMES 127		/* --nframe's upper limit */
#define MAX_PROCESSES 8192	/* processes with books at one time; index 0 is their sum */
#define MAX_FILES 16384		/* files whose code was met; index 0 is "none" */
#define FILE_VDSO 1		/* the kernel's code in every process, which is no file */
#define RULE_CACHE_BITS 16
#define RULE_CACHE_SIZE (1U << RULE_CACHE_BITS)
#define MAX_RULES 32768		/* distinct unwind rules; an index must fit in 16 bits */

/*
 * One step of the way up the stack, shared by every row that says the same. Offsets are in bytes
 * from the canonical frame address (CFA), the stack pointer before the call (psABI 3.4.1); saved
 * registers lie on 8-byte slots.
 */
enum unwind_cfa {
	CFA_NONE = 0,		/* no unwind information here */
	CFA_SP,			/* CFA = rsp + cfa_offset */
	CFA_BP,			/* CFA = rbp + cfa_offset */
	CFA_BX,			/* CFA = rbx + cfa_offset (glibc's _dl_runtime_resolve_*) */
	CFA_DEREF_SP,		/* CFA = *(rsp + deref_offset) + cfa_offset (OpenSSL's assembly) */
	CFA_DEREF_BP,		/* CFA = *(rbp + deref_offset) + cfa_offset (realigned stacks) */
	CFA_PLT,		/* CFA = rsp + 8 + ((rip & 15) >= deref_offset ? 8 : 0) */
	CFA_SIGNAL,		/* an rt_sigframe: rsp points at its ucontext */
	CFA_BOTTOM,		/* return address undefined: the outermost frame */
	CFA_REGISTER,		/* needs what we do not track or cannot compute: stop, no guess */
	CFA_DAMAGED,		/* the file's information is damaged here: stop, no guess */
	CFA_MAX,
};

enum unwind_saved {
	SAVED_SAME = 0,		/* the register still holds the caller's value */
	SAVED_AT_CFA,		/* *(CFA + 8 * slot) */
	SAVED_AT_BP,		/* *(rbp + 8 * slot), of this frame's rbp (realigned stacks) */
	SAVED_AT_SP,		/* *(rsp + 8 * slot), of this frame's rsp */
	SAVED_UNDEFINED,	/* the caller's value cannot be had: what needs it stops */
};

struct unwind_rule {
	__u8 cfa;		/* enum unwind_cfa */
	__u8 bp;		/* enum unwind_saved */
	__u8 bx;		/* enum unwind_saved */
	__s8 ra_slot;		/* return address at *(CFA + 8 * ra_slot); -1 but for hand-written code */
	__s32 cfa_offset;
	__s16 bp_slot;
	__s16 bx_slot;
	__s32 deref_offset;
};

/*
 * From `start` (offset in the file) up to the next row's start, `rule` holds. Rows are sorted by
 * start; gaps are rows with a CFA_NONE rule.
 */
struct unwind_row {
	__u32 start;
	__u32 rule;		/* index into the rules; 0 is CFA_NONE */
};

/* A file as the kernel half knows it: what identifies it while user space holds it open. */
struct file_id {
	__u64 inode;
	__u32 device;		/* the kernel's own dev_t: 12 bits major, 20 bits minor */
	__u32 pad;
};

enum file_flags {
	FILE_READ = 1,		/* user space has looked at it: rows that are not there do not exist */
	FILE_LIBRARY = 2,	/* it has a name for the dynamic linker (DT_SONAME) */
	FILE_RUNTIME = 4,	/* a library of an allocator, of threads or the linker: what it maps is
				 * for their own use */
};

/* What user space found out about a file. */
struct code_file {
	__u32 flags;		/* enum file_flags */
	__u32 nrows;
	__u32 next;		/* in the list of free entries */
	__u32 pad;
	/* The allocator's code that frees what it cached for a thread which ends; size 0: not known. */
	__u32 cleanup, cleanup_size;	/* offset in the file, bytes */
	/* The code that maps stacks for threads; the same. */
	__u32 threads, threads_size;
};

/*
 * An executable mapping of a process, noted when a walk first met it, so that addresses have names
 * after the process has gone. An address of the file is at `bias` plus its offset.
 */
struct mapping {
	__u64 start, end;	/* addresses in the process */
	__u64 bias;
	__u32 file;		/* index into files */
	__u32 process;
	__u32 epoch;		/* struct process's, when it was met */
	__u32 next;		/* the process' one before; 0: none */
};

/* Why a walk ended. Every value but STOP_BOTTOM and STOP_LIMIT_ASKED is a loss and is counted. */
enum stop_reason {
	STOP_BOTTOM = 0,	/* the outermost frame: complete */
	STOP_LIMIT_ASKED,	/* --nframe below MAX_FRAMES cut it, as the user asked */
	STOP_DEPTH,		/* deeper than MAX_FRAMES */
	STOP_NO_ROWS,		/* no unwind information for this address and no frame pointer */
	STOP_UNMAPPED,		/* the return address lies in no known executable mapping */
	STOP_MAPS_CHANGED,	/* code that came so lately that user space has not read its file */
	STOP_STACK_READ,	/* the stack could not be read */
	STOP_NO_PROGRESS,	/* the next frame would not lie above this one */
	STOP_REGISTER,		/* the rule needs a register whose value is lost */
	STOP_GAP,		/* the outermost frame; but some before a FRAME_GAP may be missing */
	STOP_TABLE_FULL,	/* --max-stacks was reached: only the first frames are kept */
	STOP_MAX,
};

/*
 * A frame is a word: the program counter in the low 56 bits and a tag above it. FRAME_RETURN: the
 * address after a call, to be looked up at pc - 1. FRAME_EXACT: the interrupted instruction below
 * a signal handler, to be looked up at pc. FRAME_GAP: as FRAME_RETURN, found by a frame pointer of
 * which it is not certain whose it is: frames may be missing between this one and the one before.
 */
#define FRAME_TAG_SHIFT 56
#define FRAME_PC_MASK ((1ULL << FRAME_TAG_SHIFT) - 1)
enum frame_tag {
	FRAME_RETURN = 0,
	FRAME_EXACT = 1,
	FRAME_GAP = 2,
};

/* Everything that could not be recorded, by cause. */
enum lost_reason {
	LOST_BLOCKS_FULL = 0,	/* blocks not followed: --max-blocks reached */
	LOST_BLOCKS_MEMORY,	/* blocks not followed: the kernel had no memory for the entry */
	LOST_BLOCKS_RETURN,	/* blocks not followed: the allocator's return was not seen */
	LOST_BLOCKS_SIZE,	/* blocks not followed: larger than there can be, see MAX_HELD */
	LOST_STACKS_FULL,	/* allocations without a place: --max-stacks reached */
	LOST_STACKS_MEMORY,	/* allocations without a place: the table could not grow in time */
	LOST_THREAD,		/* calls not followed: no memory for the thread's state */
	LOST_FREES_UNMATCHED,	/* frees of blocks that are not in the books (older than tracing) */
	LOST_FREES_MISSED,	/* blocks that appeared where one was still alive */
	LOST_HEAPS,		/* heaps destroyed, with all blocks that were in them */
	LOST_EVENTS,		/* events for user space dropped: the ring buffer was full */
	LOST_PROCESSES,		/* processes not followed: too many at one time */
	LOST_FILES,		/* files not known: too many, or no memory to note where they lie */
	LOST_REGIONS,		/* calls that map or unmap memory: the ring buffer was full */
	LOST_LIMITS,		/* files of which something was left out: over a limit of ours */
	LOST_PROBES,		/* probes that somebody took out of a process' code */
	LOST_MAX,
};

enum process_state {
	PROCESS_NONE = 0,	/* the entry is free, or not yet complete */
	PROCESS_LIVE,
	PROCESS_ENDED,		/* nobody adds to these books any more: user space has to clear them */
	PROCESS_REPLACED,	/* the same, because it runs another program since */
	PROCESS_CLEARED,	/* all but its blocks is gone */
};

enum process_flags {
	PROCESS_REPORTED = 8,	/* its end has been noticed by user space */
	PROCESS_PINNED = 1,	/* named by the user: tells user space of its libraries and programs */
	PROCESS_HOLD = 2,	/* stop it at exec and when libraries came, until user space has seen
				 * the new code: only for what we started */
	PROCESS_FORKED = 4,	/* began as a copy of a process, while we were tracing: what it frees
				 * and did not allocate is its parent's */
};

/*
 * The books of one process, which user space reads by mmap while the kernel half writes. Here is
 * what all events read and few write; for the rest see struct totals.
 */
struct process {
	__u32 pid;		/* thread group id, as our pid namespace has it */
	__u32 state;		/* enum process_state */
	__u32 flags;		/* enum process_flags */
	__u32 epoch;		/* grows when code is unmapped: an address may then mean another place */
	__u32 unloading;	/* the dynamic linker has begun to unmap libraries */
	__u32 mappings;		/* the newest of its list */
	__u32 sites;		/* the same */
	__u32 next;		/* in the list of free entries */
	__u64 exec_pages;	/* of code, when last looked at: fewer mean that some was unmapped */
	__u64 since;		/* CLOCK_MONOTONIC, in ns, when the books were opened */
	__u64 id;		/* the how manieth books these are: never given twice */
	__u32 nsites;		/* in its list */
	__u32 nthreads;		/* that began to allocate, ever */
	__u64 peak_size;	/* the most bytes that were ever outstanding */
	__u64 peak_epoch;	/* how often that was more than ever before */
	__u64 bound;		/* not less than the sum of the totals' `high`: while it is not above the
				 * peak, neither is what they hold together */
	__u64 frees_inherited;	/* of blocks of the parent's, after fork */
	char comm[16];
	__u64 growing;		/* its only thread has allocated more than ever since the peak was noted:
				 * if what it holds is more than peak_size, that is the peak */
	__u64 pad;
} __attribute__((aligned(64)));

/*
 * What is outstanding of what a group of a process' threads allocated, each on a line of the cache
 * of its own: threads that allocate all the time would wait for each other's additions. Index:
 * process * ntotals + group. Of memory that the program maps itself there is one more group, the
 * last; only user space writes it.
 */
#define MAX_SHARDS 4
struct totals {
	__u64 size;		/* bytes asked for */
	__u64 high;		/* what the group may hold without a look at the others; size is not above
				 * it but for a moment */
	__u64 unplaced;		/* blocks without a site; the others are counted at theirs */
	__u64 unplaced_size, unplaced_count; /* ever allocated, without a site */
	__u64 changed;		/* set when the group's or its sites' counters change; user space clears
				 * it before it reads them */
	__u64 pad[2];
} __attribute__((aligned(64)));

/*
 * A place: one stack of one process, one power of two of sizes, and what was allocated there. Its
 * index is the site id. A site is found through site_slots. Where not all allocations are recorded
 * it is one size, because how many others a block stands for depends on its size.
 */
struct site {
	__u32 process;		/* index into processes; 0: this site is free */
	__u32 next;		/* the process' one before, or of the list of free ones; 0: none */
	__u64 hash;
	__u32 frames;		/* first word in the frame pool */
	__u16 nframes;
	__u16 stop;		/* enum stop_reason */
	__u64 alloc_size, alloc_count; /* ever allocated: bytes asked for, blocks */
	__u64 freed_size, freed_count; /* of these, no longer outstanding */
	__u64 temporary;	/* freed, by whichever thread, before theirs allocated again */
	/* Outstanding here when the process was at its peak number peak_epoch. Written when the site
	 * next changes: while the process' peak_epoch is another, it is what is outstanding now. */
	__u64 peak_epoch, peak_size, peak_count;
	__u64 alloc_slack, freed_slack;	/* bytes beyond what was asked for; if --tree asks for them */
	__u32 epoch;		/* struct process's */
	__u32 slack_known;	/* the slacks were read */
	__u32 shard;		/* of the threads that allocated */
	__u32 pad;
	__u64 sizes;		/* 0: blocks of no bytes; n: of 2^(n-1) to 2^n - 1 bytes. Sampling: the
				 * size of each block. | MAPS_MEMORY */
} __attribute__((aligned(64)));

/* The place does not allocate blocks: it maps memory, of which no sample is taken. */
#define MAPS_MEMORY (1ULL << 63)

/*
 * What calls itself an allocator may return anything. What a process holds fits in its address space,
 * and no site will ever have allocated more than this: so no sum of bytes goes round.
 */
#define MAX_HELD (1ULL << 47)
#define MAX_ALLOCATED (1ULL << 62)

/* A live block. Keyed by process too: two processes have the same addresses. */
struct block_key {
	__u64 address;
	__u32 process;
	__u32 moved;		/* among the blocks without a slot: it had one in a table before */
};

struct block {
	__u64 size;		/* bytes asked for */
	__u32 site;
	__u32 time;		/* of the allocation, in steps of at most 27 ms; wraps after 49 days */
	__u32 slack;		/* bytes that the allocator gave beyond size; if --tree asks */
	__u32 last;		/* its thread has not allocated since */
};

/* Live blocks in 16 bytes each, see block_table.h: buckets of keys, and then as many values. */
#define BUCKET_SLOTS 16
#define BUCKET_BYTES 256
#define BLOCK_TIME_BITS 28

#define LOOSE_COUNTS 32768

/* Which table is which. One is in use; while it is replaced, the other is there, too. */
struct block_tables {
	__u32 version;		/* new blocks go into block_tables[version & 1] */
	__u32 nbuckets[2];
	__u32 crowded;		/* times that a new block's buckets were nearly full */
	__u32 ask_mask;		/* user space is asked for a larger table when `crowded` has none of it */
};

/*
 * Tables that grow are arrays of equal pieces which user space adds when asked: an index is
 * (piece << SHIFT) | offset.
 */
#define SITE_PIECE_SHIFT 10	/* 1,024 sites a piece */
/* Beyond --max-stacks there is room for their first frames, and as much again for single ones. */
#define SITES_WITH_FIRST_FRAMES(max) ((max) + (max) / 8 + 1024)
#define SITES_IN_ALL(max) ((max) + 2 * ((max) / 8 + 1024))
#define FRAME_PIECE_SHIFT 14	/* 16,384 words a piece */
#define MAPPING_PIECE_SHIFT 11	/* 2,048 mappings a piece */
#define SITE_PIECE (1U << SITE_PIECE_SHIFT)
#define SITE_PIECE_BYTES (SITE_PIECE * sizeof(struct site))
#define FRAME_PIECE (1U << FRAME_PIECE_SHIFT)
/* A stack that begins at a piece's last words ends in the room behind them. */
#define FRAME_PIECE_BYTES ((FRAME_PIECE + MAX_FRAMES + 1) * sizeof(__u64))
#define MAPPING_PIECE (1U << MAPPING_PIECE_SHIFT)
#define MAPPING_PIECE_BYTES (MAPPING_PIECE * sizeof(struct mapping))
#define MAX_SITE_PIECES 4096
#define MAX_FRAME_PIECES 4096
#define MAX_MAPPING_PIECES 512

/*
 * Entries that user space gives back are in lists, linked by their indices; the kernel half takes
 * from the head. The head's high half counts, so that a compare and swap notices that the entry
 * was taken and given back meanwhile.
 */
#define FREE_LIST_INDEX 0xffffffffULL
#define FREE_LIST_STEP (1ULL << 32)

/* A stack's words are given back to the list of its length, in groups of FRAME_GROUP words. */
#define FRAME_GROUP 4		/* words compared at a time */
#define FRAME_LENGTHS ((MAX_FRAMES + FRAME_GROUP) / FRAME_GROUP + 1)

/* A site has two buckets where it may be found, each a line of the cache. */
#define SITE_BUCKET 8
_Static_assert(!(SITE_BUCKET & (SITE_BUCKET - 1)), "a power of two: a mask finds the slot in it");
_Static_assert(!(MAX_SHARDS & (MAX_SHARDS - 1)), "a power of two: a mask finds a thread's group");
_Static_assert(MAX_RULES <= 1U << 16, "an index must fit in 16 bits");

/* The first slot of the first (0) or second (1) bucket for a hash, of `buckets` in all. */
static inline __u32 site_bucket(__u64 hash, __u32 which, __u32 buckets)
{
	__u32 high = which ? (hash * 0x9e3779b97f4a7c15ULL) >> 32 : hash >> 32;

	return (__u32)((__u64)high * buckets >> 32) * SITE_BUCKET;
}

/* What the kernel half tells user space. */
enum event_type {
	EVENT_MAPPED = 1,	/* a pinned process has loaded or unloaded libraries */
	EVENT_EXEC,		/* a pinned process runs a new program: new books, at `process` */
	EVENT_ENDED,		/* processes have ended */
	EVENT_KILLED,		/* one of them by `signal` */
};

struct event {
	__u32 type;		/* enum event_type */
	__u32 pid;		/* as our pid namespace has it */
	__u32 process;
	__u32 signal;
	char comm[16];
};

#define ARRIVAL_NAME 256	/* NAME_MAX and its end */
#define ARRIVAL_NAMES 1024

/* Code of a file that nobody has read, mapped in a process at `start`. */
struct arrival {
	__u32 pid;		/* as our pid namespace has it */
	__u32 size;		/* of the names */
	__u64 start, end;
	struct file_id id;
	/* The file's, its directory's and so on up to the root, each with its end; as far as they fit. */
	char names[ARRIVAL_NAMES + ARRIVAL_NAME];
};

/*
 * A call has changed what memory the program has mapped. What was in the old range and was born
 * before `began` is gone; then the new range is mapped. `began` and `ended` number the moments
 * before and after all such calls: they tell a range that was unmapped from one that another
 * thread has mapped there since.
 */
struct region_event {
	__u32 process;
	__u32 generation;	/* the value of `counting` */
	__u64 books;		/* the process' id */
	__u64 old_start, old_end;
	__u64 start, end;
	__u64 began, ended;
	__u64 time;		/* CLOCK_MONOTONIC, in ns */
	__u64 heap_size;	/* of the process, at that moment */
	__u32 site;
	__u32 pad;
};

/* One executable mapping of a file, as user space reads them from list_mappings. */
struct listed_mapping {
	__u32 pid;		/* as our pid namespace has it */
	__u32 vdso;		/* it is the kernel's, which is no file */
	__u64 start, end;	/* addresses in the process */
	__u64 offset;		/* in the file */
	struct file_id id;
};

/* A cgroup: the inode number of its directory, which is unique in its hierarchy alone. */
struct cgroup_id {
	__u64 id;
	__u32 hierarchy;	/* as in /proc/PID/cgroup; 0: the unified one */
	__u32 pad;
};

/* Which processes are followed: all for which every one of these that is asked for holds. */
enum select_by {
	SELECT_PID = 1,
	SELECT_COMM = 2,
	SELECT_USER = 4,
	SELECT_CGROUP = 8,
};

/*
 * What a probe has come to, as its attach cookie says it: the kind of call, and in which register
 * what it needs to know of the call is.
 */
enum call_kind {
	CALL_NONE = 0,
	CALL_ALLOCATES,		/* returns a new block; NULL: none */
	CALL_STORES,		/* stores a new block at `pointer` and returns 0; else: none */
	CALL_REALLOCATES,	/* returns the block at `pointer` in its new size; NULL: it stays */
	CALL_REALLOCATES_OR_FREES, /* the same; NULL: it has been freed (BSD's reallocf) */
	CALL_RESIZES,		/* in place, by `count` bytes more if it can be; returns the size */
	CALL_FREES,		/* the block at `pointer` */
	CALL_NEWS,		/* returns a new block or throws: C++'s operator new */
	CALL_RETURNS,		/* no call: one of CALL_PENDING is about to return; MAKE_EXIT() */
	CALL_DESTROYS,		/* a heap, and nobody says which blocks are in it */
};

/* Those of a call's first arguments first (psABI 3.2.3). */
enum call_register {
	IN_NONE = 0,
	IN_DI,
	IN_SI,
	IN_DX,
	IN_CX,
	IN_R8,
	IN_R9,
	IN_AX,
	IN_R10,
	IN_R11,
	IN_BX,
	IN_BP,
	IN_R12,
	IN_R13,
	IN_R14,
	IN_R15,
	IN_MAX,
};

#define MAKE_CALL(kind, size, count, pointer)                                                      \
	((__u32)(kind) | (__u32)(size) << 8 | (__u32)(count) << 12 | (__u32)(pointer) << 16)
#define CALL_KIND(call) ((enum call_kind)((call) & 0xff))
#define CALL_SIZE(call) ((call) >> 8 & 0xf)
#define CALL_COUNT(call) ((call) >> 12 & 0xf)	/* what the size is to be multiplied with */
#define CALL_POINTER(call) ((call) >> 16 & 0xf)
#define CALL_CHUNK_HEADS (1U << 20)	/* glibc's word before a block tells what the block takes */
/* Code of the program may run within the call, so it has no return probe: CALL_RETURNS says that it
 * returns. Its blocks may be parts of another allocator's. */
#define CALL_PENDING (1U << 21)

/* What maps memory, as the attach cookie names it. */
enum mapping_kind {
	MAPPING_NONE = 0,
	MAPPING_MMAP,
	MAPPING_MUNMAP,
	MAPPING_MREMAP,
	MAPPING_BREAK,		/* brk, sbrk */
};

/*
 * What is known before a conditional jump on the way to a return, or at the return: in which
 * register the block is, on what condition the jump leads there, and in words how far above the
 * stack pointer the return address is, and how far below that the caller's rbp and rbx are, which
 * are to be popped; 0: they are in their registers.
 */
enum call_condition {
	CONDITION_NONE = 0,	/* leads there in any case */
	CONDITION_FIRST = 1,	/* and 15 more, in the order of the opcodes: o, no, b, ae, e, ... */
};

#define MAKE_EXIT(block, condition, depth, bp, bx)                                                 \
	((__u64)CALL_RETURNS | (__u64)(block) << 8 | (__u64)(condition) << 12 |                    \
	 (__u64)(depth) << 24 | (__u64)(bp) << 32 | (__u64)(bx) << 40)
#define EXIT_AT_RETURN MAKE_EXIT(IN_AX, CONDITION_NONE, 0, 0, 0)
#define EXIT_BLOCK(exit) ((exit) >> 8 & 0xf)
#define EXIT_CONDITION(exit) ((exit) >> 12 & 0x1f)
#define EXIT_DEPTH(exit) ((exit) >> 24 & 0xff)
#define EXIT_BP(exit) ((exit) >> 32 & 0xff)
#define EXIT_BX(exit) ((exit) >> 40 & 0xff)
#define MAX_EXIT_WORDS 0xff

#define MT_ASSERT_SIZE(type, n) _Static_assert(sizeof(type) == (n), "size of " #type)
MT_ASSERT_SIZE(struct unwind_rule, 16);
MT_ASSERT_SIZE(struct unwind_row, 8);
MT_ASSERT_SIZE(struct file_id, 16);
MT_ASSERT_SIZE(struct code_file, 32);
MT_ASSERT_SIZE(struct mapping, 40);
MT_ASSERT_SIZE(struct site, 128);
MT_ASSERT_SIZE(struct block_key, 16);
MT_ASSERT_SIZE(struct block, 24);
MT_ASSERT_SIZE(struct process, 128);
MT_ASSERT_SIZE(struct totals, 64);
MT_ASSERT_SIZE(struct event, 32);
MT_ASSERT_SIZE(struct arrival, 1320);
MT_ASSERT_SIZE(struct region_event, 88);
MT_ASSERT_SIZE(struct listed_mapping, 48);
MT_ASSERT_SIZE(struct cgroup_id, 16);

#endif
