/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which call owns a block. The allocator's functions call and tail-call each other; the outermost
 * call on a stack owns what comes back, with the size that its caller asked for.
 *
 * But of the calls that may end in an exception the innermost owns: they call code of the program, a
 * std::new_handler, whose blocks are its own.
 */
#ifndef MT_BPF_ALLOCATION_H
#define MT_BPF_ALLOCATION_H

/* A block ended that is not in the books. */
static __always_inline void count_unmatched(struct process *process)
{
	if (sample_bytes)	/* most are not in the books */
		return;
	if (process->flags & PROCESS_FORKED)
		__sync_fetch_and_add(&process->frees_inherited, 1);
	else
		count_lost(LOST_FREES_UNMATCHED);
}

/*
 * Is a call that begins at `sp` part of the call in progress, which has a return probe? Yes below its
 * frame. At the same depth it is a tail call if the return address is already the trampoline's; else
 * the call in progress ended unseen (longjmp, or the kernel had no memory to catch its return), or
 * this is another stack, to which a hook of the allocator has switched.
 */
static __always_inline bool is_nested(struct thread *thread, __u64 sp)
{
	__u64 back = 0;

	if (thread->call_sp - sp - 1 < CALL_REACH)
		return true;
	if (sp == thread->call_sp && !bpf_probe_read_user(&back, sizeof(back), (void *)sp) &&
	    is_trampoline(back))
		return true;
	count_lost(LOST_BLOCKS_RETURN);
	thread->call = CALL_NONE;
	return false;
}

/* n * size as the allocator sees it: what overflows is more than there can be. */
static __always_inline __u64 product(__u64 n, __u64 size)
{
	__u64 most = ~0ULL;

	asm volatile("" : "+r"(most));	/* or clang makes it a 128-bit product, which BPF has not */
	if ((n | size) >> 32 && n && most / n < size)
		return most;
	return n * size;
}

/* Not on the stack, of which there is little. */
static __always_inline struct block_key *key_of(struct thread *thread, __u64 address)
{
	thread->key.address = address;
	thread->key.process = thread->process;
	thread->key.moved = 0;
	return &thread->key;
}

/* The thread's last block is no more what it was. */
static __always_inline void forget_last(struct thread *thread, __u64 address)
{
	if (thread->last.address == address)
		thread->last.address = 0;
}

static __always_inline void take_old_block(struct thread *thread, struct asked *asked)
{
	asked->old_known = asked->pointer &&
			   take_block(key_of(thread, asked->pointer), &asked->old);
	forget_last(thread, asked->pointer);
}

static __always_inline __u64 argument(const struct pt_regs *ctx, enum call_register where)
{
	__u64 value = 0;

	switch (where) {
/* The verifier takes no computed offset into the registers: keep the loads where they are. */
#define REGISTER(name, field)                                                                      \
	case IN_##name:                                                                            \
		value = ctx->field;                                                                \
		asm volatile("" : "+r"(value));                                                    \
		break;
	REGISTER(DI, di)
	REGISTER(SI, si)
	REGISTER(DX, dx)
	REGISTER(CX, cx)
	REGISTER(R8, r8)
	REGISTER(R9, r9)
	REGISTER(AX, ax)
	REGISTER(R10, r10)
	REGISTER(R11, r11)
	REGISTER(BX, bx)
	REGISTER(BP, bp)
	REGISTER(R12, r12)
	REGISTER(R13, r13)
	REGISTER(R14, r14)
	REGISTER(R15, r15)
#undef REGISTER
	default:
		break;
	}
	return value;
}

static __always_inline __u64 size_asked_for(const struct pt_regs *ctx, __u32 call)
{
	__u64 size = argument(ctx, CALL_SIZE(call));

	if (!CALL_COUNT(call) || CALL_KIND(call) == CALL_RESIZES)
		return size;
	return product(argument(ctx, CALL_COUNT(call)), size);
}

/* Does the call turn a block into another? */
static __always_inline bool has_old_block(__u32 call)
{
	return CALL_KIND(call) >= CALL_REALLOCATES && CALL_KIND(call) <= CALL_RESIZES;
}

/* Which pending call is the one that begins part of; 0: none. */
static __noinline __u32 enclosing_call(struct pt_regs *ctx, struct thread *thread,
				       struct process *process)
{
	struct scratch *scratch;
	__u32 enclosing;
	struct walk *w;

