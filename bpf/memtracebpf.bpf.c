// SPDX-License-Identifier: GPL-2.0
/*
 * The kernel half: every point where it is attached, and what happens there. Parts, in the order
 * of a block's way: lifecycle.h and current.h who is traced, allocation.h whose block it is, stack.h
 * and unwind.h where it was allocated, memo.h where it was before, blocks.h the books, maps.h where all
 * of it is kept, threads.h where a thread's state is; regions.h what is mapped without an allocator.
 */
#include "vmlinux.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#define NULL ((void *)0)

#include "memtracebpf.h"

#define user_read(dst, size, address) bpf_probe_read_user(dst, size, (const void *)(address))
#define repeat(n, step, context) bpf_loop(n, step, context, 0)

extern void *bpf_rdonly_cast(const void *object, __u32 type) __ksym __weak;

static __always_inline bool has_rdonly_cast(void)
{
	return bpf_core_enum_value_exists(enum special_kfunc_type, KF_bpf_rdonly_cast);
}

/*
 * The same task for reads alone, where the kernel can tell the two apart (6.2). Of a task that could
 * be handed on, the verifier looks for each pointer that is read through all types that there are
 * (kernel/bpf/btf.c, btf_nested_type_is_trusted): a millisecond a time.
 */
static __always_inline struct task_struct *untrusted(struct task_struct *task)
{
	if (!has_rdonly_cast())
		return task;
	return bpf_rdonly_cast(task, bpf_core_type_id_kernel(struct task_struct));
}

struct walk;
static const struct code_file *file_at(__u32 index);
static const struct unwind_row *row_at(__u32 file, __u32 index);
static const struct unwind_rule *rule_at(__u32 index);
static __u64 *rule_cache_at(__u32 index);
int load_mapping(struct walk *w, __u64 address);
__u64 trampoline_return(__u64 slot, __u64 pc);
static bool is_sought(struct walk *w);

#include "unwind.h"
#include "memo.h"
#include "maps.h"
#include "threads.h"
#include "vma.h"
#include "tables.h"
#include "stack.h"
#include "blocks.h"
#include "lifecycle.h"
#include "cleanup.h"
#include "pending.h"
#include "sampling.h"
#include "current.h"
#include "allocation.h"
#include "regions.h"

const volatile bool never = false;

/*
 * Since 6.13 programs of our type get stacks of their own, one a CPU (kernel/bpf/verifier.c,
 * bpf_enable_priv_stack): right for kprobes, but a uprobe's thread may be preempted in its program,
 * and the next one runs the same on the same stack. Seen as a kernel oops on 7.2, PREEMPT_LAZY.
 * Programs with a tail call are left on the thread's stack; this one is never made, the verifier
 * takes it out again.
 */
static __always_inline void keep_to_threads_stack(struct pt_regs *ctx)
{
	if (never)
		bpf_tail_call(ctx, NULL, 0);
}

/* What the kernel has set for the program that runs (kernel/trace/bpf_trace.c). */
static __always_inline struct bpf_uprobe_multi_run_ctx *run_of(const struct thread *thread)
{
	return bpf_rdonly_cast(owner_of(thread)->bpf_ctx,
			       bpf_core_type_id_kernel(struct bpf_uprobe_multi_run_ctx));
}

/* Both can be read without a call. */
static __always_inline bool has_run(void)
{
	return has_slots() &&
	       bpf_core_field_exists(struct bpf_uprobe_multi_run_ctx, session_ctx) &&
	       bpf_core_field_exists(struct bpf_uprobe_multi_run_ctx, uprobe) &&
	       bpf_core_field_exists(struct bpf_session_run_ctx, is_return) &&
	       bpf_core_field_exists(struct bpf_uprobe, cookie) &&
	       !bpf_core_field_offset(struct bpf_uprobe_multi_run_ctx, session_ctx) &&
	       !bpf_core_field_offset(struct bpf_session_run_ctx, run_ctx);
}

static __always_inline __u64 call_of(struct pt_regs *ctx, const struct thread *thread)
{
	return has_run() ? run_of(thread)->uprobe->cookie : bpf_get_attach_cookie(ctx);
}

/*
 * At the entry the registers stand at the probe. The kernel's bpf_session_is_return() took an
 * argument more from 7.0 on, libbpf binds but one of the two.
 */
