/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which processes are followed, and what happens to them besides allocating: they begin, run a new
 * program, load and unload libraries, end. Books are opened by the first call of the allocator.
 */
#ifndef MT_BPF_LIFECYCLE_H
#define MT_BPF_LIFECYCLE_H

#define SIGILL 4
#define SIGTRAP 5
#define SIGABRT 6
#define SIGBUS 7
#define SIGSEGV 11
#define SIGSTOP 19
#define SIGNAL_GROUP_EXIT 0x00000004	/* include/linux/sched/signal.h */
#define PF_FORKNOEXEC 0x00000040	/* include/linux/sched.h */
#define MAX_SHARING 8		/* a child that shares memory, its child that does ... */
#define MAX_ENDED_THREADS 256		/* of one process, at one time, that are not gone yet */
#define ENDS_AT_A_TIME 64		/* that user space is told of, or ... */
#define MANY_SITES 512			/* ... one that gives back so many places */

/* ---- who is it ---- */

/* Thread group id as our pid namespace has it; 0: not to be seen from there. */
static __noinline __u32 pid_of(struct task_struct *task)
{
	struct upid id = {};
	struct pid *pid;
	__u32 tgid;

	if (!task)
		return 0;
	tgid = task->tgid;
	asm volatile("" : "+r"(tgid));	/* or it and id.nr are one load, of two kinds of pointers */
	if (!our_pid_level)
		return tgid;
	pid = BPF_CORE_READ(task, signal, pids[PIDTYPE_TGID]);
	if (!pid || BPF_CORE_READ(pid, level) < our_pid_level)
		return 0;
	bpf_probe_read_kernel(&id, sizeof(id), &pid->numbers[our_pid_level]);
	return (__u64)id.ns == our_pid_namespace ? id.nr : 0;
}

/* Run by user space: who are we, in the kernel's terms? */
static __always_inline void look_at_current_task(void)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct pid *pid = BPF_CORE_READ(task, signal, pids[PIDTYPE_TGID]);
	struct upid id = {};

	our_tgid = task->tgid;
	our_pid_level = BPF_CORE_READ(pid, level);
	bpf_probe_read_kernel(&id, sizeof(id), &pid->numbers[our_pid_level & 31]);
	our_pid_namespace = (__u64)id.ns;
}

struct thread_search {
	__u64 at;		/* struct list_head in a task's thread_node */
	__u32 first;		/* id of the first thread that has memory; 0: not found yet */
};

static long search_first_thread(__u32 i, struct thread_search *search)
{
	struct task_struct *task = (void *)search->at -
				   bpf_core_field_offset(struct task_struct, thread_node);

	search->at = (__u64)BPF_CORE_READ(task, thread_node.next);
	if (BPF_CORE_READ(task, mm))
		search->first = BPF_CORE_READ(task, pid);
	return search->first != 0;
}

/* Threads have the mappings of the first of them; a process may outlive its very first. */
static __noinline int is_first_thread(struct task_struct *task)
{
	struct thread_search search = {};
	struct task_struct *leader;

	if (!task)
		return 0;
	leader = BPF_CORE_READ(task, group_leader);
	if (BPF_CORE_READ(leader, mm))
		return task->pid == task->tgid;
	search.at = (__u64)BPF_CORE_READ(leader, thread_node.next);
	bpf_loop(MAX_ENDED_THREADS, search_first_thread, &search, 0);
	return search.first == (__u32)task->pid;
}

/* One entry of the list that user space reads. */
static __always_inline void list_mapping(struct seq_file *seq, struct task_struct *task,
					 struct vm_area_struct *area)
{
	struct listed_mapping listed = {};
	struct vma vma = {};

	if (!task || !area || !is_first_thread(task))
		return;
	read_vma(area, &vma);
	if (!vma.executable || (!vma.id.inode && !vma.vdso))
		return;
	listed.pid = pid_of(task);
	listed.vdso = vma.vdso;
	listed.start = vma.start;
	listed.end = vma.end;
	listed.offset = vma.start - vma.bias;
	listed.id = vma.id;
	if (listed.pid)
		bpf_seq_write(seq, &listed, sizeof(listed));
}

