/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From probes to links in the kernel: the best way that this kernel knows. */
#ifndef MT_PROBE_ATTACH_H
#define MT_PROBE_ATTACH_H

#include <sys/types.h>

#include "probe/probe.h"

/* include/uapi/linux/bpf.h, enum bpf_attach_type: newer than Debian 12's header and libbpf. */
#define TRACE_UPROBE_MULTI 48		/* Linux 6.6 */
#define TRACE_UPROBE_SESSION 57		/* Linux 6.13 */

/*
 * The loaded programs, all of type BPF_PROG_TYPE_KPROBE; -1 for what could not be loaded. They
 * learn what they have come to (MAKE_CALL()) from bpf_get_attach_cookie().
 */
struct probe_programs {
	/* With sessions, by their expected attach type. */
	int session_fd;	/* TRACE_UPROBE_SESSION: at entry and return of what allocates */
	int multi_fd;	/* TRACE_UPROBE_MULTI: where there is no return probe */
	/* Without, expected attach type 0. */
	int entry_fd;	/* at every probe */
	int return_fd;	/* at return of what allocates */
};

struct probe_links;

/* Does the kernel have links of this attach type of uprobe.multi's family? Asked by trial. */
bool probe__has_links(uint32_t attach_type);
/* uprobe.session: which programs to load. */
bool probe__has_sessions(void);

/*
 * Attaches to all probes of the file that `path` leads to (a /proc/self/fd/N will do; `name` is
 * what messages call it), in the process `pid` or, for 0, in all that map it. Takes
 * uprobe.session and uprobe.multi links (Linux 6.13) for programs made for them, else one perf event
 * a probe (5.15). Either all are attached, or none and one sentence on stderr; -errno.
 */
int probe__attach(const struct probe_programs *programs, const char *path, const char *name,
		  pid_t pid, const struct probes *probes, struct probe_links **links);
/* Detaches: on return the kernel has put the probed instructions back. Takes NULL. */
void probe_links__free(struct probe_links *links);
/* "uprobe.session" or "perf uprobe": for -v. */
const char *probe_links__kind(const struct probe_links *links);

#endif
