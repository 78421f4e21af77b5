/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Memory that the program maps itself, by the C library's mmap, munmap, mremap, brk and sbrk. What
 * allocators, the library and the linker map for their own use is not meant: it is told by a call
 * of the allocator in progress, and by whose code it is that calls. These calls are rare, and what
 * they change are ranges: user space keeps the books, from a word about each.
 */
#ifndef MT_BPF_REGIONS_H
#define MT_BPF_REGIONS_H

#define MREMAP_DONTUNMAP 4	/* include/uapi/linux/mman.h */
#define MAP_FAILED (~0ULL)

static __always_inline __u64 next_moment(void)
{
	return __sync_fetch_and_add(&region_moments, 1) + 1;
}

/* The end of what is mapped or unmapped: in whole pages. */
static __always_inline __u64 end_of(__u64 start, __u64 size, __u64 page)
{
	return start + ((size + page - 1) & ~(page - 1));
}

/* At the entry: is it the program's own code that calls? */
static __noinline int is_programs_call(struct pt_regs *ctx, struct thread *thread,
				       struct process *process)
{
	const struct code_file *file;
	struct scratch *scratch;
	__u64 caller, sp;
	struct walk *w;
	int programs;

	if (!ctx || !thread || !process)
		return 0;
	sp = PT_REGS_SP(ctx);
	if (bpf_probe_read_user(&caller, sizeof(caller), (void *)sp))
		return 0;
	if (is_trampoline(caller))	/* a tail call of what is probed itself */
		caller = trampoline_return(sp, caller);
	scratch = take_scratch();
	if (!scratch)
		return 1;
	w = &scratch->walk;
	begin_walk(w, thread, process, ctx, caller, sp + 8);
	file = file_at(file_of(w, caller - 1));
	programs = !file || (!(file->flags & FILE_RUNTIME) &&
			     caller - w->mapping.bias - file->threads >= file->threads_size);
	leave_scratch(scratch);
	return programs;
}

/* Is the stack pointer below the frame of a call of the allocator in progress, or of one of ours? */
static __always_inline bool is_within_call(struct thread *thread, __u64 sp)
{
	return (thread->call && thread->call_sp - sp - 1 < CALL_REACH) ||
	       (sample_bytes && is_part_of_passed(thread, sp, CALL_NONE)) ||
	       (thread->mapping.kind && sp < thread->mapping.sp);
}

/* True: the call's return has to be seen. */
static __always_inline bool mapping_call_begins(struct pt_regs *ctx, __u32 kind)
{
	struct thread *thread = current_thread(ctx);
	__u64 sp = PT_REGS_SP(ctx);
	struct mapping_call *call;
	struct process *process;

	if (!thread || is_within_call(thread, sp))
		return false;
	process = books_of(thread);
	if (!process || !is_programs_call(ctx, thread, process) ||
	    (may_be_enclosed(thread->process, sp) && enclosing_call(ctx, thread, process)))
		return false;
	call = &thread->mapping;
	call->kind = kind;
	call->sp = sp;
	call->address = PT_REGS_PARM1(ctx);
	call->size = PT_REGS_PARM2(ctx);
	if (kind == MAPPING_MREMAP) {
		call->new_size = PT_REGS_PARM3(ctx);
		call->flags = PT_REGS_PARM4(ctx);
	} else if (kind == MAPPING_BREAK) {
		call->address = untrusted(bpf_get_current_task_btf())->mm->brk;
	}
	call->began = next_moment();
	return true;
}

/* What the call has done, in event->old_... and event->start and end; false: nothing. */
static __always_inline bool read_change(const struct pt_regs *ctx, const struct mapping_call *call,
					__u32 kind, __u64 page, struct region_event *event)
{
	__u64 returned = PT_REGS_RC(ctx), brk;

	switch (kind) {
	case MAPPING_MMAP:
		event->start = returned;
		event->end = end_of(returned, call->size, page);
		break;
	case MAPPING_MREMAP:
		event->start = returned;
		event->end = end_of(returned, call->new_size, page);
		if (call->flags & MREMAP_DONTUNMAP)
			break;
		/* fallthrough */
	case MAPPING_MUNMAP:
		event->old_start = call->address;
		event->old_end = end_of(call->address, call->size, USER_PAGE);
		break;
	default:
		brk = untrusted(bpf_get_current_task_btf())->mm->brk;
		if (brk > call->address) {
			event->start = call->address;
			event->end = brk;
		} else {
			event->old_start = brk;
			event->old_end = call->address;
		}
		break;
	}
	if (event->end > USER_TOP || event->end < event->start) {
		count_lost(LOST_BLOCKS_SIZE);
		event->start = event->end = 0;
	}
	return event->start < event->end || event->old_start < event->old_end;
}

static __always_inline bool has_failed(const struct pt_regs *ctx, __u32 kind)
{
	__u64 returned = PT_REGS_RC(ctx);

	if (kind == MAPPING_MUNMAP)
		return (__u32)returned;
	return kind != MAPPING_BREAK && returned == MAP_FAILED;
}

/* New memory's pages are larger than others where they are huge ones. */
static __noinline __u64 page_size_of(const struct pt_regs *ctx, __u32 kind)
{
	struct vma_search search = { .address = PT_REGS_RC(ctx) };

	if ((kind == MAPPING_MMAP || kind == MAPPING_MREMAP) && !find_vma(&search))
		return search.vma.page_size;
	return USER_PAGE;
}

/* Where the memory was mapped: found as the place of a block is. */
static __always_inline __u32 place_of_region(struct pt_regs *ctx, struct thread *thread,
					     struct process *process, __u64 size)
{
	struct scratch *scratch = take_scratch();
	__u32 site;

	if (!scratch)
		return 0;
	begin_walk(&scratch->walk, thread, process, ctx, PT_REGS_IP(ctx), PT_REGS_SP(ctx));
	scratch->walk.sizes = size_class(size) | MAPS_MEMORY;
	site = place(&scratch->walk, &scratch->room);
	leave_scratch(scratch);
	return site;
}

static __always_inline void mapping_call_returns(struct pt_regs *ctx, __u32 kind)
{
	struct thread *thread = current_thread(ctx);
	struct region_event event = {};
	struct process *process;

	if (!thread || thread->mapping.kind != kind || PT_REGS_SP(ctx) != thread->mapping.sp + 8)
		return;
	thread->mapping.kind = MAPPING_NONE;
	process = books_of(thread);
	if (!process || has_failed(ctx, kind) ||
	    !read_change(ctx, &thread->mapping, kind, page_size_of(ctx, kind), &event))
		return;
	if (event.start < event.end)
		event.site = place_of_region(ctx, thread, process, event.end - event.start);
	event.process = thread->process;
	event.generation = thread->generation;
	event.books = thread->books;
	event.began = thread->mapping.began;
	event.ended = next_moment();
	event.time = bpf_ktime_get_ns();
	event.heap_size = sum_of_sizes(thread->process, nshards);
	if (bpf_ringbuf_output(&regions, &event, sizeof(event), 0))
		count_lost(LOST_REGIONS);
}

#endif