/* ---- selection ---- */

struct cgroup_search {
	struct css_set *set;
	struct cgroup *at;
	__u32 found;
};

static long cgroup_search_up(__u32 i, struct cgroup_search *search)
{
	struct cgroup_subsys_state *parent;
	struct cgroup_id id = {};
	struct cgroup *at = search->at;

	if (!at)
		return 1;
	id.id = BPF_CORE_READ(at, kn, id);
	id.hierarchy = BPF_CORE_READ(at, root, hierarchy_id);
	if (bpf_map_lookup_elem(&selected_cgroups, &id)) {
		search->found = 1;
		return 1;
	}
	parent = BPF_CORE_READ(at, self.parent);
	search->at = parent ? BPF_CORE_READ(parent, cgroup) : NULL;
	return 0;
}

/* A task is in one cgroup of the unified hierarchy and in one for each controller of version 1. */
static long cgroup_search_hierarchy(__u32 i, struct cgroup_search *search)
{
	__u32 controllers = bpf_core_enum_value(enum cgroup_subsys_id, CGROUP_SUBSYS_COUNT);
	struct cgroup_subsys_state *state = NULL;
	struct css_set *set = search->set;	/* BPF_CORE_READ relocates all that it is given */

	if (i > controllers)
		return 1;
	if (i == controllers) {
		search->at = BPF_CORE_READ(set, dfl_cgrp);
	} else {
		bpf_probe_read_kernel(&state, sizeof(state), &set->subsys[i & 31]);
		search->at = state ? BPF_CORE_READ(state, cgroup) : NULL;
	}
	bpf_loop(64, cgroup_search_up, search, 0);
	return search->found;
}

static __noinline int in_selected_cgroup(struct task_struct *task)
{
	struct cgroup_search search = {};

	if (!task)
		return 0;
	search.set = BPF_CORE_READ(task, cgroups);
	bpf_loop(32, cgroup_search_hierarchy, &search, 0);
	return search.found;
}

/* 0 where it does not matter. */
static __always_inline __u32 user_of(struct task_struct *task)
{
	return select_by & SELECT_USER ? BPF_CORE_READ(task, cred, euid.val) : 0;
}

static __noinline int is_selected(struct task_struct *task)
{
	__u32 tgid, pid, user;
	struct comm comm = {};

	if (!task)
		return 0;
	tgid = task->tgid;
	pid = pid_of(task);
	if (!pid || tgid == our_tgid)
		return 0;
	if (follow_fork && bpf_map_lookup_elem(&children, &tgid))
		return 1;
	if ((select_by & SELECT_PID) && !bpf_map_lookup_elem(&selected_pids, &pid))
		return 0;
	if (select_by & SELECT_COMM) {
		BPF_CORE_READ_STR_INTO(&comm.name, task, group_leader, comm);
		if (!bpf_map_lookup_elem(&selected_comms, &comm))
			return 0;
	}
	if (select_by & SELECT_USER) {
		user = user_of(task);
		if (!bpf_map_lookup_elem(&selected_users, &user))
			return 0;
	}
	return !(select_by & SELECT_CGROUP) || in_selected_cgroup(task);
}

/* ---- books ---- */

/* Fresh books, of nobody yet; 0: there are none. */
static __noinline __u32 take_process(void)
{
	__u32 index = take_free(&free_processes, process_at, ->next);

	if (!index && *(volatile __u32 *)&next_process < MAX_PROCESSES)
		index = __sync_fetch_and_add(&next_process, 1);
	if (index && index < MAX_PROCESSES)
		return index;
	count_lost(LOST_PROCESSES);
	return 0;
}

