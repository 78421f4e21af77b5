// SPDX-License-Identifier: GPL-2.0-or-later
#include "collect/own_code.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"
#include "process/process.h"

/*
 * Whoever runs in the page meanwhile waits for the kernel, and then finds the same code. It comes
 * from the file: in memory there may be breakpoints of others, which the kernel does not know in
 * the copy.
 */
static bool copy_page(uint64_t page, size_t size, int fd, uint64_t offset)
{
	void *copy = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (copy == MAP_FAILED)
		return false;
	if (pread(fd, copy, size, offset) == (ssize_t)size &&
	    !mprotect(copy, size, PROT_READ | PROT_EXEC) &&
	    syscall(SYS_mremap, copy, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, page) == (long)page)
		return true;
	munmap(copy, size);
	return false;
}

static bool is_mapping_of(const struct target_mapping *mapping, const struct module *module)
{
	struct stat mapped, file;
	char path[64];

	if (!mapping->executable || !mapping->inode)
		return false;
	snprintf(path, sizeof(path), "/proc/self/map_files/%" PRIx64 "-%" PRIx64, mapping->start,
		 mapping->end);
	return !stat(path, &mapped) && !fstat(module->fd, &file) && mapped.st_dev == file.st_dev &&
	       mapped.st_ino == file.st_ino;
}

static void spare_mapping(const struct target_mapping *mapping, const struct module *module)
{
	uint64_t size = sysconf(_SC_PAGESIZE), last = 0;

	for (size_t i = 0; i < module->probes.count; i++) {
		uint64_t offset = module->probes.items[i].offset - mapping->offset;
		uint64_t page = (mapping->start + offset) & ~(size - 1);

		if (offset >= mapping->end - mapping->start || page == last)
			continue;
		if (!copy_page(page, size, module->fd,
			       page - mapping->start + mapping->offset))
			log__verbose("%s: our own calls will trap", module->path);
		last = page;
	}
}

void own_code__spare(const struct module *module)
{
	struct target_maps maps;

	if (module->fd < 0 || target_maps__read(getpid(), &maps))
		return;
	for (size_t i = 0; i < maps.count; i++)
		if (is_mapping_of(&maps.items[i], module))
			spare_mapping(&maps.items[i], module);
	target_maps__free(&maps);
}