	if (!ctx || !thread || !process)
		return CALL_NONE;
	scratch = take_scratch();
	if (!scratch)
		return CALL_NONE;
	w = &scratch->walk;
	begin_walk(w, thread, process, ctx, return_address(PT_REGS_SP(ctx)),
		   PT_REGS_SP(ctx) + 8);
	w->limit = MAX_FRAMES;
	w->seeks = 1;
	walk_stack(w, &scratch->room);
	enclosing = w->enclosing;
	leave_scratch(scratch);
	return enclosing;
}

static __always_inline bool is_enclosed(struct pt_regs *ctx, struct thread *thread)
{
	struct process *process;
	__u32 call;

	if (!may_be_enclosed(thread->process, PT_REGS_SP(ctx)))
		return false;
	process = process_at(thread->process);
	call = process ? enclosing_call(ctx, thread, process) : CALL_NONE;
	return call && (sample_bytes || CALL_KIND(call) != CALL_NEWS);
}

/* Has another call been decided on that this one is part of? */
static __always_inline bool is_part(struct pt_regs *ctx, struct thread *thread, __u32 call)
{
	__u64 sp = PT_REGS_SP(ctx);

	return (thread->call && is_nested(thread, sp)) || is_enclosed(ctx, thread) ||
	       (sample_bytes && is_part_of_passed(thread, sp, call));
}

/* Notes what the call was asked for. False: whatever it does, nothing comes of it. */
static __always_inline bool note_asked(struct pt_regs *ctx, struct thread *thread, __u32 call,
				       struct asked *asked)
{
	asked->size = size_asked_for(ctx, call);
	asked->pointer = argument(ctx, CALL_POINTER(call));
	asked->old_known = 0;
	if (CALL_KIND(call) == CALL_RESIZES)
		asked->extra = argument(ctx, CALL_COUNT(call));
	thread->freed = 0;
	/* After the call the old address may already be another thread's. */
	if (has_old_block(call))
		take_old_block(thread, asked);
	asked->hit = !sample_bytes || is_hit(thread, asked->size);
	return asked->hit || asked->old_known;
}

/* A pending call has ended unseen: the block that it was given is as it was. */
static __always_inline void leave_pending(struct thread *thread, struct pending_call *call)
{
	struct process *process = process_at(thread->process);

	thread->ended = call->asked;
	end_pending(call);
	if (!process || !thread->ended.old_known)
		return;
	thread->ended.old.last = 0;
	if (!put_block(&thread->last, process, key_of(thread, thread->ended.pointer),
		       &thread->ended.old))
		book_out(process, thread->process, &thread->ended.old, false, thread->alone);
}

/* The thread's own pending call at the stack pointer, if it is not the one that begins. NULL: none. */
static __always_inline struct pending_call *jumped_from(struct pt_regs *ctx, struct thread *thread)
{
	__u32 slot = find_pending(pending_key(thread->process, PT_REGS_SP(ctx)));
	struct pending_call *call = pending_slot(slot - 1);

	if (!slot)
		return NULL;
	if (call->books != thread->books) {
		end_pending(call);
		return NULL;
	}
	if (call->function != PT_REGS_IP(ctx) && call->back == return_address(PT_REGS_SP(ctx)))
		return call;
	if (CALL_KIND(call->call) != CALL_NEWS && call->asked.hit)
		count_lost(LOST_BLOCKS_RETURN);
	leave_pending(thread, call);
	return NULL;
}

/* Entry of a call that may return a block. True: its return has to be seen. */
static __always_inline bool call_begins(struct pt_regs *ctx, struct thread *thread, __u32 call)
{
	__u64 sp = PT_REGS_SP(ctx);
	struct pending_call *from;

	if (may_be_enclosed(thread->process, sp)) {
		from = jumped_from(ctx, thread);
		if (from)	/* its own return is not seen any more */
			leave_pending(thread, from);
	}
	if (is_part(ctx, thread, call))
		return false;
	thread->call_sp = sp;
	thread->call = note_asked(ctx, thread, call, &thread->asked) ? call : CALL_NONE;
	if (!thread->call)
		let_pass(thread, sp, call);
	return thread->call;
}