/* Opens books for the task's process; those that another thread opened meanwhile will do. */
static __noinline __u32 open_books(struct task_struct *task, __u32 flags)
{
	__u32 tgid, index, *known;
	struct process *process;

	if (!task)
		return 0;
	tgid = task->tgid;
	index = take_process();
	process = index ? process_at(index) : NULL;
	if (!process)
		return 0;
	process->pid = pid_of(task);
	process->flags = flags;
	process->since = bpf_ktime_get_ns();
	process->id = __sync_fetch_and_add(&books_opened, 1) + 1;
	/* The first thread's: any other is a copy of a task, too. */
	if ((BPF_CORE_READ(task, group_leader, flags) & PF_FORKNOEXEC) &&
	    BPF_CORE_READ(task, group_leader, start_time) > started)
		process->flags |= PROCESS_FORKED;
	BPF_CORE_READ_STR_INTO(&process->comm, task, group_leader, comm);
	*(volatile __u32 *)&process->state = PROCESS_LIVE;
	if (!bpf_map_update_elem(&process_of, &tgid, &index, BPF_NOEXIST))
		return index;
	process->state = PROCESS_NONE;
	give_free(&free_processes, index, &process->next);
	known = bpf_map_lookup_elem(&process_of, &tgid);
	if (known)
		return *known;
	count_lost(LOST_PROCESSES);
	return 0;
}

/* Books that user space opened for a pid that the user named: now we know whose they are. */
static __noinline __u32 named_books(struct task_struct *task)
{
	__u32 tgid, pid, *index;

	if (!task)
		return 0;
	tgid = task->tgid;
	pid = pid_of(task);
	index = bpf_map_lookup_elem(&selected_pids, &pid);
	if (!index || !*index)
		return 0;
	bpf_map_update_elem(&process_of, &tgid, index, BPF_NOEXIST);
	return *index;
}

/*
 * Index of the books of the task's process, opened if need be; a task that shares its parent's
 * memory (vfork, CLONE_VM) shares its books. 0: not followed.
 */
static __noinline __u32 find_process(struct task_struct *task)
{
	struct task_struct *parent;
	__u32 i, tgid, *index, named;

	if (!task)
		return 0;
	task = untrusted(task);
	for (i = 0; i < MAX_SHARING; i++) {
		tgid = task->tgid;
		index = bpf_map_lookup_elem(&process_of, &tgid);
		if (index)
			return *index;
		parent = task->real_parent;
		if (parent->mm != task->mm)
			break;
		task = parent;
	}
	named = named_books(task);
	if (named)
		return named;
	return is_selected(task) ? open_books(task, 0) : 0;
}

/* Nobody adds to the books any more: user space will read them a last time and clear them. */
static __always_inline void close_books(struct process *process, enum process_state state)
{
	struct event event = { .type = EVENT_ENDED, .pid = process->pid };
	__u32 ended;

	/* In this order: whoever sees the number finds the state. */
	*(volatile __u32 *)&process->state = state;
	ended = __sync_fetch_and_add(&processes_ended, 1);
	if (each_end || (process->flags & PROCESS_PINNED) || process->nsites > MANY_SITES ||
	    !(ended % ENDS_AT_A_TIME))
		/* That books are closed says their state: without room for this, it is seen later. */
		bpf_ringbuf_output(&events, &event, sizeof(event), 0);
}

/* ---- words about it ---- */

/*
 * Tells user space about a process that it named. One that is to be held is stopped, but only if
 * the word fits: nobody would let it go on. The stop is pending before the word can be seen, so
 * that SIGCONT comes after it in any case.
 */
static __noinline int tell_of_process(__u32 type, __u32 pid, __u32 index)
{
	struct process *process = process_at(index);
	struct event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);

	if (!event) {
		count_lost(LOST_EVENTS);
		return 0;
	}
	__builtin_memset(event, 0, sizeof(*event));
	event->type = type;
	event->pid = pid;
	event->process = index;
	if (process && (process->flags & PROCESS_HOLD))
		bpf_send_signal(SIGSTOP);
	bpf_ringbuf_submit(event, 0);
	return 0;
}

