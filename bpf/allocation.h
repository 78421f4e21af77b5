/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which call owns a block. The allocator's functions call and tail-call each other; the outermost
 * call of a thread owns what comes back, with the size that its caller asked for.
 *
 * But of the calls that may end in an exception the innermost owns: nobody sees an exception pass,
 * so that a call which seems to be in progress further out may be long gone. And they call code of
 * the program, a std::new_handler, whose blocks are its own.
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
 * Is a call that begins at `sp` part of the call in progress? Yes below its frame. At the same
 * depth it is a tail call if the return address is already the trampoline's; else the call in
 * progress ended unseen (longjmp, or the kernel had no memory to catch its return).
 */
static __always_inline bool is_nested(struct thread *thread, __u64 sp)
{
	__u64 back = 0;

	if (sp < thread->call_sp)
		return true;
	if (sp == thread->call_sp && !bpf_probe_read_user(&back, sizeof(back), (void *)sp) &&
	    is_trampoline(back))
		return true;
	count_lost(LOST_BLOCKS_RETURN);
	thread->call = CALL_NONE;
	return false;
}

/* A call begins, or one that can throw ends, at `sp`: those at or below it have been left. */
static __always_inline void forget_thrown(struct thread *thread, __u64 sp)
{
	__u32 i;

	for (i = 0; i < MAX_THROWING; i++) {
		if (!thread->nthrowing ||
		    thread->throwing[(thread->nthrowing - 1) % MAX_THROWING].sp > sp)
			break;
		thread->nthrowing--;
	}
}

