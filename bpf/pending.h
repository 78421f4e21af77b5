/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Calls in progress whose end is seen at their function's last instruction, not by a return probe:
 * code of the program may run within them, which throws, or goes on with another fiber. The kernel
 * keeps return probes of a task in the order of one stack (kernel/events/uprobes.c,
 * arch_uretprobe_is_alive), and a program that switches stacks in between dies of it.
 *
 * A call is known by where its return address lies, whichever thread ends it. What leaves a call
 * without a return (an exception, longjmp, a fiber that is dropped) leaves it here, until another
 * begins at the same place or wants the slot.
 */
#ifndef MT_BPF_PENDING_H
#define MT_BPF_PENDING_H

#define PENDING_WINDOW 8	/* slots in which a call may be */
/* An allocator's function and what it calls are not further apart on a stack. */
#define CALL_REACH_SHIFT 20
#define CALL_REACH (1ULL << CALL_REACH_SHIFT)

static __always_inline __u64 pending_key(__u32 process, __u64 sp)
{
	return sp >> 3 | (__u64)process << 44;	/* USER_TOP is 2^47 */
}

static __always_inline __u32 first_slot(__u64 key)
{
	return key * 0x9e3779b97f4a7c15ULL >> (64 - PENDING_BITS);
}

static __always_inline struct pending_call *pending_slot(__u32 i)
{
	return &pending_calls[i & (MAX_PENDING - 1)];
}

/* The slot of the call with this key, plus 1; 0: there is none. */
__noinline __u32 find_pending(__u64 key)
{
	__u32 first = first_slot(key), i;

	for (i = 0; i < PENDING_WINDOW; i++)
		if (pending_slot(first + i)->key == key)
			return ((first + i) & (MAX_PENDING - 1)) + 1;
	return 0;
}

/* How many calls that enclose others began where `sp` is. Others may share the count. */
static __always_inline __u32 *nearby(__u32 process, __u64 sp)
{
	return &pending_nearby[((sp >> CALL_REACH_SHIFT) + process * 61) & (PENDING_REGIONS - 1)];
}

static __always_inline bool may_be_enclosed(__u32 process, __u64 sp)
{
	return *nearby(process, sp) || *nearby(process, sp + CALL_REACH);
}

/* Frees the slot of a call that has ended. */
static __always_inline void end_pending(struct pending_call *call)
{
	if (call->encloses)
		__sync_fetch_and_add(nearby(call->key >> 44, call->key << 20 >> 17), -1);
	*(volatile __u64 *)&call->key = 0;
}

/* The return address at `sp`; 0: it cannot be read. */
static __always_inline __u64 return_address(__u64 sp)
{
	__u64 back = 0;

	if (bpf_probe_read_user(&back, sizeof(back), (void *)sp))
		return 0;
	return is_trampoline(back) ? trampoline_return(sp, back) : back;
}

/* Takes the slot from a call that was left without a return; of other processes' calls, only those
 * of processes that ended are known to be. 0: it is in use. */
__noinline int reclaim_slot(__u32 slot, __u64 key)
{
	struct pending_call *call = pending_slot(slot);
	__u64 old = call->key, sp = old << 20 >> 17;
	struct process *process = process_at(old >> 44);

	if (process && process->id == call->books &&
	    (old >> 44 != key >> 44 || return_address(sp) == call->back))
		return 0;
	end_pending(call);
	return !__sync_val_compare_and_swap(&call->key, 0, key);
}

/* Takes a slot for the key, plus 1; 0: all are in use. */
__noinline __u32 claim_pending(__u64 key)
{
	__u32 first = first_slot(key), i;

	for (i = 0; i < PENDING_WINDOW; i++)
		if (!__sync_val_compare_and_swap(&pending_slot(first + i)->key, 0, key))
			return ((first + i) & (MAX_PENDING - 1)) + 1;
	for (i = 0; i < PENDING_WINDOW; i++)
		if (reclaim_slot(first + i, key))
			return ((first + i) & (MAX_PENDING - 1)) + 1;
	return 0;
}

/* The walk is at a return address: is it that of a pending call? */
static __always_inline bool is_sought(struct walk *w)
{
	__u32 slot = find_pending(pending_key(w->process, w->sp - 8));
	struct pending_call *call = pending_slot(slot - 1);

	if (!slot || !call->encloses || call->back != w->pc)
		return false;
	w->enclosing = call->call;
	return true;
}

#endif
