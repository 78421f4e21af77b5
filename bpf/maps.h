/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The books: every map, and the functions that turn an index into a pointer. User space sets the
 * sizes that options decide before it loads, and adds the pieces of tables that grow.
 */
#ifndef MT_BPF_MAPS_H
#define MT_BPF_MAPS_H

#define PIECE(name, bytes)                                                                         \
	struct name {                                                                              \
		__uint(type, BPF_MAP_TYPE_ARRAY);                                                  \
		__uint(max_entries, 1);                                                            \
		__uint(map_flags, BPF_F_MMAPABLE);                                                 \
		__type(key, __u32);                                                                \
		__uint(value_size, bytes);                                                         \
	}

/* An array that user space has in its memory, too. */
#define SHARED(name, value_type, entries)                                                          \
	struct {                                                                                   \
		__uint(type, BPF_MAP_TYPE_ARRAY);                                                  \
		__uint(max_entries, entries);                                                      \
		__uint(map_flags, BPF_F_MMAPABLE);                                                 \
		__type(key, __u32);                                                                \
		__type(value, value_type);                                                         \
	} name SEC(".maps")

/* ---- who is traced ---- */

SHARED(processes, struct process, MAX_PROCESSES);

SHARED(totals, struct totals, MAX_PROCESSES);

#define TABLE(name, key_type, value_type, entries)                                                 \
	struct {                                                                                   \
		__uint(type, BPF_MAP_TYPE_HASH);                                                   \
		__uint(max_entries, entries);                                                      \
		__uint(map_flags, BPF_F_NO_PREALLOC);                                              \
		__type(key, key_type);                                                             \
		__type(value, value_type);                                                         \
	} name SEC(".maps")

/* Thread group id, as the initial pid namespace has it -> index of its current books. */
TABLE(process_of, __u32, __u32, MAX_PROCESSES);

struct comm {
	char name[16];
};

/* What the user asked for; see enum select_by. Pids are as our namespace has them; the value is
 * the index of books that are there already, or 0. */
TABLE(selected_pids, __u32, __u32, MAX_PROCESSES);
TABLE(selected_comms, struct comm, __u8, 1024);
TABLE(selected_users, __u32, __u8, 1024);
TABLE(selected_cgroups, struct cgroup_id, __u8, 1024);
/* Children of what is followed, by thread group id. */
TABLE(children, __u32, __u8, 65536);
/* Bytes that a child of fork was given, by its pid, until it calls exec. */
TABLE(sizes_at_fork, __u32, __u64, 16384);

/* The block that a thread got last. */
struct last_block {
	__u64 address;		/* 0: none */
	__u64 key, value;	/* of its slot; key 0: it is loose */
	__u32 version;		/* of the table */
	__u32 bucket, slot;
	__u32 site, time;	/* not to take another's block for it */
	__u32 pad;
};

/* What the entry of a call says of the block to come. */
struct asked {
	__u64 size;		/* bytes it was asked for */
	__u64 extra;		/* CALL_RESIZES: bytes that it would take beyond these */
	__u64 pointer;		/* realloc: the old block; posix_memalign: where the new one goes */
	struct block old;	/* realloc: the old block's entry, taken out of the books */
	__u32 old_known;
	__u32 hit;		/* the block is to be recorded; see sampling.h */
};

/* A call in progress without a return probe: see pending.h. */
struct pending_call {
	__u64 key;		/* pending_key(); 0: the slot is free */
	__u64 books;		/* struct process's id */
	__u64 back;		/* its return address */
	__u64 function;		/* address of the probe at its entry */
	__u64 nblocks;		/* struct thread's, at its entry */
	__u32 call;		/* MAKE_CALL() */
	__u32 encloses;		/* calls within it are part of it; those on its stack */
	struct asked asked;
};

#define PENDING_BITS 13
#define MAX_PENDING (1U << PENDING_BITS)
#define PENDING_REGIONS 4096

/* A call in progress that maps or unmaps memory. */
struct mapping_call {
	__u64 sp;		/* stack pointer at its entry */
	__u64 began;		/* struct region_event's */
	__u64 address, size;	/* that it was given; of brk: the break before it, nothing */
	__u64 new_size;		/* mremap */
	__u32 flags;		/* mremap */
	__u32 kind;		/* enum mapping_kind; 0: there is none */
};

