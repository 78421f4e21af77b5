/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Walks a user stack from rows made of .eh_frame. The same source compiles for the host: the
 * includer supplies what reaches outside,
 *
 *	user_read(dst, size, address)	copies target memory; 0 or an error
 *	load_mapping(walk, address)	sets walk->mapping to what holds the address; or an error and
 *					walk->stop
 *	file_at, row_at, rule_at, rule_cache_at	the tables; NULL past their end
 *	repeat(n, step, context)	calls step(i, context) up to n times, until it returns 1
 *	trampoline_return(slot, pc)	the return address that a uretprobe hid from a stack slot
 *	is_sought(walk)	ends a walk with walk->seeks at the frame whose return address is at hand
 *
 * The rare parts are global functions: the verifier checks those once each, on their own, instead
 * of once for every way that leads there.
 *
 * Sources: System V psABI x86-64 (frames, 3.2.2; registers, 3.2.1), DWARF 5 section 6.4,
 * arch/x86/include/asm/sigframe.h (struct rt_sigframe), arch/x86/include/uapi/asm/sigcontext.h.
 */
#ifndef MT_BPF_UNWIND_H
#define MT_BPF_UNWIND_H

#define WALK_WINDOW 8192	/* bytes of stack read at a time, at most */
#define WALK_PIECE 2048		/* the same, of those that nobody has asked for yet */
#define CACHE_LINE 64
#define MAX_PADDED_FRAMES (MAX_FRAMES + 1)
/* Indices are kept below it by a mask, and frames are compared by groups. */
_Static_assert(!(MAX_PADDED_FRAMES & (MAX_PADDED_FRAMES - 1)), "a power of two");
_Static_assert(MAX_PADDED_FRAMES % FRAME_GROUP == 0, "whole groups");
#define USER_PAGE 4096
#define USER_TOP (1ULL << 47)	/* 5-level address spaces are only for those who ask for them */

/*
 * The words of stack that led a walk, in its order: return addresses, and saved registers where a
 * frame needed them. A walk that would begin alike and find the same words comes to the same end.
 */
#define MAX_TRAIL 64		/* walks that read more leave none */
_Static_assert(!(MAX_TRAIL & (MAX_TRAIL - 1)), "a power of two: a mask keeps indices below it");
struct walk_trail {
	__u64 words[MAX_TRAIL];	/* each with its place, see pack_word() */
};

/* Too large for the 512 bytes of a BPF stack. */
struct walk_room {
	__u64 frames[MAX_PADDED_FRAMES];
	__u8 window[WALK_WINDOW + CACHE_LINE];
	struct walk_trail trail;
} __attribute__((aligned(CACHE_LINE)));

/* Where code lies: that of file `file` at `bias` plus its offset. */
struct walk_mapping {
	__u64 start, end, bias;
	__u32 file;		/* index into files; 0: code without a file */
	__u32 pad;
};

struct walk {
	__u64 pc, sp, bp, bx;
	struct walk_mapping mapping; /* of the last address looked up */
	__u64 window_start;	/* address of room->window[0] */
	__u32 window_size;	/* bytes that are valid; 0: none */
	__u32 process;
	__u32 nframes, limit;
	__u32 exact;		/* pc is an instruction, not a return address */
	__u32 bp_lost, bx_lost;	/* the register's value is not known */
	__u32 stop;		/* enum stop_reason, once the walk has ended */
	__u32 epoch;
	__u64 hash;
	__u64 origin;		/* the stack pointer at the beginning */
	__u64 first_pc, first_bp, first_bx; /* the registers at the beginning */
	__u64 books;		/* the caller's, as are generation and sizes: part of the place */
	__u64 sizes;
	__u64 bp_from, bx_from;	/* where the value is from: offset above origin, or FROM_... */
	__u32 bp_needed, bx_needed; /* the value at the beginning was used */
	__u32 shard;		/* the caller's: part of the place, too */
	__u32 slack_known;	/* the caller's: what it knows of blocks of this place */
	__u32 generation;
	__u32 ntrail;		/* words in it; more than MAX_TRAIL: it is not whole */
	__u32 reach;		/* bytes of stack that hold them */
	__u32 files_read;	/* the caller's: how many had been when the walk began */
	__u32 unread;		/* it met one that was not */
	__u32 seeks;		/* the caller's: ask is_sought() at each frame */
	__u32 enclosing;	/* the call that was found so; 0: none */
	__u32 row;		/* the last search for a rule ended behind this one */
	__u32 gap;		/* frames may be missing before the next one; see FRAME_GAP */
	__u32 gaps;		/* so many times it was so */
	__u32 most_sites;	/* the caller's: how many places there may be, with a new one */
};

