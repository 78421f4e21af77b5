// SPDX-License-Identifier: GPL-2.0-or-later
#include "process/path.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

/* Of those that <linux/magic.h> leaves out: fs/configfs/mount.c, fs/fuse/control.c,
 * ipc/mqueue.c, fs/nfsd/nfsctl.c, net/sunrpc/rpc_pipe.c. */
#define CONFIGFS_MAGIC 0x62656570
#define FUSE_CTL_MAGIC 0x65735543
#define MQUEUE_MAGIC 0x19800202
#define NFSD_MAGIC 0x6e667364
#define RPC_PIPE_MAGIC 0x67596969

/* What shows the kernel's or a device's state as files: to open or read one may change it. */
static bool keeps_files(int fd)
{
	static const unsigned int others[] = {
		PROC_SUPER_MAGIC, SYSFS_MAGIC, TRACEFS_MAGIC, DEBUGFS_MAGIC, SECURITYFS_MAGIC,
		SELINUX_MAGIC, SMACK_MAGIC, CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC, BPF_FS_MAGIC,
		EFIVARFS_MAGIC, PSTOREFS_MAGIC, BINFMTFS_MAGIC, BINDERFS_SUPER_MAGIC,
		RDTGROUP_SUPER_MAGIC, DEVPTS_SUPER_MAGIC, NSFS_MAGIC, PIPEFS_MAGIC, SOCKFS_MAGIC,
		ANON_INODE_FS_MAGIC, AUTOFS_SUPER_MAGIC, XENFS_SUPER_MAGIC, AAFS_MAGIC,
		USBDEVICE_SUPER_MAGIC, OPENPROM_SUPER_MAGIC, CONFIGFS_MAGIC, FUSE_CTL_MAGIC,
		MQUEUE_MAGIC, NFSD_MAGIC, RPC_PIPE_MAGIC, DMA_BUF_MAGIC, DEVMEM_MAGIC,
		SECRETMEM_MAGIC,
	};
	struct statfs fs;

	if (fstatfs(fd, &fs))
		return false;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if ((unsigned int)fs.f_type == others[i])
			return false;
	return true;
}

/* Opens what the O_PATH descriptor `place`, which is closed, stands for: no other by now. */
static int open_place(int place)
{
	char self[sizeof("/proc/self/fd/") + 10];
	struct stat st;
	int fd;

	if (place < 0)
		return -errno;
	snprintf(self, sizeof(self), "/proc/self/fd/%d", place);
	if (fstat(place, &st) || !S_ISREG(st.st_mode) || st.st_size <= 0 || !keeps_files(place)) {
		fd = -EINVAL;
	} else {
		/* O_NONBLOCK: not to wait until a lease is given back (fcntl(2), F_SETLEASE). */
		fd = open(self, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
		fd = fd < 0 ? -errno : fd;
	}
	close(place);
	return fd;
}

int path__open_below(int root, const char *path)
{
	struct open_how how = {
		.flags = O_PATH | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};

	return open_place(syscall(SYS_openat2, root, path, &how, sizeof(how)));
}

int path__open_link(const char *link)
{
	return open_place(open(link, O_PATH | O_CLOEXEC));
}