/* By which signal the task's process died, as wait() tells its parent (kernel/exit.c,
 * wait_task_zombie); 0: by none. */
static __always_inline __u32 signal_of_death(struct task_struct *task)
{
	int code = BPF_CORE_READ(task, signal, flags) & SIGNAL_GROUP_EXIT ?
			   BPF_CORE_READ(task, signal, group_exit_code) :
			   BPF_CORE_READ(task, group_leader, exit_code);

	return code & 0x7f;
}

/* These may be our doing. */
static __always_inline bool is_crash(__u32 signal)
{
	return signal == SIGILL || signal == SIGTRAP || signal == SIGABRT || signal == SIGBUS ||
	       signal == SIGSEGV;
}

/* The last thread of a process ends that user space named (`pinned`), or that it may have
 * selected. */
static __noinline int tell_of_death(struct task_struct *task, bool pinned)
{
	struct event event = { .type = EVENT_KILLED };

	if (!task)
		return 0;
	event.signal = signal_of_death(task);
	if (!event.signal || (!pinned && (!is_crash(event.signal) || !is_selected(task))))
		return 0;
	event.pid = pid_of(task);
	BPF_CORE_READ_STR_INTO(&event.comm, task, group_leader, comm);
	send_event(&event);
	return 0;
}

/* ---- what happens ---- */

/* A file that comes to be mapped is looked at before its code has run far. */
static __noinline int meet_file(__u64 address, __u32 pid)
{
	struct vma_search search = { .address = address };

	if (!find_vma(&search))
		file_of_vma(&search.vma, pid);
	return 0;
}

/* Kernels before 6.2 (f1a7941243c1, "mm: convert mm's rss stats into percpu_counter"). */
struct mm_rss_stat {
	struct {
		__s64 counter;
	} count[4];
} __attribute__((preserve_access_index));

struct mm_struct___counted {
	struct mm_rss_stat rss_stat;
} __attribute__((preserve_access_index));

#define MM_ANONPAGES 1	/* include/linux/mm_types_task.h; the same since 4.5 */
#define MM_SWAPENTS 2

/* Anonymous pages, resident and swapped; each CPU may hold some 32 back. */
static __always_inline __s64 anonymous_pages(struct mm_struct *mm)
{
	struct mm_struct___counted *counted = (void *)mm;

	if (bpf_core_type_exists(struct mm_rss_stat))
		return BPF_CORE_READ(counted, rss_stat.count[MM_ANONPAGES].counter) +
		       BPF_CORE_READ(counted, rss_stat.count[MM_SWAPENTS].counter);
	return BPF_CORE_READ(mm, rss_stat[MM_ANONPAGES].count) +
	       BPF_CORE_READ(mm, rss_stat[MM_SWAPENTS].count);
}

/* Of vfork it is the parent's own memory, until exec. */
static __noinline int note_size_at_fork(struct task_struct *child)
{
	__u32 pid;
	__u64 bytes;
	__s64 pages;

	if (!child || !BPF_CORE_READ(child, mm))
		return 0;
	pages = anonymous_pages(BPF_CORE_READ(child, mm));
	bytes = pages > 0 ? (__u64)pages << PAGE_SHIFT : 0;
	pid = pid_of(child);
	bpf_map_update_elem(&sizes_at_fork, &pid, &bytes, BPF_ANY);
	return 0;
}

/* Is the parent followed, so that its children are? */
static __noinline int follows_children(struct task_struct *parent)
{
	__u32 tgid;

	if (!parent)
		return 0;
	tgid = parent->tgid;
	return bpf_map_lookup_elem(&process_of, &tgid) || is_selected(parent) ||
	       named_books(parent);
}