/*
 * What a thread needs between the entry and the return of an allocator call, in a slot or in task
 * storage (threads.h): its own, so that a probe which is preempted, or interrupted by another program
 * on its CPU, never shares it.
 */
struct thread {
	__u64 registers;	/* where they are on the kernel's stack; 0: never a slot's */
	__u64 task, stack, began; /* whose state it is: see threads.h */
	struct mm_struct *mm;	/* that `process` was looked up for; only compared */
	__u32 generation;	/* value of `counting` that `process` was looked up for */
	__u32 process;		/* index of its books */
	__u64 books;		/* its id */
	__u32 shard;		/* where it sums */
	__u32 alone;		/* in its address space, at its last event */
	__u32 call;		/* MAKE_CALL() in progress; 0: none */
	__u64 call_sp;		/* stack pointer at its entry */
	struct asked asked;
	struct asked ended;	/* of the pending call that has just ended */
	__u64 nblocks;		/* that it got */
	struct block_key key;	/* of the block at hand, and its entry */
	struct block block;
	__u64 freed, freed_sp;	/* what was freed last, with which stack pointer */
	/* The last call that frees into an allocator which may be made of another's blocks. */
	__u64 gives_sp, gives_back; /* stack pointer at its entry, return address */
	struct last_block last;
	/* When not all allocations are recorded: see sampling.h. */
	__u64 way;		/* to the next hit */
	__u64 passed_sp;	/* of the last call that was let pass; 0: none */
	__u64 passed_back;	/* its return address */
	__u32 passed_call;
	struct mapping_call mapping;
};

#define SLOT_BITS 10
#define STACK_ALIGN_BITS 14	/* kernel stacks are of 16 KiB or more, and begin at a multiple */
SHARED(slots, struct thread, 1 << SLOT_BITS);

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct thread);
} threads SEC(".maps");

/* See is_cleanup(). */
struct cleanup_check {
	__u32 file;		/* where free is */
	__u32 foreign;		/* a frame lies elsewhere */
};

/* What a walk knows, and what is too large for a BPF stack. */
struct scratch {
	struct walk walk;
	struct walk_room room;
	struct cleanup_check check;
	__u64 caller;		/* that the walk begins with, where it is on the stack */
	__u32 taken;
} __attribute__((aligned(64)));

/* Some for each CPU, whose threads can be preempted within a walk. User space says how many. */
#define CPU_SCRATCHES 2
SHARED(scratches, struct scratch, CPU_SCRATCHES);

/* For a thread that finds those taken. */
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct scratch);
} own_scratches SEC(".maps");

#define MEMO_BITS 12
SHARED(memos, struct stack_memo, 1 << MEMO_BITS);

/* What is remembered of a thread that is not followed, while all of it holds. */
struct bystander {
	struct mm_struct *mm;	/* only compared */
	__u32 generation;	/* value of `counting` */
	__u32 selection;
	__u32 user;
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct bystander);
} bystanders SEC(".maps");

/* ---- live blocks: see block_table.h ---- */

/* Declared as a type only: user space makes the tables. */
struct block_buckets {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE | BPF_F_INNER_MAP);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, BUCKET_BYTES);
};

/* The one in use; and while that is replaced, the one that blocks are moved from. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 2);
	__type(key, __u32);
	__array(values, struct block_buckets);
} block_tables SEC(".maps");

/* Blocks that have no slot. */
TABLE(loose_blocks, struct block_key, struct block, 1);

/* ---- tables that grow by pieces ---- */

#define PIECES(name, piece, most)                                                                  \
	struct {                                                                                   \
		__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);                                          \
		__uint(max_entries, most);                                                         \
		__type(key, __u32);                                                                \
		__array(values, struct piece);                                                     \
	} name SEC(".maps")

PIECE(site_piece, SITE_PIECE_BYTES);
PIECES(site_pieces, site_piece, MAX_SITE_PIECES);
PIECE(frame_piece, FRAME_PIECE_BYTES);
PIECES(frame_pieces, frame_piece, MAX_FRAME_PIECES);
PIECE(mapping_piece, MAPPING_PIECE_BYTES);
PIECES(mapping_pieces, mapping_piece, MAX_MAPPING_PIECES);