/* Entry of a call without a return probe. */
static __always_inline void pending_begins(struct pt_regs *ctx, struct thread *thread, __u32 call)
{
	__u64 sp = PT_REGS_SP(ctx), key;
	struct pending_call *new, *from;
	__u32 slot;

	from = jumped_from(ctx, thread);
	if (is_part(ctx, thread, call))
		return;
	if (from)
		leave_pending(thread, from);
	key = pending_key(thread->process, sp);
	slot = claim_pending(key);
	new = pending_slot(slot - 1);
	if (!slot) {
		count_lost(LOST_BLOCKS_RETURN);
		return;
	}
	new->encloses = CALL_KIND(call) != CALL_NEWS || sample_bytes || keep_regions;
	new->books = thread->books;
	new->back = return_address(sp);
	new->function = PT_REGS_IP(ctx);
	new->nblocks = thread->nblocks;
	new->call = call;
	note_asked(ctx, thread, call, &new->asked);
	if (new->encloses)
		__sync_fetch_and_add(nearby(thread->process, sp), 1);
}

/* What came of resizing in place: the block's address, or 0 if it is as it was. */
static __always_inline __u64 resized_block(struct asked *asked, __u64 usable)
{
	if (usable < asked->size)
		return 0;
	/* It is of the size that was asked for, or of as much more as there was. */
	asked->size += asked->extra < usable - asked->size ? asked->extra : usable - asked->size;
	return asked->pointer;
}

/* The address that the call has got; 0: it failed, or gets none. */
static __always_inline __u64 returned_block(struct asked *asked, __u32 call, __u64 returned)
{
	__u64 address = returned;

	if (CALL_KIND(call) == CALL_RESIZES)
		return resized_block(asked, returned);
	if (CALL_KIND(call) != CALL_STORES)
		return returned;
	if ((__u32)returned ||
	    bpf_probe_read_user(&address, sizeof(address), (void *)asked->pointer))
		return 0;
	return address;
}

/* What realloc made of the block that it was given. */
static __always_inline void end_old_block(struct thread *thread, struct process *process,
					  struct asked *asked, __u32 call, __u64 address)
{
	if (!asked->pointer)
		return;
	/* Failed: the old block lives on. */
	if (!address && asked->size && CALL_KIND(call) != CALL_REALLOCATES_OR_FREES) {
		asked->old.last = 0;	/* its thread, at least, has tried to allocate */
		if (asked->old_known &&
		    !put_block(&thread->last, process, key_of(thread, asked->pointer),
			       &asked->old))
			book_out(process, thread->process, &asked->old, false, thread->alone);
		return;
	}
	if (asked->old_known)
		book_out(process, thread->process, &asked->old, false, thread->alone);
	else
		count_unmatched(process);
}

/* 0 for 0; n for 2^(n-1) to 2^n - 1. */
static __always_inline __u32 size_class(__u64 size)
{
	__u32 class = 0;

	if (size >> 32) {
		size >>= 32;
		class = 32;
	}
	if (size >> 16) {
		size >>= 16;
		class += 16;
	}
	if (size >> 8) {
		size >>= 8;
		class += 8;
	}
	if (size >> 4) {
		size >>= 4;
		class += 4;
	}
	if (size >> 2) {
		size >>= 2;
		class += 2;
	}
	return class + (size >> 1) + (size != 0);
}

/*
 * What glibc gave beyond `size`, from the word before the block: the chunk's size and in its low
 * bits, among others, whether it is a mapping of its own (malloc/malloc.c, malloc_usable_size).
 */
static __always_inline __u32 slack_of(__u64 address, __u64 size)
{
	__u64 head, usable;

	if (bpf_probe_read_user(&head, sizeof(head), (void *)(address - 8)))
		return 0;
	usable = (head & ~7ULL) - (head & 2 ? 16 : 8);
	return usable >= size && usable - size < 1U << 31 ? usable - size : 0;
}

/* Only what is large can make sums go round, at a rate at which blocks come. */
#define MAY_BE_ABSURD (1U << 20)

/* Can there be such a block besides what the process holds, and what its site ever had? */
static __noinline int is_credible(__u32 process, __u32 at, __u64 size)
{
	struct site *site = at ? site_at(at) : NULL;
	struct totals *totals = totals_at(process, 0);
	__u64 ever;

	if (!totals || size > MAX_HELD)
		return 0;
	ever = site ? *(volatile __u64 *)&site->alloc_size :
		      *(volatile __u64 *)&totals->unplaced_size;
	return ever < MAX_ALLOCATED && sum_of_sizes(process, nshards) <= MAX_HELD - size;
}

