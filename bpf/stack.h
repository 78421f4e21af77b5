/* SPDX-License-Identifier: GPL-2.0 */
/*
 * From the registers of a traced thread to a site id: walk the stack, then intern it. Two stacks
 * are the same only when every frame is; the hash merely finds the candidates.
 */
#ifndef MT_STACK_H
#define MT_STACK_H

#define MAX_CHAIN 64	/* sites looked at under one head; at most one head a site, so far from it */

/* The walk from `pc`, a return address, with the stack pointer and registers of after the return. */
static __always_inline void begin_walk(struct walk *w, const struct process *process,
				       const struct pt_regs *ctx, __u64 pc, __u64 sp)
{
	const struct space *space = space_at(process->space);

	__builtin_memset(w, 0, sizeof(*w));
	w->pc = pc;
	w->sp = sp;
	w->bp = ctx->bp;
	w->bx = ctx->bx;
	w->space = process->space;
	w->epoch = space ? space->epoch : 0;
	w->version = space ? space->version : 0;
	w->limit = nframe_limit;
	if (process->changes != process->changes_read)
		w->changing = process->changing;
}

/* Do the frames of the pool from `known` equal those in the room? Both are padded with zeros. */
static __always_inline bool frames_equal(const __u64 *known, const __u64 *room, __u32 n)
{
	__u32 i;

	for (i = 0; i < MAX_PADDED_FRAMES; i += FRAME_GROUP) {
		if (i >= n)
			break;
		if ((known[i] ^ room[i]) | (known[i + 1] ^ room[i + 1]) |
		    (known[i + 2] ^ room[i + 2]) | (known[i + 3] ^ room[i + 3]))
			return false;
	}
	return true;
}

/* What is looked for in a chain of sites. */
struct site_search {
	struct walk_room *room;
	__u64 hash;
	__u32 process, epoch;
	__u32 nframes, stop, size_class;
	__u32 site;		/* where the search stands; the result when found */
	__u32 found;
};

static long site_search_step(__u32 i, struct site_search *search)
{
	struct site *site;
	__u64 *known;

	if (!search->site)
		return 1;
	site = site_at(search->site);
	if (!site)
		return 1;
	if (site->hash == search->hash && site->process == search->process &&
	    site->epoch == search->epoch && site->nframes == search->nframes &&
	    site->stop == search->stop && site->size_class == search->size_class) {
		known = frames_at(site->frames);
		if (known && frames_equal(known, search->room->frames, search->nframes)) {
			search->found = 1;
			return 1;
		}
	}
	search->site = site->next;
	return 0;
}

/* Asks for pieces in good time: four times a piece, so that one answer may come late. */
static __always_inline void ask_for_pieces(__u32 site, __u32 frames, __u32 nwords)
{
	if ((site & (SITE_PIECE / 4 - 1)) == 0 ||
	    (frames ^ (frames + nwords)) >> (FRAME_PIECE_SHIFT - 2))
		ask_to_grow();
}

/* A new site with the stack in the room, not yet in a chain; 0: none could be had. */
__noinline __u32 new_site(struct walk *w, struct walk_room *room, __u32 process, __u64 hash)
{
	__u32 i, id, frames, nwords;
	struct site *site;
	__u64 *words;

	if (!w || !room)
		return 0;
	if (next_site > max_sites) {	/* the first is 1 */
		count_lost(LOST_STACKS_FULL);
		return 0;
	}
	/* What is asked for while there is no room must not move on: user space could never catch up. */
	if (!frames_at(next_frame) || !site_at(next_site)) {
		count_lost(LOST_STACKS_MEMORY);
		return 0;
	}
	nwords = (w->nframes + FRAME_GROUP - 1) & ~(FRAME_GROUP - 1);
	frames = __sync_fetch_and_add(&next_frame, nwords);
	words = frames_at(frames);
	id = __sync_fetch_and_add(&next_site, 1);
	site = site_at(id);
	if (!words || !site) {
		count_lost(LOST_STACKS_MEMORY);
		return 0;
	}
	ask_for_pieces(id, frames, nwords);
	for (i = 0; i < MAX_PADDED_FRAMES; i++) {
		if (i >= w->nframes)
			break;
		words[i] = room->frames[i];
	}
	site->process = process;
	site->epoch = w->epoch;
	site->hash = hash;
	site->frames = frames;
	site->nframes = w->nframes;
	site->stop = w->stop;
	site->size_class = w->size_class;
	return id;
}