#define FROM_BEGINNING ~0ULL
#define FROM_TRAIL (~0ULL - 1)	/* it is in the trail already */

/* Only this lies on the BPF stack, for repeat() to hand on. */
struct walker {
	struct walk *walk;
	struct walk_room *room;
};

/*
 * Reads the window anew so that it holds `address`. It starts at the frame's own stack pointer
 * where that reaches, because the saved registers of the frame lie between the two.
 */
__noinline int read_window(struct walk *w, struct walk_room *room, __u64 address)
{
	__u64 start, size = WALK_PIECE;

	if (!w || !room)
		return -1;
	start = address - w->sp < WALK_PIECE - 64 ? w->sp : address - 64;
	w->window_size = 0;
	if (user_read(room->window, WALK_PIECE, start)) {
		/* The stack ends before the window does: up to the page's end it must go. */
		start = address;
		size = USER_PAGE - (address & (USER_PAGE - 1));
		if (size > WALK_PIECE)
			size = WALK_PIECE;
		if (user_read(room->window, size, start))
			return -1;
	}
	w->window_start = start;
	w->window_size = size;
	return 0;
}

/* One word of stack; most come from the window that was read in bulk. */
static __always_inline int stack_word(struct walk *w, struct walk_room *room, __u64 address,
				      __u64 *word)
{
	__u64 offset = address - w->window_start;

	if (offset > WALK_PIECE || offset + sizeof(*word) > w->window_size) {
		if (read_window(w, room, address))
			return -1;
		offset = address - w->window_start;
		if (offset + sizeof(*word) > w->window_size)
			return -1;
	}
	*word = *(__u64 *)(room->window + (offset & (WALK_WINDOW - 1)));
	return 0;
}

/* A user address, and above it how many words it lies from where the walk began. */
#define TRAIL_WORD_BITS 48
#define pack_word(word, offset) ((word) | (offset) >> 3 << TRAIL_WORD_BITS)
#define packed_word(packed) ((packed) << (64 - TRAIL_WORD_BITS) >> (64 - TRAIL_WORD_BITS))
#define packed_offset(packed) ((packed) >> TRAIL_WORD_BITS << 3)
#define MAX_REACH (8ULL << (64 - TRAIL_WORD_BITS))

static __always_inline void note(struct walk *w, struct walk_room *room, __u64 offset, __u64 word)
{
	__u32 n = w->ntrail;

	if (n >= MAX_TRAIL || offset & 7 || offset >= MAX_REACH || word >> TRAIL_WORD_BITS) {
		w->ntrail = MAX_TRAIL + 1;
		return;
	}
	room->trail.words[n & (MAX_TRAIL - 1)] = pack_word(word, offset);
	w->ntrail = n + 1;
	if (offset + sizeof(word) > w->reach)
		w->reach = offset + sizeof(word);
}

/* One word of stack that leads the walk. */
static __always_inline int leading_word(struct walk *w, struct walk_room *room, __u64 address,
					__u64 *word)
{
	if (stack_word(w, room, address, word))
		return -1;
	note(w, room, address - w->origin, *word);
	return 0;
}

/* The value of rbp or rbx leads the walk from here on. */
static __always_inline void need_register(struct walk *w, struct walk_room *room, __u64 value,
					  __u64 *from, __u32 *needed)
{
	if (*from == FROM_BEGINNING) {
		*needed = 1;
	} else if (*from != FROM_TRAIL) {
		note(w, room, *from, value);
		*from = FROM_TRAIL;
	}
}

static __always_inline void need_bp(struct walk *w, struct walk_room *room)
{
	need_register(w, room, w->bp, &w->bp_from, &w->bp_needed);
}

/*
 * Are the n words of the trail on the `reach` bytes of stack above `origin` again? One read of just
 * these: what lies above need not be stack. It is the call that costs, not the bytes; and 10 ns, if
 * they do not lie on lines of the cache as those that they are copied to.
 */
