// SPDX-License-Identifier: GPL-2.0-or-later
#include "probe/attach.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"
#include "probe/empty.h"

#define UPROBE_PMU "/sys/bus/event_source/devices/uprobe/"
/* The kernel's own "not supported", which leaks out of the uprobes code; no libc knows it. */
#define ENOTSUPP 524

/* include/uapi/linux/bpf.h, union bpf_attr, link_create. */
struct link_create {
	uint32_t prog_fd, target_fd, attach_type, flags;
	union {
		struct {
			uint64_t bpf_cookie;
		} perf_event;
		struct {
			uint64_t path, offsets, ref_ctr_offsets, cookies;
			uint32_t cnt, flags, pid, zero;
		} uprobe_multi;
	};
};
_Static_assert(sizeof(struct link_create) == 64, "layout of the kernel's struct");

struct probe_links {
	const char *kind;
	size_t count;
	int fds[];
};

/* What all ways of attaching need to know. */
struct attachment {
	const struct probe_programs *programs;
	const char *path, *name;
	pid_t pid;
	const struct probes *probes;
	const struct probe *order[MAX_PROBES];
	struct probe_links *links;
};

static int create_link(struct attachment *attachment, struct link_create *attr)
{
	int fd = syscall(SYS_bpf, BPF_LINK_CREATE, attr, sizeof(*attr));

	if (fd < 0)
		return -errno;
	attachment->links->fds[attachment->links->count++] = fd;
	return 0;
}

static void close_links(struct probe_links *links)
{
	while (links->count)
		close(links->fds[--links->count]);
}

static const char *explain(int err)
{
	switch (-err) {
	case EPERM:
	case EACCES:
		return "not permitted: run as root, or with CAP_BPF and CAP_PERFMON";
	case ENOTSUPP:
	case EOPNOTSUPP:
		return "the kernel cannot put a probe on that instruction";
	case EINVAL:
		return "the kernel finds it invalid; it must be Linux 5.17 or newer";
	default:
		return strerror(-err);
	}
}

/* ---- uprobe.session and uprobe.multi: one link for all probes of a kind ---- */

/* A link to what is no regular file: EBADF from a kernel that has looked at it, EINVAL from one
 * that does not know the attach type. libbpf asks for uprobe.multi so (src/features.c). */
bool probe__has_links(uint32_t attach_type)
{
	uint64_t offset = 0;
	struct link_create attr = {
		.attach_type = attach_type,
		.uprobe_multi = {
			.path = (uintptr_t)"/",
			.offsets = (uintptr_t)&offset,
			.cnt = 1,
		},
	};
	int prog_fd, fd;
	bool known;

	prog_fd = empty_program__load(attach_type);
	if (prog_fd < 0)
		return false;
	attr.prog_fd = prog_fd;
	fd = syscall(SYS_bpf, BPF_LINK_CREATE, &attr, sizeof(attr));
	known = fd < 0 && errno == EBADF;
	if (fd >= 0)
		close(fd);
	close(prog_fd);
	return known;
}

bool probe__has_sessions(void)
{
	return probe__has_links(TRACE_UPROBE_SESSION);
}

static int attach_multi(struct attachment *attachment, bool returns, int prog_fd,
			uint32_t attach_type)
{
	uint64_t offsets[MAX_PROBES], cookies[MAX_PROBES];
	struct link_create attr = {
		.prog_fd = prog_fd,
		.attach_type = attach_type,
		.uprobe_multi = {
			.path = (uintptr_t)attachment->path,
			.offsets = (uintptr_t)offsets,
			.cookies = (uintptr_t)cookies,
			.pid = attachment->pid,
		},
	};
	uint32_t n = 0;

	for (size_t i = 0; i < attachment->probes->count; i++) {
		const struct probe *probe = attachment->order[i];

		if (probe->return_probe != returns)
			continue;
		offsets[n] = probe->offset;
		cookies[n++] = probe->cookie;
	}
	if (!n)
		return 0;
	attr.uprobe_multi.cnt = n;
	return create_link(attachment, &attr);
}

static int attach_session(struct attachment *attachment)
{
	const struct probe_programs *programs = attachment->programs;
	int err;

	/*
	 * A session would do for both, were it not for children that share the memory (vfork): of the
	 * wrong process, they do not run the program, so nobody says that the return is not wanted, and
	 * the kernel writes over what the stack pointer points at (kernel/trace/bpf_trace.c,
	 * uprobe_prog_run()). 6.6 to 6.9 take a multi link's pid for a thread's; whoever has sessions
	 * does not.
	 */
	err = attach_multi(attachment, false, programs->multi_fd, TRACE_UPROBE_MULTI);
	if (!err)
		err = attach_multi(attachment, true, programs->session_fd, TRACE_UPROBE_SESSION);
	if (err && err != -ESRCH)
		log__error("%s: its %zu allocator functions cannot be probed: %s",
			   attachment->name, attachment->probes->count, explain(err));
	return err;
}

