// SPDX-License-Identifier: GPL-2.0-or-later
/* The bytes behind a mapping. */
#include "process/process.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "process/path.h"

#define MAX_VDSO_SIZE (1 << 20)	/* it is two or three pages */

static bool is_mapped_at(const void *address, const struct target_mapping *mapping)
{
	struct target_maps ours;
	bool same = false;

	if (target_maps__read(getpid(), &ours))
		return false;
	for (size_t i = 0; i < ours.count; i++)
		if (ours.items[i].start == (uintptr_t)address)
			same = ours.items[i].device == mapping->device &&
			       ours.items[i].inode == mapping->inode;
	target_maps__free(&ours);
	return same;
}

/*
 * On btrfs and overlayfs stat(2) and maps disagree about a file's device, at times about its
 * inode. So where they differ, map it ourselves and see what our own maps call it.
 */
static bool is_file_of(int fd, const struct target_mapping *mapping)
{
	struct stat st;
	void *page;
	bool same;

	if (fstat(fd, &st) || !S_ISREG(st.st_mode))
		return false;
	if (st.st_dev == mapping->device && st.st_ino == mapping->inode)
		return true;
	page = mmap(NULL, 1, PROT_READ, MAP_PRIVATE, fd, 0);
	if (page == MAP_FAILED)
		return false;
	same = is_mapped_at(page, mapping);
	munmap(page, 1);
	return same;
}

/* The open file, unless it is another one, or -errno. */
static int only_file_of(const struct target_mapping *mapping, int fd)
{
	if (fd < 0 || is_file_of(fd, mapping))
		return fd;
	close(fd);
	return -ESTALE;
}

static int open_by_path(pid_t pid, const struct target_mapping *mapping)
{
	char link[32];
	int root, fd;

	snprintf(link, sizeof(link), "/proc/%d/root", (int)target__thread(pid));
	root = open(link, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return -errno;
	fd = path__open_below(root, mapping->path);
	close(root);
	return fd;
}

int target__open_mapping(pid_t pid, const struct target_mapping *mapping)
{
	char link[80];
	int fd;

	if (!mapping->inode)
		return -ENOENT;
	snprintf(link, sizeof(link), "/proc/%d/map_files/%" PRIx64 "-%" PRIx64,
		 (int)target__thread(pid), mapping->start, mapping->end);
	fd = only_file_of(mapping, path__open_link(link));
	if (fd >= 0 || mapping->path[0] != '/')
		return fd;
	return only_file_of(mapping, open_by_path(pid, mapping));
}

static int copy_memory(int mem, int to, uint64_t start, size_t size)
{
	char *bytes = malloc(size);
	int err = 0;
	ssize_t n;

	if (!bytes)
		return -ENOMEM;
	n = pread(mem, bytes, size, start);
	if (n < 0)
		err = -errno;
	else if ((size_t)n < size)
		err = -EIO;
	else if (write(to, bytes, size) != (ssize_t)size)
		err = -EIO;
	free(bytes);
	return err;
}

int target__open_vdso(pid_t pid, const struct target_mapping *mapping)
{
	uint64_t size = mapping->end - mapping->start;
	int mem, fd, err;
	char path[64];

	if (!size || size > MAX_VDSO_SIZE)
		return -EINVAL;
	snprintf(path, sizeof(path), "/proc/%d/mem", (int)target__thread(pid));
	mem = open(path, O_RDONLY | O_CLOEXEC);
	if (mem < 0)
		return -errno;
	fd = memfd_create("vdso", MFD_CLOEXEC);
	err = fd < 0 ? -errno : copy_memory(mem, fd, mapping->start, size);
	close(mem);
	if (!err)
		return fd;
	if (fd >= 0)
		close(fd);
	return err;
}
