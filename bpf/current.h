/* SPDX-License-Identifier: GPL-2.0 */
/* The thread that runs: is it followed, and what is known of it? */
#ifndef MT_BPF_CURRENT_H
#define MT_BPF_CURRENT_H

static __always_inline void remember_books(struct thread *thread)
{
	struct process *process = process_at(thread->process);

	thread->books = process ? process->id : 0;
	thread->shard = process ? __sync_fetch_and_add(&process->nthreads, 1) & (nshards - 1) : 0;
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

/* Is the thread one that is known not to be followed? */
static __always_inline bool is_bystander(struct task_struct *task, struct mm_struct *mm)
{
	struct bystander *known = bpf_task_storage_get(&bystanders, task, NULL, 0);

	return known && known->mm == mm && known->generation == counting &&
	       known->selection == selection && known->user == user_of(task);
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
	fresh->user = user_of(task);
}

enum thread_place {
	NOT_FOLLOWED,
	IN_SLOT,
	IN_STORAGE,
};

static __always_inline void begin_thread(struct thread *thread, struct mm_struct *mm,
					 __u32 process)
{
	thread->mm = mm;
	thread->generation = counting;
	thread->process = process;
	thread->last.address = 0;
	thread->call = CALL_NONE;
	thread->nblocks = 0;
	thread->gives_sp = 0;
	thread->freed = 0;
	thread->passed_sp = 0;
	thread->way = sample_bytes ? next_way() : 0;
	thread->mapping.kind = MAPPING_NONE;
	remember_books(thread);
}

/*
 * The first call of a thread, or the first since exec or since the books were cleared, and each of
 * one that has no slot: where its state is. That of one that is not to be followed takes little
 * memory, of which all threads want some.
 */
__noinline int find_thread(void)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct mm_struct *mm = untrusted(task)->mm;
	struct thread *thread, *slot = NULL;
	__u32 process;

	thread = bpf_task_storage_get(&threads, task, NULL, 0);
	if (thread && thread->mm == mm && thread->generation == counting)
		return IN_STORAGE;
	if (is_bystander(task, mm))
		return NOT_FOLLOWED;
	process = find_process(task);
	if (!process) {
		remember_bystander(task, mm);
		return NOT_FOLLOWED;
	}
	if (has_slots() && !thread)
		slot = take_slot(task);
	if (slot) {
		begin_thread(slot, mm, process);
		return IN_SLOT;
	}
	thread = bpf_task_storage_get(&threads, task, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!thread) {
		count_lost(LOST_THREAD);
		return NOT_FOLLOWED;
	}
	thread->task = (__u64)task;
	begin_thread(thread, mm, process);
	return IN_STORAGE;
}

/* The same, for who wants the state itself. */
static __always_inline struct thread *other_thread(struct pt_regs *ctx)
{
	switch (find_thread()) {
	case IN_SLOT:
		return has_slots() ? slot_at(ctx) : NULL;
	case IN_STORAGE:
		return bpf_task_storage_get(&threads, bpf_get_current_task_btf(), NULL, 0);
	default:
		return NULL;
	}
}

/* The state of the current thread when its process is followed, else NULL. */
static __always_inline struct thread *current_thread(struct pt_regs *ctx)
{
	struct thread *thread = has_slots() ? slot_at(ctx) : NULL;

	if (!counting)
		return NULL;
	if (!thread || ctx != (struct pt_regs *)thread->registers ||
	    !owns(task_of(thread->task), thread) || thread->generation != counting ||
	    thread->mm != task_of(thread->task)->mm)
		thread = other_thread(ctx);
	if (thread)
		thread->alone = owner_of(thread)->mm->mm_users.counter == 1;
	return thread;
}

#endif