static __always_inline int short_trail_holds(struct walk *w, struct walk_room *room,
					     const struct walk_trail *trail, __u32 n, __u32 reach)
{
	__u8 *copy = room->window + (w->origin & (CACHE_LINE - 8));
	__u64 packed;
	__u32 i;

	w->window_size = 0;
	if (user_read(copy, reach & (2 * WALK_WINDOW - 1), w->origin))
		return 0;
	for (i = 0; i < MAX_TRAIL && i < n; i++) {
		packed = trail->words[i];
		if (*(__u64 *)(copy + (packed_offset(packed) & (WALK_WINDOW - 1))) !=
		    packed_word(packed))
			return 0;
	}
	return 1;
}

/* A trail that is followed word by word. */
struct trail_check {
	struct walk *walk;
	struct walk_room *room;
	const struct walk_trail *trail;
	__u32 n;
	__u32 differs;
};

static long check_trail(__u32 i, struct trail_check *check)
{
	struct walk *w = check->walk;
	__u64 packed, word;

	if (i >= check->n)
		return 1;
	packed = check->trail->words[i & (MAX_TRAIL - 1)];
	check->differs = stack_word(w, check->room, w->origin + packed_offset(packed), &word) ||
			 word != packed_word(packed);
	return check->differs;
}

/* The same for trails that reach beyond the window. */
__noinline int long_trail_holds(struct walk *w, struct walk_room *room,
				const struct walk_trail *trail, __u32 n)
{
	struct trail_check check = { w, room, trail, n, 0 };

	if (!w || !room || !trail)
		return 0;
	repeat(MAX_TRAIL, check_trail, &check);
	return !check.differs;
}

/* Binary search for the last element that starts at or below key: it is at low - 1 in the end. */
struct bisection {
	__u64 key;
	__u32 low, high;	/* half-open range of elements not yet compared */
	__u32 file;
};

static long bisect_rows(__u32 i, struct bisection *b)
{
	__u32 middle = b->low + (b->high - b->low) / 2;
	const struct unwind_row *row;

	if (b->low >= b->high)
		return 1;
	row = row_at(b->file, middle);
	if (row && row->start <= b->key)
		b->low = middle + 1;
	else
		b->high = middle;
	return 0;
}

/* Sets w->mapping to the one that holds the address; -1: there is none, w->stop says why. */
static __always_inline int find_mapping(struct walk *w, __u64 address)
{
	if (address - w->mapping.start < w->mapping.end - w->mapping.start)
		return 0;
	return load_mapping(w, address);
}

/*
 * The rule for a place in the file of w->mapping, by search: 0 (CFA_NONE) where there is none; -1:
 * not known yet.
 */
__noinline int search_rule(struct walk *w, __u64 offset)
{
	const struct unwind_row *row;
	const struct code_file *file;
	struct bisection b = {};

	if (!w)
		return 0;
	w->row = 0;
	if (!w->mapping.file)
		return 0;
	file = file_at(w->mapping.file);
	if (!file)
		return 0;
	if (!(*(volatile __u32 *)&file->flags & FILE_READ)) {
		w->stop = STOP_MAPS_CHANGED;
		w->unread = 1;
		return -1;
	}
	b.key = offset;
	b.file = w->mapping.file;
	b.high = file->nrows;
	repeat(25, bisect_rows, &b);		/* 2^24 rows */
	w->row = b.low;
	if (!b.low)
		return 0;
	row = row_at(b.file, b.low - 1);
	return row ? row->rule : 0;
}

/*
 * The rule for an address, from the cache where it is there; -1: none, w->stop says why. The same
 * place in a file has one rule in all processes. An entry of the cache is one word, read and
 * written whole: the product of (file, offset) with an odd constant is a bijection, its high
 * bits are the index, the others the entry's tag, so that an entry names its key exactly. The
 * constant is 2^64 / the golden ratio (Knuth, TAOCP 3, 6.4).
 */
static __always_inline int rule_of(struct walk *w, __u64 address)
{
	__u64 offset, key, tag, entry, *slot;
	int rule;

	if (find_mapping(w, address))
		return -1;
	offset = address - w->mapping.bias;
	key = (offset | (__u64)w->mapping.file << 32) * 0x9e3779b97f4a7c15ULL;
	tag = key << RULE_CACHE_BITS;
	slot = rule_cache_at(key >> (64 - RULE_CACHE_BITS));
	if (!slot || offset >> 32)
		return search_rule(w, offset);
	entry = *(volatile __u64 *)slot;
	if ((entry & ~((1ULL << RULE_CACHE_BITS) - 1)) == tag && (__u16)entry)
		return (__u16)entry;
	rule = search_rule(w, offset);
	if (rule > 0)
		*(volatile __u64 *)slot = tag | (__u16)rule;
	return rule;
}