/*
 * Where a site is found: buckets of SITE_BUCKET words, each the low half of the stack's hash and
 * below it the site's id; 0: free.
 */
SHARED(site_slots, __u64, 65536);

/* ---- the way up the stack ---- */

/* File -> its index. User space takes out what it could not read, so that it is asked again. */
TABLE(file_ids, struct file_id, __u32, MAX_FILES);

SHARED(files, struct code_file, MAX_FILES);

/* Rows of one file, in an array of just their number. */
struct file_rows {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE | BPF_F_INNER_MAP);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(struct unwind_row));
};
PIECES(rows_of, file_rows, MAX_FILES);

/* (process, page of code) -> the mapping that held it last time: only a guess. */
#define MAPPING_CACHE_BITS 12
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1U << MAPPING_CACHE_BITS);
	__type(key, __u32);
	__type(value, __u32);
} mapping_cache SEC(".maps");

SHARED(rules, struct unwind_rule, MAX_RULES);

SHARED(rule_cache, __u64, RULE_CACHE_SIZE);

/* ---- words to user space ---- */

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 256 * 1024);
} events SEC(".maps");

/* Files met for the first time: whatever else there is to do, these are attached to at once. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1024 * 1024);	/* 789 files */
} arrivals SEC(".maps");

/* Tables want their next piece; that of blocks wants to be larger. One request says no more than
 * another. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} piece_requests SEC(".maps"), block_requests SEC(".maps");

/* What the program maps itself, in the order in which it happened. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4 * 1024 * 1024);	/* 40,000 words */
} regions SEC(".maps");

/* Set before load. */
const volatile __u32 nframe_limit = 64;
const volatile __u32 max_sites = 65536;
const volatile __u32 site_buckets = 1024;
const volatile __u32 nshards = 1;	/* groups of threads that sum apart: a power of two */
const volatile __u32 ntotals = 1;	/* of a process */
const volatile __u32 clock_shift;	/* a step of the blocks' clock is 2^this jiffies */
const volatile __u64 sample_bytes = 0;	/* mean way between recorded bytes; 0: all are recorded */
const volatile bool keep_slack = false;	/* read how much the allocator really gave */
const volatile bool keep_blocks = true;	/* follow blocks; else only whether a call is in progress */
const volatile bool keep_regions = false;	/* follow what the program maps itself */
const volatile bool share_rooms = true;	/* else all that threads need is in their task storage */
const volatile bool keep_sum = false;	/* several processes: keep their sum in processes[0] */

const volatile __u32 select_by;		/* enum select_by */
const volatile bool whole_machine;	/* files are attached to in all processes */
const volatile bool follow_fork;
const volatile bool each_end;		/* user space wants to know at once of every process that ends */

/* Read and written while running. */
__u32 counting;			/* the one switch, off at 0; another number: all begins anew */
__u64 jiffies_now;		/* what read_clock read */
struct block_tables tables_now __attribute__((aligned(64)));
__u32 loose_counts[LOOSE_COUNTS]; /* loose blocks by loose_hash(): where none are, none is sought; of a
				   * sample, plus all blocks */
/* The first entries that nobody had yet: 0 is the sum of all, no place, no file ... */
__u32 next_process = 1;
__u32 next_site = 1;
__u32 next_frame = FRAME_GROUP;	/* index into the frame pool */
__u32 next_mapping = 1;
__u32 next_file = FILE_VDSO + 1;
__u32 files_read = 1;		/* grows with each file that user space has read */
static struct pending_call pending_calls[MAX_PENDING];
static __u32 pending_nearby[PENDING_REGIONS];	/* calls that enclose others, by where they began */
/* Heads of the lists of entries that were given back. */
__u64 free_processes;
__u64 free_files;
__u64 free_sites;
__u64 free_mappings;
__u64 free_frames[FRAME_LENGTHS];	/* by length */
__u64 books_opened;		/* processes' ids */
__u32 processes_ended;
__u64 region_moments;	/* struct region_event's */
__u32 selection;		/* grows when what was not selected may be now */
/* Ourselves: see look_at_ourselves. */
__u32 our_tgid;
__u64 started;		/* CLOCK_MONOTONIC, in ns: when counting began */
__u32 our_pid_level;
__u32 children_left;	/* of processes that the user named, without --follow-fork */
__u32 children_adopted;	/* see adopt_children */
__u64 our_pid_namespace;	/* only compared */
__u64 lost[LOST_MAX];