/* The block is known: where a call that can throw returns it too, it is not another. */
static __always_inline void note_inner(struct thread *thread, __u64 from, __u64 to)
{
	struct throwing *inmost;

	if (!thread->nthrowing)
		return;
	inmost = &thread->throwing[(thread->nthrowing - 1) % MAX_THROWING];
	if (!from || inmost->block == from)
		inmost->block = to;
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

static __always_inline void take_old_block(struct thread *thread)
{
	struct block_key key = { .address = thread->pointer, .process = thread->process };

	thread->old_known = key.address && take_block(&key, &thread->old);
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

/* Entry of a call that may return a block. True: its return has to be seen. */
static __always_inline bool call_begins(struct pt_regs *ctx, struct thread *thread, __u32 call)
{
	forget_thrown(thread, PT_REGS_SP(ctx));
	if (thread->call && is_nested(thread, PT_REGS_SP(ctx)))
		return false;
	if (sample_bytes && is_drawn(thread, PT_REGS_SP(ctx), call))
		return false;
	thread->call = call;
	thread->call_sp = PT_REGS_SP(ctx);
	thread->size = size_asked_for(ctx, call);
	thread->pointer = argument(ctx, CALL_POINTER(call));
	thread->freed = 0;
	if (CALL_KIND(call) == CALL_RESIZES)
		thread->extra = argument(ctx, CALL_COUNT(call));
	/* After the call the old address may already be another thread's. */
	if (has_old_block(call))
		take_old_block(thread);
	if (!sample_bytes)
		return true;
	thread->hit = is_hit(thread, thread->size);
	if (thread->hit || (has_old_block(call) && thread->old_known))
		return true;
	thread->call = CALL_NONE;
	let_pass(thread, PT_REGS_SP(ctx), call);
	return false;
}

/* Entry of a call that returns a block or throws. */
static __always_inline void throwing_begins(struct pt_regs *ctx, struct thread *thread,
					    __u32 call)
{
	struct throwing *new;
	__u64 size;

	forget_thrown(thread, PT_REGS_SP(ctx));
	if (thread->call && is_nested(thread, PT_REGS_SP(ctx)))
		return;
	size = size_asked_for(ctx, call);
	if (sample_bytes && is_drawn(thread, PT_REGS_SP(ctx), call))
		return;
	if (sample_bytes && !is_hit(thread, size)) {
		let_pass(thread, PT_REGS_SP(ctx), call);
		return;
	}
	/* Full: the outermost was thrown out of, or its block will be missing. */
	if (thread->nthrowing >= MAX_THROWING) {
		_Static_assert(MAX_THROWING == 4, "each is moved by name");
		thread->throwing[0] = thread->throwing[1];
		thread->throwing[1] = thread->throwing[2];
		thread->throwing[2] = thread->throwing[3];
		thread->nthrowing = MAX_THROWING - 1;
	}
	new = &thread->throwing[thread->nthrowing++ % MAX_THROWING];
	new->sp = PT_REGS_SP(ctx);
	new->size = size;
	new->block = 0;
	if (sample_bytes)
		bpf_probe_read_user(&new->back, sizeof(new->back), (void *)new->sp);
	thread->freed = 0;
}

/* What came of resizing in place: the block's address, or 0 if it is as it was. */
static __always_inline __u64 resized_block(struct thread *thread, __u64 usable)
{
	if (usable < thread->size)
		return 0;
	/* It is of the size that was asked for, or of as much more as there was. */
	thread->size += thread->extra < usable - thread->size ? thread->extra :
								usable - thread->size;
	return thread->pointer;
}

/* The address that the call returned; 0: it failed, or returned none. */
static __always_inline __u64 returned_block(struct pt_regs *ctx, struct thread *thread)
{
	__u64 address = PT_REGS_RC(ctx);

	if (CALL_KIND(thread->call) == CALL_RESIZES)
		return resized_block(thread, address);
	if (CALL_KIND(thread->call) != CALL_STORES)
		return address;
	if ((__u32)address || bpf_probe_read_user(&address, sizeof(address), (void *)thread->pointer))
		return 0;
	return address;
}

/* What realloc made of the block that it was given. */
static __always_inline void end_old_block(struct thread *thread, struct process *process,
					  __u64 address)
{
	struct block_key key = { .address = thread->pointer, .process = thread->process };

	if (!thread->pointer)
		return;
	/* Failed: the old block lives on. */
	if (!address && thread->size && CALL_KIND(thread->call) != CALL_REALLOCATES_OR_FREES) {
		thread->old.last = 0;	/* its thread, at least, has tried to allocate */
		if (thread->old_known && !put_block(&thread->last, process, &key, &thread->old))
			book_out(process, thread->process, &thread->old, false, thread->alone);
		return;
	}
	if (thread->old_known)
		book_out(process, thread->process, &thread->old, false, thread->alone);
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
	struct block_key key = {};
	struct block block = {};

	block.size = size;
	if (scratch) {
		scratch->walk.sizes = sample_bytes ? size : size_class(size);
		scratch->walk.slack_known = slack_known;
		scratch->walk.shard = thread->shard;
		block.site = place(&scratch->walk, &scratch->room);
		leave_scratch(scratch);
	}
	block.time = bpf_jiffies64() >> clock_shift & ((1 << BLOCK_TIME_BITS) - 1);
	block.last = 1;
	if (slack_known)
		block.slack = slack_of(address, block.size);
	key.address = address;
	key.process = thread->process;
	end_last_block(thread);
	if (size >= MAY_BE_ABSURD && !is_credible(thread->process, block.site, size))
		count_lost(LOST_BLOCKS_SIZE);
	else if (put_block(&thread->last, process, &key, &block))
		book_in(process, thread->process, &block, thread->alone);
	note_inner(thread, 0, address);
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
	address = returned_block(ctx, thread);
	if (has_old_block(call))
		end_old_block(thread, process, address);
	/* At a return probe the kernel has put back the return address and popped it
	 * (kernel/events/uprobes.c, uprobe_handle_trampoline). */
	if (address && (!sample_bytes || thread->hit)) {
		scratch = take_scratch();
		if (scratch)
			begin_walk(&scratch->walk, thread, process, ctx, PT_REGS_IP(ctx),
				   PT_REGS_SP(ctx));
		block_begins(thread, scratch, process, address, thread->size, call);
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

/* A call that can throw is about to return: the innermost one if it is at its depth. */
static __always_inline void throwing_returns(struct pt_regs *ctx, struct thread *thread,
					     __u64 exit)
{
	__u64 address = argument(ctx, EXIT_BLOCK(exit));
	__u64 sp = PT_REGS_SP(ctx) + 8 * EXIT_DEPTH(exit);
	struct process *process;
	struct throwing *ended;

	if (!thread->nthrowing || !holds(ctx->flags, EXIT_CONDITION(exit)))
		return;
	forget_thrown(thread, sp - 1);
	if (!thread->nthrowing)
		return;
	ended = &thread->throwing[(thread->nthrowing - 1) % MAX_THROWING];
	if (ended->sp != sp)
		return;
	thread->nthrowing--;
	process = books_of(thread);
	if (!keep_blocks || !process || !address)
		return;
	if (ended->block == address)
		note_inner(thread, 0, address);
	else
		block_begins_early(ctx, thread, process, address, ended->size, exit, sp);
}

/* Entry of free: the block is taken out before its address can be anybody else's. */
static __always_inline void block_ends(struct pt_regs *ctx, struct thread *thread, __u32 call)
{
	__u64 address = argument(ctx, CALL_POINTER(call)), sp = PT_REGS_SP(ctx);
	struct block_key key = {};
	struct process *process;
	struct block block = {};

	if (!keep_blocks)
		return;
	forget_thrown(thread, sp);
	if (!address || (thread->call && is_nested(thread, sp)))
		return;
	process = books_of(thread);
	if (!process)
		return;
	key.address = address;
	key.process = thread->process;
	if (may_be_recorded(&key) && take_block(&key, &block))
		book_out(process, thread->process, &block, block.last, thread->alone);
	else if (!sample_bytes && !(thread->freed == address && sp <= thread->freed_sp) &&
		 !is_cleanup(ctx, thread, process))	/* of a sample, most are not in the books */
		count_unmatched(process);
	/* What frees may pass it on: operator delete to free. */
	thread->freed = address;
	thread->freed_sp = sp;
	note_inner(thread, address, 0);
}

/* At a probe that has no return probe. False: this one should have. */
static __always_inline bool passes(struct pt_regs *ctx, struct thread *thread, __u64 call)
{
	switch (CALL_KIND(call)) {
	case CALL_FREES:
		block_ends(ctx, thread, call);
		return true;
	case CALL_NEWS:
		throwing_begins(ctx, thread, call);
		return true;
	case CALL_RETURNS:
		throwing_returns(ctx, thread, call);
		return true;
	case CALL_DESTROYS:
		count_lost(LOST_HEAPS);
		return true;
	default:
		return false;
	}
}

#endif
