/* SPDX-License-Identifier: GPL-2.0 */
/* What happens to a traced process besides allocating: it runs a new program, it loads and
 * unloads libraries. */
#ifndef MT_LIFECYCLE_H
#define MT_LIFECYCLE_H

#define SIGSTOP 19

/* struct r_debug's r_state, the interface between dynamic linker and debugger (elf/link.h). */
enum link_state {
	RT_CONSISTENT,
	RT_ADD,
	RT_DELETE,
};

static __always_inline __u32 process_index(__u32 tgid)
{
	__u32 *index = bpf_map_lookup_elem(&process_of, &tgid);

	return index ? *index : 0;
}

/*
 * exec: nothing of the old image is left, so that the process gets new books. Its other threads
 * are gone by now (fs/exec.c, de_thread), nobody else changes its index.
 */
static __always_inline void program_begins(struct task_struct *task)
{
	__u32 tgid = task->tgid, old = process_index(tgid), fresh;
	struct process *from, *to;

	if (!old)
		return;
	fresh = __sync_fetch_and_add(&next_process, 1);
	from = process_at(old);
	to = process_at(fresh);
	if (!from || !to) {
		count_lost(LOST_PROGRAMS);
		bpf_map_delete_elem(&process_of, &tgid);
		return;
	}
	/* Books that nobody had before are all zero. */
	to->pid = tgid;
	to->hold = from->hold;
	to->changes = 1;
	to->changing = CHANGING_MORE;	/* nothing is known yet, so that nothing known is wrong */
	bpf_map_update_elem(&process_of, &tgid, &fresh, BPF_ANY);
	send_event(EVENT_EXEC, tgid, fresh);
	if (to->hold)
		bpf_send_signal(SIGSTOP);
}

/*
 * The dynamic linker calls its empty function _dl_debug_state before and after it changes the
 * list of libraries, for debuggers to put a breakpoint there.
 */
static __always_inline void libraries_change(void)
{
	__u32 tgid = bpf_get_current_pid_tgid() >> 32, index = process_index(tgid);
	struct process *process = index ? process_at(index) : NULL;
	__s32 state = RT_CONSISTENT;

	if (!process)
		return;
	if (process->link_state)
		bpf_probe_read_user(&state, sizeof(state), (void *)process->link_state);
	if (state == RT_ADD)
		return;
	/* The second call for an unmapping comes after it: what was read in between may be old. */
	if (state == RT_DELETE || process->unloading)
		process->changing = CHANGING_LESS;
	else if (process->changes == process->changes_read)
		process->changing = CHANGING_MORE;
	process->unloading = state == RT_DELETE;
	__sync_fetch_and_add(&process->changes, 1);
	send_event(EVENT_MAPPED, tgid, index);
	if (process->hold && state == RT_CONSISTENT)
		bpf_send_signal(SIGSTOP);
}

#endif
