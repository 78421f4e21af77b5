/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A thread's registers and its stack as libdw's own unwinder sees it, walked by us meanwhile. */
#ifndef MT_TESTS_UNIT_WALK_TRUTH_H
#define MT_TESTS_UNIT_WALK_TRUTH_H

#include <dwarf.h>
#include <elfutils/libdwfl.h>
#include <sys/ptrace.h>
#include <sys/user.h>

#include "walk_host.h"

#define TRUTH_MAX_FRAMES 1024

struct truth {
	pid_t tid;
	struct user_regs_struct registers;
	uint64_t frames[TRUTH_MAX_FRAMES];
	bool exact[TRUTH_MAX_FRAMES];
	uint32_t nframes;
	struct walk walk;
	struct walk_room room;
};

static inline void walk_from(struct walk *walk, struct walk_room *room,
			     const struct user_regs_struct *registers)
{
	*walk = (struct walk){
		.pc = registers->rip, .sp = registers->rsp, .bp = registers->rbp,
		.bx = registers->rbx, .limit = MAX_FRAMES, .exact = 1,
	};
	walk_stack(walk, room);
}

static int truth_frame(Dwfl_Frame *frame, void *arg)
{
	struct truth *truth = arg;
	Dwarf_Addr pc;

	/* libdw has attached to the thread by now. */
	if (!truth->nframes) {
		if (ptrace(PTRACE_GETREGS, truth->tid, NULL, &truth->registers))
			return DWARF_CB_ABORT;
		walk_from(&truth->walk, &truth->room, &truth->registers);
	}
	if (truth->nframes == TRUTH_MAX_FRAMES ||
	    !dwfl_frame_pc(frame, &pc, &truth->exact[truth->nframes]))
		return DWARF_CB_ABORT;
	truth->frames[truth->nframes++] = pc;
	return DWARF_CB_OK;
}

/* Stops thread `tid` of `pid` for the time of the call; fills the tables of `host`. */
static inline bool truth__take(struct truth *truth, pid_t pid, pid_t tid)
{
	static char *no_debug_path = NULL;
	static const Dwfl_Callbacks callbacks = {
		.find_elf = dwfl_linux_proc_find_elf,
		.find_debuginfo = dwfl_standard_find_debuginfo,
		.debuginfo_path = &no_debug_path,
	};
	Dwfl *dwfl = dwfl_begin(&callbacks);
	bool done;

	*truth = (struct truth){ .tid = tid };
	host__read_maps();
	done = dwfl && !dwfl_linux_proc_report(dwfl, pid) && !dwfl_report_end(dwfl, NULL, NULL) &&
	       !dwfl_linux_proc_attach(dwfl, pid, false);
	/* The result is an error even where it only ended at a frame without unwind information. */
	if (done)
		dwfl_getthread_frames(dwfl, tid, truth_frame, truth);
	dwfl_end(dwfl);
	return done && truth->nframes;
}

#endif
