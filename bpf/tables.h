/* SPDX-License-Identifier: GPL-2.0 */
/* What unwind.h asks of its surroundings, answered from the maps and the kernel. */
#ifndef MT_TABLES_H
#define MT_TABLES_H

static __always_inline const struct space *space_at(__u32 index)
{
	return bpf_map_lookup_elem(&spaces, &index);
}

static __always_inline const struct mapping *mapping_at(__u32 index)
{
	return bpf_map_lookup_elem(&mappings, &index);
}

static __always_inline const struct unwind_row *row_at(__u32 file, __u32 index)
{
	void *rows = bpf_map_lookup_elem(&files, &file);

	return rows ? bpf_map_lookup_elem(rows, &index) : NULL;
}

static __always_inline const struct unwind_rule *rule_at(__u32 index)
{
	return bpf_map_lookup_elem(&rules, &index);
}

static __always_inline __u64 *rule_cache_at(__u32 index)
{
	return bpf_map_lookup_elem(&rule_cache, &index);
}

struct trampoline_search {
	struct return_instance *at;
	__u64 slot;
	__u64 pc;
};

static long trampoline_search_step(__u32 i, struct trampoline_search *search)
{
	struct return_instance *at = search->at;

	if (!at)
		return 1;
	if (BPF_CORE_READ(at, stack) == search->slot) {
		search->pc = BPF_CORE_READ(at, orig_ret_vaddr);
		return 1;
	}
	search->at = BPF_CORE_READ(at, next);
	return 0;
}

/* Does the address lie in the page where the kernel keeps its return trampoline in this space? */
static __always_inline bool is_trampoline(__u64 pc)
{
	struct xol_area *area = bpf_get_current_task_btf()->mm->uprobes_state.xol_area;
	__u64 page = area ? area->vaddr : 0;

	return page && pc >= page && pc < page + USER_PAGE;
}

/*
 * A uretprobe replaces the return address in `slot` by its trampoline's and remembers the real one
 * with the task (kernel/events/uprobes.c, prepare_uretprobe); of several on one call each has it.
 */
__noinline __u64 trampoline_return(__u64 slot, __u64 pc)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct trampoline_search search = { .slot = slot };

	if (!is_trampoline(pc) || !task->utask)
		return 0;
	search.at = task->utask->return_instances;
	bpf_loop(64, trampoline_search_step, &search, 0);	/* MAX_URETPROBE_DEPTH */
	return search.pc;
}

#endif
