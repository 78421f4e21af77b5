/* SPDX-License-Identifier: GPL-2.0 */
/*
 * From the registers of a traced thread to a site id: walk the stack, then intern it. Two stacks
 * are the same only when every frame is; the hash merely finds the candidates.
 */
#ifndef MT_BPF_STACK_H
#define MT_BPF_STACK_H

/* Addresses of code may mean another place from now on. */
static __always_inline void begin_epoch(struct process *process)
{
	__sync_fetch_and_add(&process->epoch, 1);
}

/* The walk from `pc`, a return address, with the stack pointer and registers of after the return. */
static __always_inline void begin_walk(struct walk *w, const struct thread *thread,
				       struct process *process, const struct pt_regs *ctx,
				       __u64 pc, __u64 sp)
{
	__u64 pages = owner_of(thread)->mm->exec_vm;

	/* Code may go without the dynamic linker's knowledge. */
	if (pages != process->exec_pages) {
		if (pages < process->exec_pages)
			begin_epoch(process);
		process->exec_pages = pages;
	}
	__builtin_memset(w, 0, sizeof(*w));
	w->pc = pc;
	w->sp = sp;
	w->bp = ctx->bp;
	w->bx = ctx->bx;
	w->process = thread->process;
	w->books = thread->books;
	w->generation = thread->generation;
	w->files_read = load_acquire(&files_read);
	w->epoch = *(volatile __u32 *)&process->epoch;
	w->limit = nframe_limit;
}

/* Of a stack, padded with zeros. */
struct padded_frames {
	__u64 words[MAX_PADDED_FRAMES];
};

/* Global functions, like this one, are verified once and not for every way that leads to them. */
__noinline int frames_equal(const struct padded_frames *known, const struct walk_room *room,
			    __u32 n)
{
	const __u64 *a, *b;
	__u32 i;

	if (!known || !room)
		return 0;
	a = known->words;
	b = room->frames;
	for (i = 0; i < MAX_PADDED_FRAMES; i += FRAME_GROUP) {
		if (i >= n)
			break;
		if ((a[i] ^ b[i]) | (a[i + 1] ^ b[i + 1]) | (a[i + 2] ^ b[i + 2]) |
		    (a[i + 3] ^ b[i + 3]))
			return 0;
	}
	return 1;
}

/* What is looked for in the two buckets of a hash. */
struct site_search {
	__u64 hash;
	__u32 process, epoch;
	__u32 nframes, stop, shard;
	__u64 sizes;
	__u32 site;		/* found; 0: not yet */
	__u32 nfree1, nfree2;	/* free slots of each bucket, and the last of them */
	__u32 last_free1, last_free2;
};

/* Only this lies on the BPF stack of who searches. */
struct site_searcher {
	struct site_search *search;
	const struct walk_room *room;
};

static __always_inline bool is_site(const struct site *site, const struct site_search *search,
				    const struct walk_room *room)
{
	const __u64 *known;

	if (site->hash != search->hash || site->process != search->process ||
	    site->epoch != search->epoch || site->nframes != search->nframes ||
	    site->stop != search->stop || site->shard != search->shard || site->sizes != search->sizes)
		return false;
	known = frames_at(site->frames);
	return known && frames_equal((const void *)known, room, search->nframes);
}

static long site_search_step(__u32 i, struct site_searcher *searcher)
{
	struct site_search *search = searcher->search;
	__u32 which = i >= SITE_BUCKET;
	__u32 index = site_bucket(search->hash, which, site_buckets) + (i & (SITE_BUCKET - 1));
	__u64 *slot = bpf_map_lookup_elem(&site_slots, &index), word;
	const struct site *site;

	if (!slot)
		return 1;
	word = *(volatile __u64 *)slot;
	if (!word && which) {
		search->nfree2++;
		search->last_free2 = index;
	} else if (!word) {
		search->nfree1++;
		search->last_free1 = index;
	} else if (word >> 32 == (__u32)search->hash) {
		site = site_at((__u32)word);
		if (site && is_site(site, search, searcher->room)) {
			search->site = word;
			return 1;
		}
	}
	return 0;
}

__noinline int search_site(struct site_search *search, const struct walk_room *room)
{
	struct site_searcher searcher = { search, room };

	if (!search || !room)
		return 0;
	bpf_loop(2 * SITE_BUCKET, site_search_step, &searcher, 0);
	return 0;
}

