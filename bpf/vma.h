/* SPDX-License-Identifier: GPL-2.0 */
/* What is mapped at an address of the current process, as the kernel's own list of mappings says. */
#ifndef MT_BPF_VMA_H
#define MT_BPF_VMA_H

#define VM_EXEC 4
#define VM_HUGETLB 0x00400000
#define ENOENT 2
#define EBUSY 16
#define PAGE_SHIFT 12

struct vma {
	__u64 start, end, bias;
	struct file_id id;	/* inode 0: no file */
	struct file *file;	/* may be gone by now */
	__u16 executable;
	__u16 vdso;
	__u32 page_size;
};

/* Nothing here needs a lock: `area` may be a mapping that is just being changed, or is none. */
static __always_inline void read_vma(struct vm_area_struct *area, struct vma *vma)
{
	__u64 flags = BPF_CORE_READ(area, vm_flags);
	struct file *file = BPF_CORE_READ(area, vm_file);

	vma->start = BPF_CORE_READ(area, vm_start);
	vma->end = BPF_CORE_READ(area, vm_end);
	vma->bias = vma->start - (BPF_CORE_READ(area, vm_pgoff) << PAGE_SHIFT);
	vma->executable = !!(flags & VM_EXEC);
	vma->page_size = USER_PAGE;
	vma->file = file;
	/* Not what stat(2) says: on overlayfs this is the file that uprobes know, too. */
	if (file) {
		vma->id.inode = BPF_CORE_READ(file, f_inode, i_ino);
		vma->id.device = BPF_CORE_READ(file, f_inode, i_sb, s_dev);
		if (flags & VM_HUGETLB) /* fs/hugetlbfs/inode.c, hugetlbfs_fill_super */
			vma->page_size = BPF_CORE_READ(file, f_inode, i_sb, s_blocksize);
	} else if ((__u64)BPF_CORE_READ(area, vm_mm, context.vdso) == vma->start) {
		vma->vdso = 1;
		vma->bias = vma->start;
	}
}

/* One frame's worth: the stack of Linux 6.1 has little left for a walk's last steps. */
struct vma_search {
	struct vma vma;		/* end 0: not found */
	__u64 address;
	__u64 node;
	__u32 began;		/* the step that came to the node */
};

static long look_at_vma(struct task_struct *task, struct vm_area_struct *area,
			struct vma_search *search)
{
	read_vma(area, &search->vma);
	return 0;
}

/* ---- while somebody changes the mappings ---- */

/*
 * The list of mappings is a B-tree whose readers need but RCU, which this runs under
 * (lib/maple_tree.c, since 6.1): a pointer to a node carries the node's type, and the slot before
 * the first pivot that is not less than the address leads on.
 */
#define MAPLE_NODE_MASK 255UL
#define MAPLE_TYPE_SHIFT 3
#define MAPLE_TYPE_MASK 15
#define MAPLE_STEPS 4096	/* some 50 are needed for 10,000 mappings */

static __always_inline __u64 node_word(__u64 node, __u64 array, __u32 i)
{
	__u64 word = 0;

	bpf_probe_read_kernel(&word, sizeof(word),
			      (void *)((node & ~MAPLE_NODE_MASK) + array + i * sizeof(word)));
	return word;
}

static __always_inline __u64 root_node(void)
{
	return (__u64)BPF_CORE_READ(untrusted(bpf_get_current_task_btf()), mm, mm_mt.ma_root);
}

/* What was read without a lock is it if it is of this process and has the address. */
static __always_inline bool is_vma(struct vm_area_struct *area, struct vma_search *search)
{
	struct vma *vma = &search->vma;

	read_vma(area, vma);
	if (search->address >= vma->start && search->address < vma->end &&
	    BPF_CORE_READ(area, vm_mm) == untrusted(bpf_get_current_task_btf())->mm)
		return true;
	__builtin_memset(vma, 0, sizeof(*vma));
	return false;
}

/* One slot further, one node deeper, or from the root again. */
static long descend(__u32 i, struct vma_search *at)
{
	__u32 type = at->node >> MAPLE_TYPE_SHIFT & MAPLE_TYPE_MASK, slot = i - at->began;
	bool inner = type == maple_arange_64;
	struct maple_arange_64 *arange = NULL;
	struct maple_range_64 *range = NULL;
	__u64 pivots = inner ? bpf_core_field_offset(arange->pivot) :
			       bpf_core_field_offset(range->pivot);
	__u64 slots = inner ? bpf_core_field_offset(arange->slot) :
			      bpf_core_field_offset(range->slot);
	__u32 npivots = (inner ? sizeof(arange->pivot) : sizeof(range->pivot)) / sizeof(__u64);
	__u64 pivot, next;

	/* A zero ends the pivots early. */
	if (slot < npivots) {
		pivot = node_word(at->node, pivots, slot);
		if (pivot < at->address && (pivot || !slot))
			return 0;
	}
	next = node_word(at->node, slots, slot);
	at->began = i + 1;
	if (type == maple_leaf_64) {
		if (is_vma((struct vm_area_struct *)next, at))
			return 1;
		next = root_node();
	}
	at->node = next;
	return 0;
}

/*
 * `search` has the address, all else is zero. 0, -ENOENT, or -EBUSY: the mappings are being changed
 * all the time. The helper does not wait for who changes them, and where thousands of threads begin
 * there is always one that does or waits to.
 */
static __always_inline int find_vma(struct vma_search *search)
{
	long err = bpf_find_vma(bpf_get_current_task_btf(), search->address, look_at_vma, search, 0);

	if (err != -EBUSY)
		return search->vma.end ? 0 : -ENOENT;
	if (bpf_core_type_exists(struct maple_tree)) {
		search->node = root_node();
		bpf_loop(MAPLE_STEPS, descend, search, 0);
	}
	return search->vma.end ? 0 : -EBUSY;
}

#endif