/* Is the instruction before `pc` a call? E8 rel32, or FF /2 with its longest forms. */
static __always_inline bool after_call(__u64 pc)
{
	__u8 code[8] = {};

	if (user_read(code, 7, pc - 7))
		return false;
	return code[2] == 0xe8 || (code[5] == 0xff && (code[6] & 0x38) == 0x10) ||
	       (code[4] == 0xff && (code[5] & 0x38) == 0x10) ||
	       (code[3] == 0xff && (code[4] & 0x38) == 0x10) ||
	       (code[1] == 0xff && (code[2] & 0x38) == 0x10) ||
	       (code[0] == 0xff && (code[1] & 0x38) == 0x10);
}

/*
 * Bottoms without a call: glibc's makecontext makes the first byte of __start_context the return
 * address, so that what holds at pc - 1 is not meant.
 */
static __always_inline bool returns_to_bottom(struct walk *w)
{
	const struct unwind_rule *rule;
	int index = w->exact ? 0 : rule_of(w, w->pc);

	rule = index > 0 ? rule_at(index) : NULL;
	return rule && rule->cfa == CFA_BOTTOM;
}

#define MAX_BARE_FUNCTION (1 << 16)
#define MAX_BARE_WORDS 128	/* of its frame; in larger ones nothing is certain */

/* What lies below the frame pointer: only this on the BPF stack. */
struct bare_frame {
	struct walk *w;
	struct walk_room *room;
	__u64 function;
	__u64 whole;		/* no return address to it is there */
};

static long search_bare_frame(__u32 i, struct bare_frame *frame)
{
	struct walk *w = frame->w;
	__u64 address = w->sp + 8 * (__u64)i, word;

	if (address >= w->bp) {
		frame->whole = 1;
		return 1;
	}
	return stack_word(w, frame->room, address, &word) ||
	       (word > frame->function && word < w->pc);
}

/*
 * Is w->pc in `function`, whose frame pointer rbp is, and not in one behind it that this called? Then
 * no return address to it lies between the stack and the frame pointer.
 */
__noinline int is_innermost(struct walk *w, struct walk_room *room, __u64 function)
{
	struct bare_frame frame = { w, room, function };

	if (!w || !room)
		return 0;
	w->ntrail = MAX_TRAIL + 1;	/* words of any kind lead this walk */
	repeat(MAX_BARE_WORDS, search_bare_frame, &frame);
	return frame.whole;
}

/*
 * The function that the call before `pc` leads to, if it makes rbp its frame pointer as compilers
 * do: [endbr64] push %rbp; mov %rsp,%rbp. Else 0.
 */
__noinline __u64 called_with_frame(__u64 pc)
{
	__u8 call[5] = {}, code[8] = {};
	__u64 function;
	bool endbr;

	if (user_read(call, sizeof(call), pc - sizeof(call)) || call[0] != 0xe8)
		return 0;
	function = pc + (__s32)(call[1] | call[2] << 8 | call[3] << 16 | (__u32)call[4] << 24);
	if (user_read(code, sizeof(code), function))
		return 0;
	endbr = code[0] == 0xf3 && code[1] == 0x0f && code[2] == 0x1e && code[3] == 0xfa;
	if (endbr ? code[4] != 0x55 || code[5] != 0x48 || (code[6] != 0x89 && code[6] != 0x8b) :
		    code[0] != 0x55 || code[1] != 0x48 || (code[2] != 0x89 && code[2] != 0x8b))
		return 0;
	return function;
}

/*
 * Does the call before `pc` lead to the function at w->pc, without unwind information as that is?
 * `file` and `row` are those of w->pc.
 */
static __always_inline bool calls_this_frame(struct walk *w, struct walk_room *room, __u64 pc,
					     __u32 file, __u32 row)
{
	__u64 function = called_with_frame(pc);

	return function && function < w->pc && w->pc - function <= MAX_BARE_FUNCTION &&
	       is_innermost(w, room, function) &&
	       !rule_of(w, function) && w->mapping.file == file && w->row == row;
}