/*
 * The site of the walked stack, made if new. Chains only ever grow at their head, by compare and
 * swap: whoever loses the race searches again from the new head, so that no stack gets two sites.
 */
__noinline __u32 site_of(struct walk *w, struct walk_room *room, __u32 process)
{
	struct site_search search = {};
	__u32 i, head, fresh = 0;
	struct site *site;
	__u64 *slot, first;

	if (!w || !room)
		return 0;
	search.room = room;
	search.nframes = w->nframes;
	search.stop = w->stop;
	search.size_class = w->size_class;
	search.process = process;
	search.epoch = w->epoch;
	search.hash = (w->hash ^ process ^ (__u64)w->size_class << 32) * 0xc4ceb9fe1a85ec53ULL;
	head = (search.hash >> 32) & site_heads_mask;
	slot = bpf_map_lookup_elem(&site_heads, &head);
	if (!slot)
		return 0;
	for (i = 0; i < 4; i++) {
		first = *(volatile __u64 *)slot;
		search.site = first;
		bpf_loop(MAX_CHAIN, site_search_step, &search, 0);
		if (search.found)
			return search.site;
		if (search.site)
			break;	/* longer than MAX_CHAIN */
		if (!fresh)
			fresh = new_site(w, room, process, search.hash);
		site = fresh ? site_at(fresh) : NULL;
		if (!site)
			return 0;
		site->next = first;
		if (__sync_val_compare_and_swap(slot, first, (__u64)fresh) == first)
			return fresh;
	}
	count_lost(LOST_STACKS_MEMORY);
	return 0;
}

/* The site of a stack that this thread was at not long ago, without walking it; 0: not known. */
static __always_inline __u32 recall_site(struct thread *thread)
{
	struct walk *w = &thread->walk;
	struct stack_memo *memo;

	w->trail = ((w->pc >> 2) ^ (w->sp >> 4) ^ w->size_class) & (MAX_TRAILS - 1);
	memo = &thread->memos[w->trail & (MAX_TRAILS - 1)];
	if (!memo->site || memo->pc != w->pc || memo->sp != w->sp || memo->version != w->version ||
	    memo->size_class != w->size_class ||
	    (memo->bp_needed && memo->bp != w->bp) || (memo->bx_needed && memo->bx != w->bx) ||
	    w->changing)
		return 0;
	w->origin = w->sp;
	return trail_holds(w, &thread->room, memo->ntrail) ? memo->site : 0;
}

/* The site of the stack that the walk begins with. */
static __always_inline __u32 place(struct thread *thread)
{
	struct walk *w = &thread->walk;
	__u32 site = recall_site(thread);
	struct stack_memo *memo;

	if (site)
		return site;
	memo = &thread->memos[w->trail & (MAX_TRAILS - 1)];
	memo->site = 0;
	memo->pc = w->pc;
	memo->sp = w->sp;
	memo->bp = w->bp;
	memo->bx = w->bx;
	memo->version = w->version;
	memo->size_class = w->size_class;
	walk_stack(w, &thread->room);
	site = site_of(w, &thread->room, thread->process);
	if (w->ntrail <= MAX_TRAIL && !w->changing) {
		memo->ntrail = w->ntrail;
		memo->bp_needed = w->bp_needed;
		memo->bx_needed = w->bx_needed;
		memo->site = site;
	}
	return site;
}

#endif