/* Room for the words of a stack; 0 where there is none. */
static __always_inline __u32 take_frames(__u32 ngroups)
{
	__u32 frames, nwords = ngroups * FRAME_GROUP;

	if (ngroups >= FRAME_LENGTHS)
		return 0;
	frames = take_free(&free_frames[ngroups], frames_at, [0]);
	if (frames)
		return frames;
	/* What is asked for while there is no room must not move on: user space could never catch up. */
	if (!frames_at(*(volatile __u32 *)&next_frame)) {
		ask_to_grow(&piece_requests);
		return 0;
	}
	frames = __sync_fetch_and_add(&next_frame, nwords);
	if ((frames ^ (frames + nwords)) >> (FRAME_PIECE_SHIFT - 2))
		ask_to_grow(&piece_requests);
	return frames;
}

/* A site that nobody has, out of `most`; 0: there is none. */
__noinline __u32 take_site(__u32 most)
{
	__u32 id = take_free(&free_sites, site_at, ->next);

	if (id)
		return id;
	id = *(volatile __u32 *)&next_site;
	if (id > most)		/* the first is 1 */
		return 0;
	if (!site_at(id)) {
		ask_to_grow(&piece_requests);
		count_lost(LOST_STACKS_MEMORY);
		return 0;
	}
	id = __sync_fetch_and_add(&next_site, 1);
	if ((id & (SITE_PIECE / 4 - 1)) == 0)	/* in good time */
		ask_to_grow(&piece_requests);
	return id;
}

/* A new site with the stack in the room, which is nowhere to be found yet; 0: none can be had. */
__noinline __u32 new_site(struct walk *w, struct walk_room *room, __u64 hash)
{
	__u32 i, id, frames;
	struct site *site;
	__u64 *words;

	if (!w || !room)
		return 0;
	id = take_site(w->most_sites);
	site = id ? site_at(id) : NULL;
	if (!site)
		return 0;
	frames = take_frames((w->nframes + FRAME_GROUP - 1) / FRAME_GROUP);
	words = frames ? frames_at(frames) : NULL;
	if (!words) {
		give_free(&free_sites, id, &site->next);
		count_lost(LOST_STACKS_MEMORY);
		return 0;
	}
	for (i = 0; i < MAX_PADDED_FRAMES; i++) {
		if (i >= ((w->nframes + FRAME_GROUP - 1) & ~(FRAME_GROUP - 1)))
			break;
		words[i] = room->frames[i];
	}
	site->process = w->process;
	site->epoch = w->epoch;
	site->hash = hash;
	site->frames = frames;
	site->nframes = w->nframes;
	site->stop = w->stop;
	site->shard = w->shard;
	site->sizes = w->sizes;
	site->slack_known = w->slack_known;
	return id;
}

/* Gives a new site back that is still nowhere to be found. */
__noinline int drop_site(__u32 id)
{
	struct site *site = site_at(id);
	__u64 *words = site ? frames_at(site->frames) : NULL;
	__u32 ngroups;

	if (!words)
		return 0;
	ngroups = (site->nframes + FRAME_GROUP - 1) / FRAME_GROUP;
	if (ngroups) {
		asm volatile("" : "+r"(ngroups));	/* or both are one comparison of n - 1 */
		if (ngroups < FRAME_LENGTHS)
			give_free(&free_frames[ngroups], site->frames, (__u32 *)words);
	}
	give_free(&free_sites, id, &site->next);
	return 0;
}

/* Puts a site at the head of its process' list. */
__noinline int list_site(struct process *process, struct site *site, __u32 id)
{
	__u32 i, head;

	if (!process || !site)
		return 0;
	for (i = 0; i < 64; i++) {
		head = *(volatile __u32 *)&process->sites;
		site->next = head;
		if (__sync_val_compare_and_swap(&process->sites, head, id) == head) {
			__sync_fetch_and_add(&process->nsites, 1);
			return 0;
		}
	}
	/* No report finds it: its blocks are shown as those without a stack. */
	count_lost(LOST_STACKS_MEMORY);
	return 0;
}

/*
 * The site of the stack in the room, made if new. Whoever finds the slot taken that it wanted searches
 * again. A stack can still get two sites, where slots were freed in between; user space adds them.
 */
