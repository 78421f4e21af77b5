/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which call owns a block. The allocator's entry points call and tail-call each other; the
 * outermost call of a thread owns what comes back, with the size that its caller asked for.
 */
#ifndef MT_ALLOCATION_H
#define MT_ALLOCATION_H

static __always_inline void remember_books(struct thread *thread)
{
	const struct process *process = process_at(thread->process);

	thread->books = process ? process->id : 0;
}

/* The thread's books; NULL: they were closed under it, by a task that shared its memory. */
static __always_inline struct process *books_of(struct thread *thread)
{
	struct process *process = process_at(thread->process);

	if (process && process->id == thread->books && process->state == PROCESS_LIVE)
		return process;
	thread->mm = NULL;
	count_lost(LOST_PROCESSES);
	return NULL;
}

/* A block ended that is not in the books. */
static __always_inline void count_unmatched(struct process *process)
{
	if (process->flags & PROCESS_FORKED)
		__sync_fetch_and_add(&process->frees_inherited, 1);
	else
		count_lost(LOST_FREES_UNMATCHED);
}

/* Is the thread one that is known not to be followed? */
static __always_inline bool is_bystander(struct task_struct *task, struct mm_struct *mm)
{
	struct bystander *known = bpf_task_storage_get(&bystanders, task, NULL, 0);

	return known && known->mm == mm && known->generation == counting &&
	       known->selection == selection;
}

static __always_inline void remember_bystander(struct task_struct *task, struct mm_struct *mm)
{
	struct bystander *fresh = bpf_task_storage_get(&bystanders, task, NULL,
						       BPF_LOCAL_STORAGE_GET_F_CREATE);

	if (!fresh)
		return;		/* it will be asked again */
	fresh->mm = mm;
	fresh->generation = counting;
	fresh->selection = selection;
}

/*
 * The first call of a thread, or the first since exec or since the books were cleared: its state,
 * or NULL if it is not to be followed. That takes little memory, of which all threads want some.
 */
static __noinline struct thread *new_thread(struct task_struct *task, struct mm_struct *mm)
{
	struct thread *thread;
	__u32 process;

	if (!task || is_bystander(task, mm))
		return NULL;
	process = find_process(task);
	if (!process) {
		remember_bystander(task, mm);
		return NULL;
	}
	thread = bpf_task_storage_get(&threads, task, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!thread) {
		count_lost(LOST_THREAD);
		return NULL;
	}
	thread->mm = mm;
	thread->generation = counting;
	thread->process = process;
	thread->number = next_thread_number();
	thread->call = ENTRY_NONE;
	thread->memos[0].site = thread->memos[1].site = 0;
	remember_books(thread);
	return thread;
}

/* The state of the current thread when its process is followed, else NULL. */
static __always_inline struct thread *current_thread(void)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct mm_struct *mm = task->mm;
	struct thread *thread;

	if (!counting)
		return NULL;
	thread = bpf_task_storage_get(&threads, task, NULL, 0);
	if (!thread || thread->mm != mm || thread->generation != counting)
		thread = new_thread(task, mm);
	if (thread)
		thread->alone = mm->mm_users.counter == 1;
	return thread;
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
	thread->call = ENTRY_NONE;
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

static __always_inline void take_old_block(struct thread *thread, __u64 address)
{
	struct block_key key = { .address = address, .process = thread->process };

	thread->pointer = address;
	thread->old_known = address && take_block(&key, &thread->old);
}