/* ---- a perf event a probe ---- */

/* Reads "8" or, as the PMU's format says which bit it is, "config:0". */
static int read_number(const char *path, const char *format, unsigned int *number)
{
	FILE *in = fopen(path, "re");
	int n;

	if (!in)
		return -errno;
	n = fscanf(in, format, number);
	fclose(in);
	return n == 1 ? 0 : -EPROTO;
}

static int attach_perf_event(struct attachment *attachment, const struct probe *probe,
			     int prog_fd, unsigned int type, uint64_t config)
{
	struct perf_event_attr event = {
		.type = type,
		.size = sizeof(event),
		.config = config,
		.uprobe_path = (uintptr_t)attachment->path,
		.probe_offset = probe->offset,
	};
	struct link_create attr = {
		.prog_fd = prog_fd,
		.attach_type = BPF_PERF_EVENT,
		.perf_event.bpf_cookie = probe->cookie,
	};
	pid_t pid = attachment->pid;
	int err, fd;

	/* A uprobe's filter is the address space, so this is all threads, not only the first. */
	fd = syscall(SYS_perf_event_open, &event, pid ? pid : -1, pid ? -1 : 0, -1,
		     PERF_FLAG_FD_CLOEXEC);
	if (fd < 0)
		return -errno;
	attr.target_fd = fd;
	err = create_link(attachment, &attr);
	close(fd);	/* the link keeps the event */
	return err;
}

static int attach_perf_events(struct attachment *attachment)
{
	const struct probe_programs *programs = attachment->programs;
	unsigned int type, return_bit;
	int err;

	err = read_number(UPROBE_PMU "type", "%u", &type);
	if (!err)
		err = read_number(UPROBE_PMU "format/retprobe", "config:%u", &return_bit);
	if (err || return_bit > 63) {
		log__error("this kernel has no uprobes for perf (" UPROBE_PMU "): it takes"
			   " Linux 5.17 or newer with CONFIG_UPROBE_EVENTS");
		return err ? err : -EPROTO;
	}
	for (size_t i = 0; i < attachment->probes->count; i++) {
		const struct probe *probe = attachment->order[i];

		if (probe->return_probe)
			err = attach_perf_event(attachment, probe, programs->return_fd, type,
						1ULL << return_bit);
		if (!err)
			err = attach_perf_event(attachment, probe, programs->entry_fd, type, 0);
		if (err && err != -ESRCH)
			log__error("%s: %s cannot be probed at %#" PRIx64 " (%s): %s",
				   attachment->name, probe->symbol, probe->offset,
				   probe->instruction, explain(err));
		if (err)
			return err;
	}
	return 0;
}

/*
 * Processes run while they are attached to, one probe after the other. What ends blocks or calls comes
 * first: what is allocated meanwhile would else stay in the books although it was freed.
 */
static bool comes_first(const struct probe *probe)
{
	switch (probe->kind) {
	case CALL_FREES:
	case CALL_REALLOCATES:
	case CALL_REALLOCATES_OR_FREES:
	case CALL_RESIZES:
	case CALL_RETURNS:
		return true;
	default:
		return false;
	}
}

static void order_probes(struct attachment *attachment)
{
	const struct probes *probes = attachment->probes;
	size_t n = 0;

	for (int first = 1; first >= 0; first--)
		for (size_t i = 0; i < probes->count; i++)
			if (comes_first(&probes->items[i]) == first)
				attachment->order[n++] = &probes->items[i];
}

int probe__attach(const struct probe_programs *programs, const char *path, const char *name,
		  pid_t pid, const struct probes *probes, struct probe_links **links)
{
	struct attachment attachment = {
		.programs = programs, .path = path, .name = name, .pid = pid, .probes = probes,
	};
	int err;

	*links = calloc(1, sizeof(**links) + 2 * probes->count * sizeof(int));
	if (!*links)
		return -ENOMEM;
	attachment.links = *links;
	order_probes(&attachment);
	if (programs->entry_fd < 0) {
		(*links)->kind = "uprobe.session";
		err = attach_session(&attachment);
	} else {
		(*links)->kind = "perf uprobe";
		err = attach_perf_events(&attachment);
	}
	if (err) {
		probe_links__free(*links);
		*links = NULL;
	}
	return err;
}

void probe_links__free(struct probe_links *links)
{
	if (links)
		close_links(links);
	free(links);
}

const char *probe_links__kind(const struct probe_links *links)
{
	return links->kind;
}
