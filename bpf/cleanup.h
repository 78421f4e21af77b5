/* SPDX-License-Identifier: GPL-2.0 */
/*
 * When a thread ends, glibc gives back what it had cached for it by calling free on blocks that
 * the program freed long ago (malloc/malloc.c, tcache_thread_shutdown). These are no frees of the
 * program. Static programs have a symbol for the code that does it; distributions' libc has none,
 * but there the whole stack, from free to the bottom, lies in free's own library.
 */
#ifndef MT_BPF_CLEANUP_H
#define MT_BPF_CLEANUP_H

#define MAX_CLEANUP_FRAMES 8

static __always_inline __u32 file_of(struct walk *w, __u64 address)
{
	return find_mapping(w, address) ? 0 : w->mapping.file;
}

static long cleanup_check_step(__u32 i, struct scratch **context)
{
	struct scratch *scratch = *context;
	__u64 pc;

	if (i >= scratch->walk.nframes)
		return 1;
	pc = scratch->room.frames[i & (MAX_PADDED_FRAMES - 1)] & FRAME_PC_MASK;
	scratch->check.foreign = file_of(&scratch->walk, pc - 1) != scratch->check.file;
	return scratch->check.foreign;
}

static __always_inline int is_cleanup_by(struct pt_regs *ctx, struct scratch *scratch, __u64 caller)
{
	struct cleanup_check *check = &scratch->check;
	struct walk *w = &scratch->walk;
	const struct code_file *file;

	w->limit = MAX_CLEANUP_FRAMES;
	check->file = file_of(w, caller - 1);
	file = file_at(check->file);
	if (!check->file || !file)
		return 0;
	if (caller - w->mapping.bias - file->cleanup < file->cleanup_size)
		return 1;
	if (!(file->flags & FILE_LIBRARY) || file_of(w, PT_REGS_IP(ctx)) != check->file)
		return 0;
	walk_stack(w, &scratch->room);
	if (w->stop != STOP_BOTTOM)
		return 0;
	check->foreign = 0;
	bpf_loop(MAX_CLEANUP_FRAMES, cleanup_check_step, &scratch, 0);
	return !check->foreign;
}

/* Called at the entry of a free whose block is unknown. */
static __noinline int is_cleanup(struct pt_regs *ctx, struct thread *thread,
				 struct process *process)
{
	struct scratch *scratch;
	int cleanup = 0;
	__u64 *caller;

	if (!ctx || !thread || !process)
		return 0;
	scratch = take_scratch();
	if (!scratch)
		return 0;
	caller = &scratch->caller;
	if (!bpf_probe_read_user(caller, sizeof(*caller), (void *)PT_REGS_SP(ctx))) {
		begin_walk(&scratch->walk, thread, process, ctx, *caller, PT_REGS_SP(ctx) + 8);
		cleanup = is_cleanup_by(ctx, scratch, *caller);
	}
	leave_scratch(scratch);
	return cleanup;
}

#endif
