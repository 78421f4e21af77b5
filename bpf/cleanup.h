/* SPDX-License-Identifier: GPL-2.0 */
/*
 * When a thread ends, glibc gives back what it had cached for it by calling free on blocks that
 * the program freed long ago (malloc/malloc.c, tcache_thread_shutdown). These are no frees of the
 * program. Static programs have a symbol for the code that does it; distributions' libc has none,
 * but there the whole stack, from free to the bottom, lies in free's own library.
 */
#ifndef MT_CLEANUP_H
#define MT_CLEANUP_H

#define MAX_CLEANUP_FRAMES 8

struct cleanup_check {
	struct thread *thread;
	__u32 file;
	__u32 foreign;		/* a frame lies elsewhere */
};

static __always_inline __u32 file_of(struct walk *w, __u64 address)
{
	return find_mapping(w, address) ? 0 : w->mapping.file;
}

static long cleanup_check_step(__u32 i, struct cleanup_check *check)
{
	struct thread *thread = check->thread;
	__u64 pc;

	if (i >= thread->walk.nframes)
		return 1;
	pc = thread->room.frames[i & (MAX_PADDED_FRAMES - 1)] & FRAME_PC_MASK;
	check->foreign = file_of(&thread->walk, pc - 1) != check->file;
	return check->foreign;
}

/* Called at the entry of a free whose block is unknown. */
static __noinline int is_cleanup(struct pt_regs *ctx, struct thread *thread,
				 struct process *process)
{
	struct cleanup_check check = {};
	struct walk *w = &thread->walk;
	const struct code_file *file;
	__u64 caller;

	if (!ctx || !thread || !process)
		return 0;
	if (bpf_probe_read_user(&caller, sizeof(caller), (void *)PT_REGS_SP(ctx)))
		return 0;
	begin_walk(w, process, thread->process, ctx, caller, PT_REGS_SP(ctx) + 8);
	w->limit = MAX_CLEANUP_FRAMES;
	check.file = file_of(w, caller - 1);
	file = file_at(check.file);
	if (!check.file || !file)
		return 0;
	if (caller - w->mapping.bias - file->cleanup < file->cleanup_size)
		return 1;
	if (!(file->flags & FILE_LIBRARY) || file_of(w, PT_REGS_IP(ctx)) != check.file)
		return 0;
	thread->memos[0].site = 0;	/* this walk's trail takes the place of its own */
	walk_stack(w, &thread->room);
	if (w->stop != STOP_BOTTOM)
		return 0;
	check.thread = thread;
	bpf_loop(MAX_CLEANUP_FRAMES, cleanup_check_step, &check, 0);
	return !check.foreign;
}

#endif
