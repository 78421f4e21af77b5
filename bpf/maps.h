/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The books: every map, and the functions that turn an index into a pointer. User space sets the
 * sizes that options decide before it loads, and adds the pieces of tables that grow.
 */
#ifndef MT_MAPS_H
#define MT_MAPS_H

#define PIECE(name, bytes)                                                                         \
	struct name {                                                                              \
		__uint(type, BPF_MAP_TYPE_ARRAY);                                                  \
		__uint(max_entries, 1);                                                            \
		__uint(map_flags, BPF_F_MMAPABLE);                                                 \
		__type(key, __u32);                                                                \
		__uint(value_size, bytes);                                                         \
	}

/* ---- who is traced ---- */

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MAX_PROCESSES);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct process);
} processes SEC(".maps");

/* Thread group id -> index of its current books. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_PROCESSES);
	__type(key, __u32);
	__type(value, __u32);
} process_of SEC(".maps");

/* Where a thread's stack led that began with these registers and left this trail. */
struct stack_memo {
	__u64 pc, sp, bp, bx;
	__u32 version;		/* struct space's */
	__u32 site;		/* 0: nothing is remembered */
	__u32 size_class;
	__u32 ntrail;
	__u32 bp_needed, bx_needed; /* 0: the value does not matter */
};

/*
 * What a thread needs between the entry and the return of an allocator call, and the room to walk
 * its stack in. Task storage is private to its thread, so that a probe which is preempted, or
 * interrupted by another program on its CPU, never shares it.
 */
struct thread {
	struct mm_struct *mm;	/* that `process` was looked up for; only compared */
	__u32 generation;	/* value of `counting` that `process` was looked up for */
	__u32 process;		/* index; 0: not traced */
	__u32 alone;		/* in its address space, at its last event */
	__u32 call;		/* enum entry_point in progress; 0: none */
	__u64 call_sp;		/* stack pointer at its entry */
	__u64 size;		/* bytes it was asked for */
	__u64 pointer;		/* realloc: the old block; posix_memalign: where the new one goes */
	struct block old;	/* realloc: the old block's entry, taken out of the books */
	__u32 old_known;
	__u32 number;		/* index of last_blocks */
	struct stack_memo memos[MAX_TRAILS];	/* of the room's trails */
	struct walk walk;
	struct walk_room room;
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct thread);
} threads SEC(".maps");

/* ---- live blocks: hash tables, the newest the largest, so that memory follows use ---- */

/* Declared as types only: user space makes the tables. */
struct block_level {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(key_size, sizeof(struct block_key));
	__uint(value_size, sizeof(struct block));
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, MAX_BLOCK_LEVELS);
	__type(key, __u32);
	__array(values, struct block_level);
} block_levels SEC(".maps");

/* ---- places: sites, found through the chains of site_heads, and their frames ---- */

PIECE(site_piece, SITE_PIECE_BYTES);
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, MAX_SITE_PIECES);
	__type(key, __u32);
	__array(values, struct site_piece);
} site_pieces SEC(".maps");

PIECE(frame_piece, FRAME_PIECE_BYTES);
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, MAX_FRAME_PIECES);
	__type(key, __u32);
	__array(values, struct frame_piece);
} frame_pieces SEC(".maps");

/* Hash of a stack -> first site of its chain. A power of two entries. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, __u64);
} site_heads SEC(".maps");

/* ---- the way up the stack ---- */

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MAX_SPACES);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct space);
} spaces SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MAX_MAPPINGS);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct mapping);
} mappings SEC(".maps");

/* Rows of one file, in an array of just their number. */
struct file_rows {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE | BPF_F_INNER_MAP);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(struct unwind_row));
};
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, MAX_FILES);
	__type(key, __u32);
	__array(values, struct file_rows);
} files SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MAX_RULES);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct unwind_rule);
} rules SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, RULE_CACHE_SIZE);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, __u64);
} rule_cache SEC(".maps");

/* ---- words to user space ---- */

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 256 * 1024);
} events SEC(".maps");

/* A table wants its next piece. One request says no more than another. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} growth SEC(".maps");

/* Set before load. */
const volatile __u32 nframe_limit = 64;
const volatile __u32 max_sites = 65536;
const volatile __u32 site_heads_mask = 65535;
const volatile bool keep_slack = false;	/* read how much the allocator really gave */
const volatile bool keep_sum = false;	/* several processes: keep their sum in processes[0] */

/* Read and written while running. */
__u32 counting;			/* the one switch, off at 0; another number: all begins anew */
__u64 jiffies_now;		/* what read_clock read */
__u32 top_block_level;		/* newest level that has a map */
__u64 blocks_grow_at;		/* live blocks at which user space is asked for the next level */
__u32 next_process = 1;		/* index of the next books; none is used twice, 0 is the sum */
__u32 next_site = 1;		/* 0 is "no place" */
__u32 next_frame;		/* index into the frame pool */
__u64 lost[LOST_MAX];

/*
 * The address of each thread's last block, where whoever frees it finds it. Threads that begin one
 * after the other are a line of the cache apart. Of many thousand some share a place: then a
 * temporary block may not be seen as one, but never another as temporary.
 */
#define LAST_BLOCKS 65536
__u64 last_blocks[LAST_BLOCKS];
__u32 next_thread;

static __always_inline __u32 next_thread_number(void)
{
	__u32 n = __sync_fetch_and_add(&next_thread, 1);

	return (n * 8 + n / (LAST_BLOCKS / 8)) & (LAST_BLOCKS - 1);
}

static __always_inline void count_lost(enum lost_reason reason)
{
	__sync_fetch_and_add(&lost[reason], 1);
}

static __always_inline struct process *process_at(__u32 index)
{
	return bpf_map_lookup_elem(&processes, &index);
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

static __always_inline void ask_to_grow(void)
{
	__u64 request = 0;

	/* Full: those that are in it are not yet answered. */
	bpf_ringbuf_output(&growth, &request, sizeof(request), 0);
}

static __always_inline void send_event(enum event_type type, __u32 pid, __u32 process)
{
	struct event event = { .type = type, .pid = pid, .process = process };

	if (bpf_ringbuf_output(&events, &event, sizeof(event), 0))
		count_lost(LOST_EVENTS);
}

#endif