/* A block of `size` bytes came from the call that the walk begins behind; no scratch: no place. */
static __always_inline void block_begins(struct thread *thread, struct scratch *scratch,
					 struct process *process, __u64 address, __u64 size,
					 __u32 call)
{
	bool slack_known = keep_slack && call & CALL_CHUNK_HEADS;
	struct block *block = &thread->block;

	block->size = size;
	block->site = 0;
	block->slack = 0;
	if (scratch) {
		scratch->walk.sizes = sample_bytes ? size : size_class(size);
		scratch->walk.slack_known = slack_known;
		scratch->walk.shard = thread->shard;
		block->site = place(&scratch->walk, &scratch->room);
		leave_scratch(scratch);
	}
	block->time = bpf_jiffies64() >> clock_shift & ((1 << BLOCK_TIME_BITS) - 1);
	block->last = 1;
	if (slack_known)
		block->slack = slack_of(address, block->size);
	end_last_block(thread);
	if (size >= MAY_BE_ABSURD && !is_credible(thread->process, block->site, size))
		count_lost(LOST_BLOCKS_SIZE);
	else if (put_block(&thread->last, process, key_of(thread, address), block))
		book_in(process, thread->process, block, thread->alone);
	thread->nblocks++;
}

/* Return of a call: of the outermost one if stack pointer and entry say so. */
static __always_inline void call_returns(struct pt_regs *ctx, struct thread *thread, __u32 call)
{
	struct scratch *scratch;
	struct process *process;
	__u64 address;

	if (thread->call != call || PT_REGS_SP(ctx) != thread->call_sp + 8)
		return;
	process = books_of(thread);
	if (!process)
		return;
	if (!keep_blocks) {
		thread->call = CALL_NONE;
		return;
	}
	address = returned_block(&thread->asked, call, PT_REGS_RC(ctx));
	if (has_old_block(call))
		end_old_block(thread, process, &thread->asked, call, address);
	/* At a return probe the kernel has put back the return address and popped it
	 * (kernel/events/uprobes.c, uprobe_handle_trampoline). */
	if (address && thread->asked.hit) {
		scratch = take_scratch();
		if (scratch)
			begin_walk(&scratch->walk, thread, process, ctx, PT_REGS_IP(ctx),
				   PT_REGS_SP(ctx));
		block_begins(thread, scratch, process, address, thread->asked.size, call);
	}
	thread->call = CALL_NONE;
}

/* Do the flags let a conditional jump jump? Intel SDM, appendix B.1.4.7. */
static __always_inline bool holds(__u64 flags, enum call_condition condition)
{
	bool carry = flags & 1, parity = flags & 4, zero = flags & 0x40, sign = flags & 0x80;
	bool overflow = flags & 0x800, base;

	if (condition == CONDITION_NONE)
		return true;
	switch ((condition - CONDITION_FIRST) >> 1) {
	case 0:
		base = overflow;
		break;
	case 1:
		base = carry;
		break;
	case 2:
		base = zero;
		break;
	case 3:
		base = carry || zero;
		break;
	case 4:
		base = sign;
		break;
	case 5:
		base = parity;
		break;
	case 6:
		base = sign != overflow;
		break;
	default:
		base = zero || sign != overflow;
		break;
	}
	return base != ((condition - CONDITION_FIRST) & 1);
}

/* The walk begins with the caller's registers, which are yet to be popped. `sp` points at the
 * return address, which is `pc` unless it is a trampoline's. */
static __always_inline void begin_walk_early(struct pt_regs *ctx, struct walk *w,
					     struct thread *thread, struct process *process,
					     __u64 exit, __u64 sp, __u64 pc)
{
	if (is_trampoline(pc))
		pc = trampoline_return(sp, pc);
	begin_walk(w, thread, process, ctx, pc, sp + 8);
	if (EXIT_BP(exit))
		bpf_probe_read_user(&w->bp, sizeof(w->bp), (void *)(sp - 8 * EXIT_BP(exit)));
	if (EXIT_BX(exit))
		bpf_probe_read_user(&w->bx, sizeof(w->bx), (void *)(sp - 8 * EXIT_BX(exit)));
}

static __always_inline void block_begins_early(struct pt_regs *ctx, struct thread *thread,
					       struct process *process, __u64 address, __u64 size,
					       __u64 exit, __u64 sp)
{
	struct scratch *scratch = take_scratch();
	__u64 *pc = scratch ? &scratch->caller : NULL;

	if (pc && bpf_probe_read_user(pc, sizeof(*pc), (void *)sp)) {
		leave_scratch(scratch);
		return;
	}
	if (pc)
		begin_walk_early(ctx, &scratch->walk, thread, process, exit, sp, *pc);
	block_begins(thread, scratch, process, address, size, CALL_RETURNS);
}

/* Has a call within the one that ends got its block, from whom it has it? */
static __always_inline bool is_inner_block(const struct thread *thread, __u64 nblocks,
					   __u64 address)
{
	return thread->last.address == address && thread->nblocks != nblocks;
}

