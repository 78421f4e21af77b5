/* SPDX-License-Identifier: GPL-2.0 */
/* What unwind.h asks of its surroundings, answered from the maps and the kernel. */
#ifndef MT_BPF_TABLES_H
#define MT_BPF_TABLES_H

#define MAX_LISTED_MAPPINGS 1024	/* of one process, looked through for one */

static __always_inline const struct code_file *file_at(__u32 index)
{
	return bpf_map_lookup_elem(&files, &index);
}

static __always_inline const struct unwind_row *row_at(__u32 file, __u32 index)
{
	void *rows = bpf_map_lookup_elem(&rows_of, &file);

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

/* ---- the kernel's return trampoline ---- */

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
	struct task_struct *task = untrusted(bpf_get_current_task_btf());
	struct xol_area *area = task->mm->uprobes_state.xol_area;
	__u64 page = area ? area->vaddr : 0;

	return page && pc >= page && pc < page + USER_PAGE;
}

/*
 * A uretprobe replaces the return address in `slot` by its trampoline's and remembers the real one
 * with the task (kernel/events/uprobes.c, prepare_uretprobe); of several on one call each has it.
 */
__noinline __u64 trampoline_return(__u64 slot, __u64 pc)
{
	struct task_struct *task = untrusted(bpf_get_current_task_btf());
	struct trampoline_search search = { .slot = slot };

	if (!is_trampoline(pc) || !task->utask)
		return 0;
	search.at = task->utask->return_instances;
	bpf_loop(64, trampoline_search_step, &search, 0);	/* MAX_URETPROBE_DEPTH */
	return search.pc;
}

/* ---- files ---- */

#define MAX_NAMES 128	/* and mounts, on the way up */

struct names_search {
	struct arrival *arrival;
	struct dentry *dentry;
	struct mount *mount;
};

static long read_name(__u32 i, struct names_search *search)
{
	struct arrival *arrival = search->arrival;
	struct dentry *dentry = search->dentry;
	struct mount *mount = search->mount;
	const unsigned char *name;
	__u64 size;
	long n;

	if (dentry == BPF_CORE_READ(mount, mnt.mnt_root)) {
		search->dentry = BPF_CORE_READ(mount, mnt_mountpoint);
		search->mount = BPF_CORE_READ(mount, mnt_parent);
		return search->mount == mount;
	}
	name = BPF_CORE_READ(dentry, d_name.name);
	/* No call comes between: 6.1 forgets what was compared once it is in memory. */
	size = arrival->size;
	asm volatile("" : "+r"(size));
	if (size > ARRIVAL_NAMES)
		return 1;
	n = bpf_probe_read_kernel_str(&arrival->names[size], ARRIVAL_NAME, name);
	if (n <= 0)
		return 1;
	arrival->size = size + n;
	search->dentry = BPF_CORE_READ(dentry, d_parent);
	return 0;
}

/* The file's name, for when the process has ended before user space can ask it. */
static __always_inline void read_names(struct arrival *arrival, struct file *file)
{
	struct vfsmount *mount = BPF_CORE_READ(file, f_path.mnt);
	struct names_search search = { .arrival = arrival };

	search.dentry = BPF_CORE_READ(file, f_path.dentry);
	search.mount = (void *)mount - bpf_core_field_offset(struct mount, mnt);
	arrival->size = 0;
	bpf_loop(MAX_NAMES, read_name, &search, 0);
}

static __always_inline void announce(struct arrival *arrival, const struct vma *vma, __u32 pid)
{
	arrival->pid = pid;
	arrival->start = vma->start;
	arrival->end = vma->end;
	arrival->id = vma->id;
	read_names(arrival, vma->file);
	bpf_ringbuf_submit(arrival, 0);
}

/* Else the ring would fill with what is not said. */
static __always_inline bool may_take_file(void)
{
	return *(volatile __u64 *)&free_files & FREE_LIST_INDEX ||
	       *(volatile __u32 *)&next_file < MAX_FILES;
}

/* An index that no file has; 0: there is none. */
static __always_inline __u32 take_file(void)
{
	__u32 index = take_free(&free_files, file_at, ->next);

	if (!index && *(volatile __u32 *)&next_file < MAX_FILES)
		index = __sync_fetch_and_add(&next_file, 1);
	return index;
}

/* A file that nobody has seen yet: gives it an index, and user space a way to open it. What user
 * space would not hear of gets none: walks may already have noted the index when it is taken away. */
static __noinline __u32 new_file(struct vma *vma, __u32 pid)
{
	struct arrival *arrival;
	struct code_file *file;
	__u32 index, *known;

	if (!vma)
		return 0;
	if (!may_take_file()) {
		count_lost(LOST_FILES);
		return 0;
	}
	arrival = bpf_ringbuf_reserve(&arrivals, sizeof(*arrival), 0);
	if (!arrival) {	/* it will be met again */
		count_lost(LOST_EVENTS);
		return 0;
	}
	index = take_file();
	file = index ? bpf_map_lookup_elem(&files, &index) : NULL;
	if (!file) {
		bpf_ringbuf_discard(arrival, 0);
		count_lost(LOST_FILES);
		return 0;
	}
	if (!bpf_map_update_elem(&file_ids, &vma->id, &index, BPF_NOEXIST)) {
		announce(arrival, vma, pid);
		return index;
	}
	bpf_ringbuf_discard(arrival, 0);
	give_free(&free_files, index, &file->next);
	known = bpf_map_lookup_elem(&file_ids, &vma->id);
	return known ? *known : 0;
}