static __always_inline void process_begins(struct task_struct *parent, struct task_struct *child)
{
	__u32 tgid = child->tgid;
	__u8 yes = 1;

	if (parent->tgid == child->tgid)
		return;
	if (!whole_machine) {
		if (follows_children(parent))
			__sync_fetch_and_add(&children_left, 1);
		return;
	}
	note_size_at_fork(child);
	if (follow_fork && follows_children(parent) &&
	    bpf_map_update_elem(&children, &tgid, &yes, BPF_ANY))
		count_lost(LOST_PROCESSES);
}

/* A process that began before we watched: its parent may be one whose children are followed. */
static __always_inline void adopt_child(struct task_struct *task)
{
	struct task_struct *known = untrusted(task);
	__u32 tgid = known->tgid;
	__u8 yes = 1;

	if (known->pid != known->tgid || tgid == our_tgid || !known->signal->live.counter ||
	    bpf_map_lookup_elem(&children, &tgid) || !follows_children(known->real_parent))
		return;
	if (bpf_map_update_elem(&children, &tgid, &yes, BPF_ANY)) {
		count_lost(LOST_PROCESSES);
		return;
	}
	/* It may have ended meanwhile, and thread_ends() found nothing to take out. */
	if (known->signal->live.counter)
		__sync_fetch_and_add(&children_adopted, 1);
	else
		bpf_map_delete_elem(&children, &tgid);
}

/*
 * exec: nothing of the old image is left, so that the process gets new books. Its other threads
 * are gone by now (fs/exec.c, de_thread), nobody else changes its index.
 */
static __always_inline void program_begins(struct task_struct *task)
{
	__u32 tgid = task->tgid, pid = pid_of(task), *index, fresh, flags = 0;
	struct process *old = NULL;
	struct pt_regs *regs;

	if (!*(volatile __u32 *)&our_tgid)
		return;
	/* What it remembered is told from the new image by the address of its mm, which may come again. */
	forget_thread(task);
	bpf_map_delete_elem(&sizes_at_fork, &pid);
	if (!bpf_map_lookup_elem(&process_of, &tgid))
		named_books(task);
	index = bpf_map_lookup_elem(&process_of, &tgid);
	if (index)
		old = process_at(*index);
	if (old) {
		flags = old->flags & (PROCESS_PINNED | PROCESS_HOLD);
		bpf_map_delete_elem(&process_of, &tgid);
		close_books(old, PROCESS_REPLACED);
	}
	if (whole_machine && is_selected(task)) {
		regs = (struct pt_regs *)bpf_task_pt_regs(task);
		meet_file(untrusted(task)->mm->start_code, pid);
		meet_file(PT_REGS_IP(regs), pid);	/* the dynamic linker */
	}
	if (!flags)
		return;
	fresh = open_books(task, flags);
	bpf_map_update_elem(&selected_pids, &pid, &fresh, BPF_ANY);
	tell_of_process(EVENT_EXEC, pid, fresh);
}

/* A thread ended; was it its process' last? */
static __always_inline void thread_ends(struct task_struct *task)
{
	struct event event = { .type = EVENT_ENDED };
	__u32 tgid = task->tgid, pid, *index;
	struct process *process;
	bool pinned;

	if (untrusted(task)->signal->live.counter)
		return;
	if (!bpf_map_lookup_elem(&process_of, &tgid))
		named_books(task);
	/* The next one with this number is somebody else. */
	pid = pid_of(task);
	bpf_map_delete_elem(&sizes_at_fork, &pid);
	index = bpf_map_lookup_elem(&process_of, &tgid);
	process = index ? process_at(*index) : NULL;
	pinned = bpf_map_lookup_elem(&selected_pids, &pid);
	tell_of_death(task, pinned);
	bpf_map_delete_elem(&selected_pids, &pid);
	/* Of the last threads that end together, one takes it out. */
	if (process && !bpf_map_delete_elem(&process_of, &tgid))
		close_books(process, PROCESS_ENDED);
	/* With the last child, tracing may be at its end. */
	event.pid = pid;
	if (follow_fork && !bpf_map_delete_elem(&children, &tgid))
		send_event(&event);
}

