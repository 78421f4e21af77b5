// SPDX-License-Identifier: GPL-2.0-or-later
#include "probe/empty.h"

#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <unistd.h>

int empty_program__load(uint32_t expected_attach_type)
{
	const struct bpf_insn nothing[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = expected_attach_type);

	return bpf_prog_load(BPF_PROG_TYPE_KPROBE, "nothing", "GPL", nothing, 2, &opts);
}

int empty_programs__load(struct probe_programs *programs)
{
	bool sessions = probe__has_sessions();
	int *first = sessions ? &programs->session_fd : &programs->entry_fd;
	int *second = sessions ? &programs->multi_fd : &programs->return_fd;

	*programs = (struct probe_programs){ -1, -1, -1, -1 };
	*first = empty_program__load(sessions ? TRACE_UPROBE_SESSION : 0);
	if (*first < 0)
		return *first;
	*second = empty_program__load(sessions ? TRACE_UPROBE_MULTI : 0);
	if (*second >= 0)
		return 0;
	close(*first);
	return *second;
}

void empty_programs__close(struct probe_programs *programs)
{
	const int fds[] = { programs->session_fd, programs->multi_fd, programs->entry_fd,
			    programs->return_fd };

	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	*programs = (struct probe_programs){ -1, -1, -1, -1 };
}