static __always_inline void count_lost(enum lost_reason reason)
{
	__sync_fetch_and_add(&lost[reason], 1);
}

static __always_inline struct process *process_at(__u32 index)
{
	return bpf_map_lookup_elem(&processes, &index);
}

static __always_inline struct totals *totals_at(__u32 process, __u32 shard)
{
	__u32 index = process * ntotals + shard;

	return bpf_map_lookup_elem(&totals, &index);
}

static __always_inline struct site *site_at(__u32 site)
{
	__u32 piece = site >> SITE_PIECE_SHIFT, zero = 0;
	void *map = bpf_map_lookup_elem(&site_pieces, &piece);
	struct site *first = map ? bpf_map_lookup_elem(map, &zero) : NULL;

	return first ? first + (site & (SITE_PIECE - 1)) : NULL;
}

/* The words of a stack: all MAX_PADDED_FRAMES may be accessed. */
static __always_inline __u64 *frames_at(__u32 frames)
{
	__u32 piece = frames >> FRAME_PIECE_SHIFT, zero = 0;
	void *map = bpf_map_lookup_elem(&frame_pieces, &piece);
	__u64 *first = map ? bpf_map_lookup_elem(map, &zero) : NULL;

	return first ? first + (frames & (FRAME_PIECE - 1)) : NULL;
}

static __always_inline struct mapping *mapping_at(__u32 mapping)
{
	__u32 piece = mapping >> MAPPING_PIECE_SHIFT, zero = 0;
	void *map = bpf_map_lookup_elem(&mapping_pieces, &piece);
	struct mapping *first = map ? bpf_map_lookup_elem(map, &zero) : NULL;

	return first ? first + (mapping & (MAPPING_PIECE - 1)) : NULL;
}

/*
 * Takes the first entry of a free list; 0: it is empty, or others were quicker too often. `next`
 * names the link in what `at` returns.
 */
#define take_free(list, at, next)                                                                  \
	({                                                                                         \
		__u32 taken_ = 0, try_;                                                            \
                                                                                                   \
		for (try_ = 0; try_ < 8; try_++) {                                                 \
			__u64 head_ = *(volatile __u64 *)(list), rest_;                            \
			typeof(at(0)) first_;                                                      \
                                                                                                   \
			if (!(head_ & FREE_LIST_INDEX))                                            \
				break;                                                             \
			first_ = at((__u32)head_);                                                 \
			if (!first_)                                                               \
				break;                                                             \
			rest_ = (head_ & ~FREE_LIST_INDEX) + FREE_LIST_STEP + (__u32)first_ next;  \
			if (__sync_val_compare_and_swap(list, head_, rest_) == head_) {            \
				taken_ = head_;                                                    \
				break;                                                             \
			}                                                                          \
		}                                                                                  \
		taken_;                                                                            \
	})

/* Gives an entry that nobody else knows of back to its list; `next` is its link. Where others are
 * quicker every time, the entry stays unused: room is lost, and nothing that was counted. */
static __always_inline void give_free(__u64 *list, __u32 index, __u32 *next)
{
	__u64 head;
	__u32 i;

	for (i = 0; i < 8; i++) {
		head = *(volatile __u64 *)list;
		*next = head;
		if (__sync_val_compare_and_swap(list, head, (head & ~FREE_LIST_INDEX) +
							    FREE_LIST_STEP + index) == head)
			break;
	}
}

static __always_inline void ask_to_grow(void *requests)
{
	__u64 request = 0;

	/* Full: those that are in it are not yet answered. */
	bpf_ringbuf_output(requests, &request, sizeof(request), 0);
}

static __always_inline bool send_event(const struct event *event)
{
	if (!bpf_ringbuf_output(&events, (void *)event, sizeof(*event), 0))
		return true;
	count_lost(LOST_EVENTS);
	return false;
}

#endif