/* A call without a return probe is about to return, if one is pending there. */
static __always_inline void pending_returns(struct pt_regs *ctx, struct thread *thread,
					    __u64 exit)
{
	__u64 returned = argument(ctx, EXIT_BLOCK(exit)), address, nblocks;
	__u64 sp = PT_REGS_SP(ctx) + 8 * EXIT_DEPTH(exit);
	struct pending_call *pending;
	struct process *process;
	__u32 slot, call;
	bool current;

	if (!holds(ctx->flags, EXIT_CONDITION(exit)))
		return;
	slot = find_pending(pending_key(thread->process, sp));
	if (!slot)
		return;
	pending = pending_slot(slot - 1);
	call = pending->call;
	if (CALL_KIND(call) == CALL_STORES && exit != EXIT_AT_RETURN)
		return;		/* the block is yet to be stored */
	nblocks = pending->nblocks;
	current = pending->books == thread->books;
	thread->ended = pending->asked;
	end_pending(pending);
	process = books_of(thread);
	if (!keep_blocks || !process || !current)
		return;
	address = returned_block(&thread->ended, call, returned);
	if (has_old_block(call))
		end_old_block(thread, process, &thread->ended, call, address);
	if (!address || !thread->ended.hit)
		return;
	if (CALL_KIND(call) != CALL_NEWS || !is_inner_block(thread, nblocks, address))
		block_begins_early(ctx, thread, process, address, thread->ended.size, exit, sp);
}

/* Does a realloc end by a jump to the free that begins? Its block was taken out at its entry. */
static __always_inline bool ends_pending(struct pt_regs *ctx, struct thread *thread,
					 struct process *process, __u64 address)
{
	struct pending_call *call;
	__u32 slot;

	if (!may_be_enclosed(thread->process, PT_REGS_SP(ctx)))
		return false;
	slot = find_pending(pending_key(thread->process, PT_REGS_SP(ctx)));
	call = pending_slot(slot - 1);
	if (!slot || call->asked.pointer != address || !call->asked.old_known ||
	    call->books != thread->books)
		return false;
	book_out(process, thread->process, &call->asked.old, false, thread->alone);
	end_pending(call);
	return true;
}

/* Is a block freed that never was one for the program: by an allocator that is made of another's? */
static __always_inline bool is_inner_free(struct pt_regs *ctx, struct thread *thread)
{
	return (thread->gives_sp - PT_REGS_SP(ctx) - 1 < CALL_REACH &&
		return_address(thread->gives_sp) == thread->gives_back) ||
	       is_enclosed(ctx, thread);
}

/* Entry of free: the block is taken out before its address can be anybody else's. */
static __always_inline void block_ends(struct pt_regs *ctx, struct thread *thread, __u32 call)
{
	__u64 address = argument(ctx, CALL_POINTER(call)), sp = PT_REGS_SP(ctx);
	struct process *process;
	struct block *block;

	if (!keep_blocks)
		return;
	if (!address || (thread->call && is_nested(thread, sp)))
		return;
	process = books_of(thread);
	if (!process)
		return;
	block = &thread->block;
	if (may_be_recorded(key_of(thread, address)) && take_block(&thread->key, block))
		book_out(process, thread->process, block, block->last, thread->alone);
	else if (!ends_pending(ctx, thread, process, address) &&
		 !sample_bytes &&	/* of a sample, most are not in the books */
		 !(thread->freed == address && sp <= thread->freed_sp) &&
		 !is_inner_free(ctx, thread) && !is_cleanup(ctx, thread, process))
		count_unmatched(process);
	if (call & CALL_PENDING) {
		thread->gives_sp = sp;
		thread->gives_back = return_address(sp);
	}
	/* What frees may pass it on: operator delete to free. */
	thread->freed = address;
	thread->freed_sp = sp;
	forget_last(thread, address);
}

/* At a probe that has no return probe. False: this one should have. */
static __always_inline bool passes(struct pt_regs *ctx, struct thread *thread, __u64 call)
{
	switch (CALL_KIND(call)) {
	case CALL_FREES:
		block_ends(ctx, thread, call);
		return true;
	case CALL_RETURNS:
		pending_returns(ctx, thread, call);
		return true;
	case CALL_DESTROYS:
		count_lost(LOST_HEAPS);
		return true;
	default:
		if (call & CALL_PENDING)
			pending_begins(ctx, thread, call);
		return call & CALL_PENDING;
	}
}

#endif