static __always_inline __u32 file_of_vma(struct vma *vma, __u32 pid)
{
	__u32 *known;

	if (vma->vdso)
		return FILE_VDSO;
	if (!vma->id.inode)
		return 0;
	known = bpf_map_lookup_elem(&file_ids, &vma->id);
	return known ? *known : new_file(vma, pid);
}

/* ---- mappings: noted when a walk meets them ---- */

static __always_inline bool is_mapping_of(const struct mapping *m, const struct walk *w,
					  __u64 address)
{
	return m->process == w->process && m->epoch == w->epoch && address >= m->start &&
	       address < m->end;
}

static __always_inline void use_mapping(struct walk *w, const struct mapping *m)
{
	w->mapping.start = m->start;
	w->mapping.end = m->end;
	w->mapping.bias = m->bias;
	w->mapping.file = m->file;
}

struct mapping_search {
	struct walk *walk;
	__u64 address;
	__u32 at;		/* where the search stands */
	__u32 found;
};

static long mapping_search_step(__u32 i, struct mapping_search *search)
{
	const struct mapping *m = search->at ? mapping_at(search->at) : NULL;

	if (!m)
		return 1;
	if (is_mapping_of(m, search->walk, search->address)) {
		use_mapping(search->walk, m);
		search->found = search->at;
		return 1;
	}
	search->at = m->next;
	return 0;
}

/* Index of the mapping in the list of the walk's process; 0: it is not in it. */
static __noinline __u32 search_mapping(struct walk *w, __u64 address, struct process *process)
{
	struct mapping_search search = { .walk = w, .address = address };

	if (!w || !process)
		return 0;
	search.at = process->mappings;
	bpf_loop(MAX_LISTED_MAPPINGS, mapping_search_step, &search, 0);
	return search.found;
}

/* Notes w->mapping in the list of its process. Its index, or 0. */
static __noinline __u32 note_mapping(struct walk *w, struct process *process)
{
	__u32 index, i, head;
	struct mapping *m;

	if (!w || !process)
		return 0;
	index = take_free(&free_mappings, mapping_at, ->next);
	if (!index && mapping_at(*(volatile __u32 *)&next_mapping))
		index = __sync_fetch_and_add(&next_mapping, 1);
	m = index ? mapping_at(index) : NULL;
	if (!m) {
		ask_to_grow(&piece_requests);
		count_lost(LOST_FILES);
		return 0;
	}
	if ((index & (MAPPING_PIECE / 4 - 1)) == 0)
		ask_to_grow(&piece_requests);
	m->start = w->mapping.start;
	m->end = w->mapping.end;
	m->bias = w->mapping.bias;
	m->file = w->mapping.file;
	m->process = w->process;
	m->epoch = w->epoch;
	for (i = 0; i < 16; i++) {
		head = *(volatile __u32 *)&process->mappings;
		m->next = head;
		if (__sync_val_compare_and_swap(&process->mappings, head, index) == head)
			return index;
	}
	m->process = 0;
	give_free(&free_mappings, index, &m->next);
	count_lost(LOST_FILES);
	return 0;
}

/* The mapping as the kernel has it; -1: there is no code. */
static __noinline int ask_kernel(struct walk *w, __u64 address, struct process *process)
{
	struct vma_search search = { .address = address };
	const struct vma *vma = &search.vma;
	int err;

	if (!w || !process)
		return -1;
	err = find_vma(&search);
	if (err == -EBUSY)
		w->stop = STOP_MAPS_CHANGED;	/* the walk's end is not worth remembering */
	if (err || !vma->executable)
		return -1;
	w->mapping.start = vma->start;
	w->mapping.end = vma->end;
	w->mapping.bias = vma->bias;
	w->mapping.file = file_of_vma(&search.vma, process->pid);
	return 0;
}

__noinline int load_mapping(struct walk *w, __u64 address)
{
	__u32 slot, *guess, index;
	struct process *process;
	const struct mapping *m;

	if (!w)
		return -1;
	w->stop = STOP_UNMAPPED;
	slot = (((address >> PAGE_SHIFT) ^ (__u64)w->process << 40) * 0x9e3779b97f4a7c15ULL) >>
	       (64 - MAPPING_CACHE_BITS);
	guess = bpf_map_lookup_elem(&mapping_cache, &slot);
	m = guess && *guess ? mapping_at(*guess) : NULL;
	if (m && is_mapping_of(m, w, address)) {
		use_mapping(w, m);
		return 0;
	}
	process = process_at(w->process);
	if (!process || !guess || address >= USER_TOP || is_trampoline(address))
		return -1;
	index = search_mapping(w, address, process);
	if (!index) {
		if (ask_kernel(w, address, process))
			return -1;
		/* Code made at run time has no names, and comes and goes. */
		if (w->mapping.file)
			index = note_mapping(w, process);
	}
	if (index)
		*guess = index;
	return 0;
}

#endif