/* The process has another name from now on. */
static __always_inline void process_renamed(struct task_struct *task, const char *name)
{
	__u32 tgid = task->tgid, *index;
	struct process *process;

	if (task->pid != tgid)
		return;
	index = bpf_map_lookup_elem(&process_of, &tgid);
	process = index ? process_at(*index) : NULL;
	if (process)
		bpf_probe_read_kernel_str(process->comm, sizeof(process->comm), name);
	if (select_by & SELECT_COMM)
		__sync_fetch_and_add(&selection, 1);
}

/* Tasks go to another cgroup. */
static __always_inline void cgroup_changed(void)
{
	__sync_fetch_and_add(&selection, 1);
}

/* ---- libraries ---- */

/* struct r_debug's r_state, the interface between dynamic linker and debugger (elf/link.h). */
enum link_state {
	RT_CONSISTENT,
	RT_ADD,
	RT_DELETE,
};

struct r_debug {
	__s32 r_version;
	__u64 r_map;
	__u64 r_brk;
	__u32 r_state;
};

struct link_map {
	__u64 l_addr;
	__u64 l_name;
	__u64 l_ld;		/* the dynamic section: in a mapping of the file */
	__u64 l_next;
};

#define MAX_LIBRARIES 1024

struct library_search {
	__u64 at;
	__u32 pid;
};

static long meet_library(__u32 i, struct library_search *search)
{
	struct link_map map;

	if (!search->at || bpf_probe_read_user(&map, sizeof(map), (void *)search->at))
		return 1;
	meet_file(map.l_ld, search->pid);
	search->at = map.l_next;
	return 0;
}

/* struct r_debug_extended: since glibc 2.35 the namespaces of dlmopen are chained. */
struct r_namespace {
	struct r_debug debug;
	__u64 r_ldbase;
	__u64 r_next;
};

#define MAX_NAMESPACES 16	/* glibc's DL_NNS */
#define CHAINED_VERSION 2	/* of r_debug */

struct namespace_search {
	struct library_search libraries;
	__u64 at;
};

static long meet_namespace(__u32 i, struct namespace_search *search)
{
	struct r_namespace namespace;

	if (!search->at ||
	    bpf_probe_read_user(&namespace, sizeof(namespace), (void *)search->at))
		return 1;
	search->libraries.at = namespace.debug.r_map;
	bpf_loop(MAX_LIBRARIES, meet_library, &search->libraries, 0);
	search->at = namespace.debug.r_version < CHAINED_VERSION ? 0 : namespace.r_next;
	return 0;
}

/*
 * The dynamic linker calls its empty function _dl_debug_state before and after it changes the
 * list of libraries, for debuggers to put a breakpoint there. Its r_debug is `offset` bytes away.
 */
static __always_inline void libraries_change(struct pt_regs *ctx, __s64 offset)
{
	__u32 index = find_process(bpf_get_current_task_btf());
	struct process *process = index ? process_at(index) : NULL;
	struct r_debug debug = { .r_state = RT_CONSISTENT };
	struct namespace_search search = {};

	if (!process)
		return;
	if (offset)
		bpf_probe_read_user(&debug, sizeof(debug), (void *)(PT_REGS_IP(ctx) + offset));
	if (debug.r_state == RT_ADD)
		return;
	/* The second call for an unmapping comes after it. */
	if (debug.r_state == RT_DELETE || process->unloading)
		begin_epoch(process);
	process->unloading = debug.r_state == RT_DELETE;
	if (debug.r_state == RT_DELETE)
		return;
	if (whole_machine && offset) {
		search.at = PT_REGS_IP(ctx) + offset;
		search.libraries.pid = process->pid;
		bpf_loop(MAX_NAMESPACES, meet_namespace, &search, 0);
	}
	if (process->flags & PROCESS_PINNED)
		tell_of_process(EVENT_MAPPED, process->pid, index);
}

#endif