static __always_inline bool is_return(struct pt_regs *ctx, const struct thread *thread)
{
	return has_run() ? run_of(thread)->session_ctx.is_return :
			   PT_REGS_IP(ctx) != bpf_get_func_ip(ctx);
}

/*
 * One program for entry and return (6.13): returning 1 at the entry skips the return.
 */
SEC("?uprobe/session")
int allocation_session(struct pt_regs *ctx)
{
	struct thread *thread = current_thread(ctx);
	__u64 call;

	keep_to_threads_stack(ctx);
	if (!thread)
		return 1;
	call = call_of(ctx, thread);
	if (is_return(ctx, thread)) {
		call_returns(ctx, thread, call);
		return 0;
	}
	return !call_begins(ctx, thread, call);
}

/* Beside the sessions: what has no return probe. */
SEC("?uprobe/pass")
int allocation_pass(struct pt_regs *ctx)
{
	struct thread *thread = current_thread(ctx);

	keep_to_threads_stack(ctx);
	if (thread)
		passes(ctx, thread, call_of(ctx, thread));
	return 0;
}

/* The same in two programs, for kernels before that. */
SEC("?uprobe/entry")
int allocation_entry(struct pt_regs *ctx)
{
	struct thread *thread = current_thread(ctx);
	__u64 call = bpf_get_attach_cookie(ctx);

	keep_to_threads_stack(ctx);
	if (thread && !passes(ctx, thread, call))
		call_begins(ctx, thread, call);
	return 0;
}

SEC("?uretprobe/return")
int allocation_return(struct pt_regs *ctx)
{
	struct thread *thread = current_thread(ctx);

	keep_to_threads_stack(ctx);
	if (thread)
		call_returns(ctx, thread, bpf_get_attach_cookie(ctx));
	return 0;
}

/* At what maps memory, the same three. */
SEC("?uprobe/session")
int mapping_session(struct pt_regs *ctx)
{
	__u64 cookie = bpf_get_attach_cookie(ctx);

	keep_to_threads_stack(ctx);
	if (PT_REGS_IP(ctx) == bpf_get_func_ip(ctx))
		return !mapping_call_begins(ctx, cookie);
	mapping_call_returns(ctx, cookie);
	return 0;
}

SEC("?uprobe/entry")
int mapping_entry(struct pt_regs *ctx)
{
	keep_to_threads_stack(ctx);
	mapping_call_begins(ctx, bpf_get_attach_cookie(ctx));
	return 0;
}

SEC("?uretprobe/return")
int mapping_return(struct pt_regs *ctx)
{
	keep_to_threads_stack(ctx);
	mapping_call_returns(ctx, bpf_get_attach_cookie(ctx));
	return 0;
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(process_forked, struct task_struct *parent, struct task_struct *child)
{
	process_begins(parent, child);
	return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(process_exec, struct task_struct *task)
{
	program_begins(task);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(process_exit, struct task_struct *task)
{
	thread_ends(task);
	return 0;
}

SEC("tp_btf/task_rename")
int BPF_PROG(task_renamed, struct task_struct *task, const char *name)
{
	process_renamed(task, name);
	return 0;
}

SEC("tp_btf/cgroup_attach_task")
int BPF_PROG(task_moved)
{
	cgroup_changed();
	return 0;
}

/* Its cookie: how far the linker's r_debug lies from the probed function. */
SEC("uprobe/libraries")
int libraries_changed(struct pt_regs *ctx)
{
	keep_to_threads_stack(ctx);
	libraries_change(ctx, bpf_get_attach_cookie(ctx));
	return 0;
}

/* Run by user space: who are we? */
SEC("syscall")
int look_at_ourselves(void *ctx)
{
	look_at_current_task();
	return 0;
}

/* Read by user space: the mappings of files of one process or of all. */
SEC("iter/task_vma")
int list_mappings(struct bpf_iter__task_vma *ctx)
{
	list_mapping(ctx->meta->seq, ctx->task, ctx->vma);
	return 0;
}

/* Run by user space, until no more are found: children that there are already. */
SEC("iter/task")
int adopt_children(struct bpf_iter__task *ctx)
{
	/* Read once: Linux 6.1 checks each reading for itself. */
	struct task_struct *task = ctx->task;

	if (task)
		adopt_child(task);
	return 0;
}

/* Run by user space: what time is it, in the blocks' unit? */
SEC("syscall")
int read_clock(void *ctx)
{
	jiffies_now = bpf_jiffies64();
	return 0;
}

char _license[] SEC("license") = "GPL";
