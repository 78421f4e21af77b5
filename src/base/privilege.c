// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/privilege.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

#define KERNEL_BTF "/sys/kernel/btf/vmlinux"

/* What each is for: loading, attaching, /proc/PID/map_files and root, its memory. */
static const struct {
	const char *name;
	int bit;
} needed[] = {
	{ "CAP_BPF", CAP_BPF },
	{ "CAP_PERFMON", CAP_PERFMON },
	{ "CAP_SYS_ADMIN", CAP_SYS_ADMIN },
	{ "CAP_SYS_PTRACE", CAP_SYS_PTRACE },
};

/* Our effective capabilities as a bit mask; all when they cannot be read. */
static uint64_t capabilities(void)
{
	FILE *status = fopen("/proc/self/status", "re");
	uint64_t mask = ~0ULL;
	char line[256];

	while (status && fgets(line, sizeof(line), status))
		if (sscanf(line, "CapEff: %" SCNx64, &mask) == 1)
			break;
	if (status)
		fclose(status);
	return mask;
}

void privilege__missing(char missing[PRIVILEGE_TEXT_SIZE])
{
	uint64_t have = capabilities();

	*missing = '\0';
	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
		if (have >> needed[i].bit & 1)
			continue;
		strcat(missing, *missing ? ", " : "");
		strcat(missing, needed[i].name);
	}
}

int privilege__check(void)
{
	char missing[PRIVILEGE_TEXT_SIZE];

	privilege__missing(missing);
	if (*missing) {
		log__error("tracing needs %s: run it as root (sudo memtracebpf ...)", missing);
		return -EPERM;
	}
	if (access(KERNEL_BTF, R_OK)) {
		log__error("%s cannot be read: memtracebpf needs a kernel that describes its types "
			   "(CONFIG_DEBUG_INFO_BTF=y, as distributions' kernels have)", KERNEL_BTF);
		return -ENOENT;
	}
	return 0;
}