__noinline __u32 find_site(struct walk *w, struct walk_room *room)
{
	struct site_search search = {};
	struct process *process;
	__u32 i, free, fresh = 0;
	struct site *site;
	__u64 *slot;

	if (!w || !room)
		return 0;
	process = process_at(w->process);
	if (!process)
		return 0;
	search.nframes = w->nframes;
	search.stop = w->stop;
	search.shard = w->shard;
	search.sizes = w->sizes;
	search.process = w->process;
	search.epoch = w->epoch;
	search.hash = (w->hash ^ w->process ^ (__u64)w->shard << 60 ^ w->sizes << 32) * 0xc4ceb9fe1a85ec53ULL;
	search.hash ^= search.hash >> 29;
	for (i = 0; i < 4; i++) {
		search.nfree1 = search.nfree2 = 0;
		search_site(&search, room);
		if (search.site)
			break;
		free = search.nfree2 > search.nfree1 ? search.last_free2 : search.last_free1;
		if (!search.nfree1 && !search.nfree2)
			break;
		if (!fresh)
			fresh = new_site(w, room, search.hash);
		slot = fresh ? bpf_map_lookup_elem(&site_slots, &free) : NULL;
		site = slot ? site_at(fresh) : NULL;
		if (!site)
			return 0;
		if (!__sync_val_compare_and_swap(slot, 0, search.hash << 32 | fresh)) {
			list_site(process, site, fresh);
			return fresh;
		}
	}
	if (fresh)
		drop_site(fresh);
	if (!search.site)
		count_lost(LOST_STACKS_MEMORY);
	return search.site;
}

static __always_inline bool table_is_full(__u32 most)
{
	return *(volatile __u32 *)&next_site > most && !(*(volatile __u64 *)&free_sites & FREE_LIST_INDEX);
}

/*
 * The site of the walked stack. Where there is no room for one more, its first frames may have been
 * met, and are few: a part of the table is kept for these, and a part for single ones.
 */
__noinline __u32 site_of(struct walk *w, struct walk_room *room)
{
	__u32 site;

	if (!w || !room)
		return 0;
	w->most_sites = max_sites;
	site = find_site(w, room);
	if (site || !table_is_full(max_sites))
		return site;
	if (w->nframes > FRAME_GROUP) {
		w->nframes = FRAME_GROUP;
		w->stop = STOP_TABLE_FULL;
	}
	w->hash = (room->frames[0] ^ room->frames[1] * 3 ^ room->frames[2] * 5 ^
		   room->frames[3] * 7) * 0x9e3779b97f4a7c15ULL;
	w->most_sites = SITES_WITH_FIRST_FRAMES(max_sites);
	site = find_site(w, room);
	if (site || !table_is_full(w->most_sites))
		return site;
	if (w->nframes > 1) {
		w->nframes = 1;
		w->stop = STOP_TABLE_FULL;
	}
	room->frames[1] = room->frames[2] = room->frames[3] = 0;
	w->hash = room->frames[0] * 0x9e3779b97f4a7c15ULL;
	w->most_sites = SITES_IN_ALL(max_sites);
	site = find_site(w, room);
	if (!site && table_is_full(w->most_sites))
		count_lost(LOST_STACKS_FULL);
	return site;
}

/* ---- what a walk needs ---- */

/* The thread's own, for when others of its CPU have been preempted in all that there are. */
static __noinline struct scratch *own_scratch(void)
{
	struct scratch *own = bpf_task_storage_get(&own_scratches, bpf_get_current_task_btf(), NULL,
						   BPF_LOCAL_STORAGE_GET_F_CREATE);

	if (!own)
		count_lost(LOST_STACKS_MEMORY);
	return own;
}

/* To be left again; NULL: the kernel had no memory, and that was counted. */
static __always_inline struct scratch *take_scratch(void)
{
	__u32 i, index = bpf_get_smp_processor_id() * CPU_SCRATCHES;
	struct scratch *scratch;

	for (i = 0; i < CPU_SCRATCHES && share_rooms; i++, index++) {
		scratch = bpf_map_lookup_elem(&scratches, &index);
		if (scratch && !load_acquire(&scratch->taken) &&
		    !__sync_val_compare_and_swap(&scratch->taken, 0, 1))
			return scratch;
	}
	return own_scratch();
}

static __always_inline void leave_scratch(struct scratch *scratch)
{
	store_release(&scratch->taken, 0);
}

/* The site of the stack that the walk begins with. */
__noinline __u32 place(struct walk *w, struct walk_room *room)
{
	struct stack_memo *memo;
	__u32 index, site;

	if (!w || !room)
		return 0;
	index = memo_index(w, MEMO_BITS);
	memo = bpf_map_lookup_elem(&memos, &index);
	site = memo ? recall_site(memo, w, room) : 0;
	if (site)
		return site;
	walk_stack(w, room);
	site = site_of(w, room);
	/* While somebody changes the mappings, the next walk may lead further. */
	if (w->ntrail <= MAX_TRAIL && (w->stop != STOP_MAPS_CHANGED || w->unread))
		note_memo(memo, w, room, site);
	return site;
}

#endif