/* Entry of a call that may return a block. True: its return has to be seen. */
static __always_inline bool call_begins(struct pt_regs *ctx, __u64 cookie)
{
	enum entry_point entry = cookie & COOKIE_ENTRY;
	__u64 a = PT_REGS_PARM1(ctx), b = PT_REGS_PARM2(ctx), c = PT_REGS_PARM3(ctx);
	struct thread *thread = current_thread();

	if (!thread || (thread->call && is_nested(thread, PT_REGS_SP(ctx))))
		return false;
	thread->call = entry;
	thread->call_sp = PT_REGS_SP(ctx);
	switch (entry) {
	case ENTRY_MALLOC:
		thread->size = a;
		break;
	case ENTRY_CALLOC:
		thread->size = product(a, b);
		break;
	case ENTRY_REALLOC:
		thread->size = b;
		/* After the call the old address may already be another thread's. */
		take_old_block(thread, a);
		break;
	case ENTRY_REALLOCARRAY:
		thread->size = product(b, c);
		take_old_block(thread, a);
		break;
	case ENTRY_ALIGNED_ALLOC:
		thread->size = b;
		break;
	case ENTRY_POSIX_MEMALIGN:
		thread->size = c;
		thread->pointer = a;
		break;
	default:
		break;
	}
	return true;
}

/* The address that the call returned; 0: it failed, or returned none. */
static __always_inline __u64 returned_block(struct pt_regs *ctx, const struct thread *thread)
{
	__u64 address = PT_REGS_RC(ctx);

	if (thread->call != ENTRY_POSIX_MEMALIGN)
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
	if (!address && thread->size) {		/* failed: the old block lives on */
		if (thread->old_known && !put_block(process, &key, &thread->old))
			book_out(process, &thread->old, false, thread->alone);
		return;
	}
	if (thread->old_known)
		book_out(process, &thread->old, false, thread->alone);
	else
		count_unmatched(process);
}

static __always_inline bool is_realloc(__u32 call)
{
	return call == ENTRY_REALLOC || call == ENTRY_REALLOCARRAY;
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

static __always_inline void block_begins(struct pt_regs *ctx, struct thread *thread,
					 struct process *process, __u64 address, __u64 cookie)
{
	bool slack_known = keep_slack && cookie & COOKIE_CHUNK_HEADS;
	struct block_key key = {};
	struct block block = {};

	/* At a return probe the kernel has put back the return address and popped it
	 * (kernel/events/uprobes.c, uprobe_handle_trampoline). */
	begin_walk(&thread->walk, process, thread->process, ctx, PT_REGS_IP(ctx),
		   PT_REGS_SP(ctx));
	thread->walk.size_class = size_class(thread->size);
	thread->walk.slack_known = slack_known;
	block.size = thread->size;
	block.site = place(thread);
	block.time = bpf_jiffies64();
	block.thread = thread->number;
	if (slack_known)
		block.slack = slack_of(address, block.size);
	key.address = address;
	key.process = thread->process;
	if (put_block(process, &key, &block))
		book_in(process, &block, thread->alone);
	last_blocks[thread->number & (LAST_BLOCKS - 1)] = address;
}

/* Return of a call: of the outermost one if stack pointer and entry say so. */
static __always_inline void call_returns(struct pt_regs *ctx, __u64 cookie)
{
	enum entry_point entry = cookie & COOKIE_ENTRY;
	struct thread *thread = current_thread();
	struct process *process;
	__u64 address;

	if (!thread || thread->call != entry || PT_REGS_SP(ctx) != thread->call_sp + 8)
		return;
	process = books_of(thread);
	if (!process)
		return;
	address = returned_block(ctx, thread);
	if (is_realloc(entry))
		end_old_block(thread, process, address);
	if (address)
		block_begins(ctx, thread, process, address, cookie);
	thread->call = ENTRY_NONE;
}

/* Entry of free: the block is taken out before its address can be anybody else's. */
static __always_inline void block_ends(struct pt_regs *ctx)
{
	struct thread *thread = current_thread();
	struct block_key key = {};
	struct process *process;
	struct block block;

	if (!thread || !PT_REGS_PARM1(ctx))
		return;
	if (thread->call && is_nested(thread, PT_REGS_SP(ctx)))
		return;
	process = books_of(thread);
	if (!process)
		return;
	key.address = PT_REGS_PARM1(ctx);
	key.process = thread->process;
	if (take_block(&key, &block))
		book_out(process, &block,
			 last_blocks[block.thread & (LAST_BLOCKS - 1)] == key.address,
			 thread->alone);
	else if (!is_cleanup(ctx, thread, process))
		count_unmatched(process);
}

#endif