/*
 * A function without unwind information: if it keeps a frame pointer, that leads on. Believed only
 * where it leads up the stack to an address after a call in mapped code; where that call does not
 * lead here, the frame pointer may be a caller's, and the frames up to it are passed over.
 */
__noinline int step_by_frame_pointer(struct walk *w, struct walk_room *room)
{
	__u64 bp, pc;
	__u32 file, row;

	if (!w || !room)
		return 1;
	file = w->mapping.file;
	row = w->row;
	need_bp(w, room);
	if (returns_to_bottom(w)) {
		w->stop = STOP_BOTTOM;
		return 1;
	}
	if (w->bp_lost || w->bp < w->sp || w->bp & 7 || leading_word(w, room, w->bp, &bp) ||
	    leading_word(w, room, w->bp + 8, &pc) || pc >= USER_TOP || find_mapping(w, pc) ||
	    !after_call(pc)) {
		w->stop = STOP_NO_ROWS;
		return 1;
	}
	w->gap = !calls_this_frame(w, room, pc, file, row);
	w->gaps += w->gap;
	w->sp = w->bp + 16;
	w->bp = bp;
	w->bp_from = FROM_TRAIL;
	w->bx_lost = 1;
	w->pc = pc;
	w->exact = 0;
	return 0;
}

/* A signal frame: the kernel put the interrupted registers into the ucontext at rsp. */
__noinline int step_over_signal(struct walk *w, struct walk_room *room)
{
	__u64 context = w ? w->sp + 40 : 0;	/* offsetof(struct ucontext, uc_mcontext) */

	if (!w || !room)
		return 1;
	/* struct sigcontext: r8..r15, di, si, bp, bx, dx, ax, cx, sp, ip */
	w->bp_from = context + 8 * 10 - w->origin;
	w->bx_from = context + 8 * 11 - w->origin;
	if (stack_word(w, room, context + 8 * 10, &w->bp) ||
	    stack_word(w, room, context + 8 * 11, &w->bx) ||
	    leading_word(w, room, context + 8 * 16, &w->pc) || leading_word(w, room, context + 8 * 15, &w->sp)) {
		w->stop = STOP_STACK_READ;
		return 1;
	}
	w->bp_lost = w->bx_lost = 0;
	w->exact = 1;
	return 0;
}

/* The caller's value of a callee-saved register; sp and bp are this frame's. */
static __always_inline int restore(struct walk *w, struct walk_room *room, __u8 how, __s16 slot,
				   __u64 cfa, __u64 sp, __u64 bp, __u64 *value, __u32 *lost,
				   __u64 *from)
{
	__u64 base = cfa;

	if (how == SAVED_SAME)
		return 0;
	*lost = how == SAVED_UNDEFINED;
	if (how == SAVED_UNDEFINED)
		return 0;
	if (how == SAVED_AT_BP)
		base = bp;
	else if (how == SAVED_AT_SP)
		base = sp;
	*from = base + 8 * slot - w->origin;
	return stack_word(w, room, base + 8 * slot, value);
}

/* The frame's CFA by one of the rarer rules; 0: it cannot be had, see w->stop. */
__noinline __u64 uncommon_cfa(struct walk *w, struct walk_room *room, __u32 kind, __s32 offset,
			      __s32 deref)
{
	__u64 base = 0;

	if (!w || !room)
		return 0;
	w->stop = STOP_REGISTER;
	switch (kind) {
	case CFA_BX:
		need_register(w, room, w->bx, &w->bx_from, &w->bx_needed);
		return w->bx_lost ? 0 : w->bx + offset;
	case CFA_DEREF_BP:
		need_bp(w, room);
		if (w->bp_lost)
			return 0;
		base = w->bp;
		break;
	case CFA_DEREF_SP:
		base = w->sp;
		break;
	case CFA_PLT:
		return w->sp + 8 + ((w->pc & 15) >= (__u32)deref ? 8 : 0);
	case CFA_DAMAGED:
		w->stop = STOP_NO_ROWS;
		return 0;
	default:
		return 0;
	}
	w->stop = STOP_STACK_READ;
	if (leading_word(w, room, base + deref, &base))
		return 0;
	return base + offset;
}

