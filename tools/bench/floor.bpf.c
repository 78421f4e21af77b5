// SPDX-License-Identifier: GPL-2.0
/* Nothing, attached where memtracebpf attaches: what the kernel itself costs. */
#include "vmlinux.h"

#include <bpf/bpf_helpers.h>

SEC("?uprobe/session")
int empty_session(struct pt_regs *ctx)
{
	return 0;
}

SEC("?uprobe/free")
int empty_entry(struct pt_regs *ctx)
{
	return 0;
}

char _license[] SEC("license") = "GPL";
