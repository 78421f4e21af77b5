/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Where stacks led that were walked before. Most calls of a program come from few stacks, and to
 * read again the words that led a walk is less than to walk.
 *
 * All threads of all processes share the entries. An entry has a turn, which is odd while somebody
 * writes it: who reads it looks at the turn before and after, who finds it odd does without (a
 * sequence lock, whose writers do not wait). The same source compiles for the host, after unwind.h.
 */
#ifndef MT_BPF_MEMO_H
#define MT_BPF_MEMO_H

#include "ordering.h"

/* A walk that begins with these registers, and would find the words of the trail, ends at `site`. */
struct stack_memo {
	__u32 turn;
	__u32 site;		/* 0: nothing is remembered */
	__u64 books;		/* struct process's id */
	__u64 pc, sp, bp, bx;
	__u64 sizes;
	__u32 epoch;		/* struct process's */
	__u32 generation;	/* value of `counting` */
	__u32 shard;
	__u16 ntrail;
	__u8 bp_needed, bx_needed; /* 0: the value does not matter */
	__u32 reach;
	__u32 files_read;	/* it holds until more are; 0: longer */
	struct walk_trail trail;
};

static __always_inline __u32 memo_index(const struct walk *w, __u32 bits)
{
	__u64 key = w->pc << 4 ^ w->sp ^ w->sizes << 48 ^ w->books << 20 ^ w->shard;

	return key * 0x9e3779b97f4a7c15ULL >> (64 - bits);
}

/* Does the memo speak of a walk that begins like this one? */
static __always_inline bool begins_alike(const struct stack_memo *memo, const struct walk *w)
{
	return memo->pc == w->pc && memo->sp == w->sp && memo->books == w->books &&
	       memo->sizes == w->sizes && memo->epoch == w->epoch &&
	       memo->generation == w->generation && memo->shard == w->shard &&
	       (!memo->files_read || memo->files_read == w->files_read) &&
	       (!memo->bp_needed || memo->bp == w->bp) && (!memo->bx_needed || memo->bx == w->bx);
}

/* The site of a stack that was met before, without walking it; 0: not known. */
static __always_inline __u32 recall_site(const struct stack_memo *memo, struct walk *w,
					 struct walk_room *room)
{
	__u32 turn = load_acquire(&memo->turn), site = memo->site, reach = memo->reach;

	if (turn & 1 || !site || !begins_alike(memo, w))
		return 0;
	w->origin = w->sp;
	if (reach <= WALK_WINDOW ? !short_trail_holds(w, room, &memo->trail, memo->ntrail, reach) :
				   !long_trail_holds(w, room, &memo->trail, memo->ntrail))
		return 0;
	loads_in_order();
	return load_acquire(&memo->turn) == turn ? site : 0;
}

/* Remembers where the walk led, which has ended, in the place of what is there. */
__noinline int note_memo(struct stack_memo *memo, const struct walk *w,
			 const struct walk_room *room, __u32 site)
{
	__u32 turn, i;

	if (!memo || !w || !room)
		return 0;
	turn = load_acquire(&memo->turn);
	if (turn & 1 || __sync_val_compare_and_swap(&memo->turn, turn, turn + 1) != turn)
		return 0;
	memo->site = site;
	memo->books = w->books;
	memo->pc = w->first_pc;
	memo->sp = w->origin;
	memo->bp = w->first_bp;
	memo->bx = w->first_bx;
	memo->sizes = w->sizes;
	memo->epoch = w->epoch;
	memo->generation = w->generation;
	memo->shard = w->shard;
	memo->ntrail = w->ntrail;
	memo->bp_needed = w->bp_needed;
	memo->bx_needed = w->bx_needed;
	memo->reach = w->reach;
	memo->files_read = w->unread ? w->files_read : 0;
	for (i = 0; i < MAX_TRAIL && i < w->ntrail; i++)
		memo->trail.words[i] = room->trail.words[i];
	store_release(&memo->turn, turn + 2);
	return 0;
}

#endif