static __always_inline int step_by_rule(struct walk *w, struct walk_room *room,
					const struct unwind_rule *rule)
{
	__u64 cfa, pc = 0, sp = w->sp, bp = w->bp;

	if (rule->cfa == CFA_BP || rule->bp == SAVED_AT_BP || rule->bx == SAVED_AT_BP)
		need_bp(w, room);
	if (rule->cfa == CFA_SP)
		cfa = w->sp + rule->cfa_offset;
	else if (rule->cfa == CFA_BP && !w->bp_lost)
		cfa = w->bp + rule->cfa_offset;
	else
		cfa = uncommon_cfa(w, room, rule->cfa, rule->cfa_offset, rule->deref_offset);
	if (!cfa)
		return 1;
	/* Frames lie upwards. A leaf below a signal may have a CFA equal to its rsp + 8 only. */
	if (cfa <= w->sp) {
		w->stop = STOP_NO_PROGRESS;
		return 1;
	}
	if (leading_word(w, room, cfa + 8 * rule->ra_slot, &pc) ||
	    restore(w, room, rule->bp, rule->bp_slot, cfa, sp, bp, &w->bp, &w->bp_lost,
		    &w->bp_from) ||
	    restore(w, room, rule->bx, rule->bx_slot, cfa, sp, bp, &w->bx, &w->bx_lost,
		    &w->bx_from)) {
		w->stop = STOP_STACK_READ;
		return 1;
	}
	w->sp = cfa;
	w->pc = pc;
	w->exact = 0;
	return 0;
}

/* Notes the frame at w->pc and goes on to its caller; 1 when the walk has ended. */
static long walk_step(__u32 i, struct walker *walker)
{
	struct walk_room *room = walker->room;
	const struct unwind_rule *rule;
	struct walk *w = walker->walk;
	__u32 n = w->nframes;
	__u64 word;
	int index;

	if (n >= w->limit) {
		w->stop = w->limit < MAX_FRAMES ? STOP_LIMIT_ASKED : STOP_DEPTH;
		return 1;
	}
	index = rule_of(w, w->pc - !w->exact);
	if (index < 0 && !w->exact) {
		if (!w->pc) {	/* hand-made stacks end so, for gdb and libdw too */
			w->stop = STOP_BOTTOM;
			return 1;
		}
		word = trampoline_return(w->sp - 8, w->pc);
		if (word) {
			w->ntrail = MAX_TRAIL + 1;	/* it depends on more than the stack */
			w->pc = word;
			index = rule_of(w, w->pc - 1);
		}
	}
	if (w->seeks && is_sought(w))
		return 1;
	word = w->pc | (__u64)(w->exact ? FRAME_EXACT : w->gap ? FRAME_GAP : FRAME_RETURN)
		       << FRAME_TAG_SHIFT;
	w->gap = 0;
	room->frames[n & (MAX_PADDED_FRAMES - 1)] = word;
	w->nframes = n + 1;
	w->hash = (w->hash ^ word) * 0xff51afd7ed558ccdULL;
	w->hash ^= w->hash >> 32;
	if (index < 0)
		return 1;
	rule = rule_at(index);
	if (!rule || rule->cfa == CFA_NONE)
		return step_by_frame_pointer(w, room) != 0;
	if (rule->cfa == CFA_BOTTOM) {
		w->stop = STOP_BOTTOM;
		return 1;
	}
	if (rule->cfa == CFA_SIGNAL)
		return step_over_signal(w, room) != 0;
	return step_by_rule(w, room, rule) != 0;
}

/*
 * Walks up from w->pc, sp, bp, bx (with process, epoch, limit and exact set, the rest zero).
 * Leaves the frames in room->frames, padded with zeros to a multiple of FRAME_GROUP, their number,
 * why the walk ended, and a hash.
 */
static __always_inline void walk_stack(struct walk *w, struct walk_room *room)
{
	struct walker walker = { w, room };
	__u32 i, n;

	w->origin = w->sp;
	w->first_pc = w->pc;
	w->first_bp = w->bp;
	w->first_bx = w->bx;
	w->bp_from = w->bx_from = FROM_BEGINNING;
	w->ntrail = 0;
	repeat(MAX_FRAMES + 1, walk_step, &walker);
	if (w->gaps && (w->stop == STOP_BOTTOM || w->stop == STOP_LIMIT_ASKED))
		w->stop = STOP_GAP;
	n = w->nframes;
	for (i = n; i < n + FRAME_GROUP - 1 && i < MAX_PADDED_FRAMES; i++)	/* no memset in BPF */
		*(volatile __u64 *)&room->frames[i & (MAX_PADDED_FRAMES - 1)] = 0;
}

#endif
