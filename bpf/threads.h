/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Where the state of a thread is. Where functions return at a price (8 ns, if the kernel guards
 * returns), the fastest way to it is one without a call: the registers of a uprobe lie at the top of
 * the thread's own kernel stack, so their address says whose they are. It leads to a slot; a thread
 * that finds its slot taken by another one, or a kernel without bpf_rdonly_cast(), keeps its state
 * in task storage.
 *
 * A slot is its thread's as long as the task that it names has the stack and the beginning which it
 * names: nobody else has that stack before. Of a task that has ended anything may be read, since its
 * memory is not held; that is no more than a comparison that fails.
 */
#ifndef MT_BPF_THREADS_H
#define MT_BPF_THREADS_H

#define SLOT_BUSY 1ULL	/* no task: somebody has just taken the slot */

static __always_inline bool has_slots(void)
{
	return has_rdonly_cast() && share_rooms;
}

/* For reads alone. */
static __always_inline struct task_struct *task_of(__u64 task)
{
	return bpf_rdonly_cast((void *)task, bpf_core_type_id_kernel(struct task_struct));
}

/* Of the thread that runs. */
static __always_inline struct task_struct *owner_of(const struct thread *thread)
{
	return has_slots() ? task_of(thread->task) : untrusted(bpf_get_current_task_btf());
}

/* The slot of a thread whose registers are there. */
static __always_inline struct thread *slot_at(const struct pt_regs *registers)
{
	__u32 low, index;

	/* Half a pointer is a number, which the verifier lets one compute with. */
	asm volatile("%0 = %1" : "=w"(low) : "w"((__u32)(__u64)registers));
	index = (low >> STACK_ALIGN_BITS) * 0x9e3779b1U >> (32 - SLOT_BITS);
	return bpf_map_lookup_elem(&slots, &index);
}

static __always_inline bool owns(const struct task_struct *task, const struct thread *slot)
{
	return (__u64)task->stack == slot->stack && task->start_time == slot->began;
}

/* The slot of the thread that runs; NULL: a living one has it. */
static __always_inline struct thread *take_slot(struct task_struct *task)
{
	struct pt_regs *registers = (struct pt_regs *)bpf_task_pt_regs(task);
	struct thread *slot = slot_at(registers);
	__u64 was;

	if (!slot)
		return NULL;
	was = load_acquire(&slot->task);
	if (was == (__u64)task && owns(untrusted(task), slot))
		return slot;
	if (was == SLOT_BUSY || (was && owns(task_of(was), slot)) ||
	    __sync_val_compare_and_swap(&slot->task, was, SLOT_BUSY) != was)
		return NULL;
	slot->registers = (__u64)registers;
	slot->stack = (__u64)untrusted(task)->stack;
	slot->began = untrusted(task)->start_time;
	slot->mm = NULL;
	store_release(&slot->task, (__u64)task);
	return slot;
}

/* What was known of the thread that runs holds no more. */
static __always_inline void forget_thread(struct task_struct *task)
{
	struct thread *slot;

	if (has_slots()) {
		slot = slot_at((struct pt_regs *)bpf_task_pt_regs(task));
		if (slot && load_acquire(&slot->task) == (__u64)task)
			slot->mm = NULL;
	}
	bpf_task_storage_delete(&threads, task);
	bpf_task_storage_delete(&bystanders, task);
}

#endif
