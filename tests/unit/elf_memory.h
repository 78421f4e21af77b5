/* SPDX-License-Identifier: GPL-2.0-or-later */
/* For tests: reads rows of ELF files that are bytes in memory. */
#ifndef MT_TESTS_UNIT_ELF_MEMORY_H
#define MT_TESTS_UNIT_ELF_MEMORY_H

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "elf/file.h"
#include "unwind/unwind.h"

static inline int open_memory(struct elf_file *file, const void *bytes, size_t size)
{
	int fd = memfd_create("image", MFD_CLOEXEC);

	if (fd < 0 || write(fd, bytes, size) != (ssize_t)size)
		abort();
	return elf_file__open(file, fd);
}

static inline void close_memory(struct elf_file *file)
{
	elf_file__close(file);
	close(file->fd);
}

/* `debug` may be NULL. */
static inline int read_memory(const void *image, size_t size, const void *debug, size_t debug_size,
			      const char *name, struct unwind_rules *rules,
			      struct unwind_rows *rows)
{
	struct elf_file file, debug_file = { .fd = -1 };
	bool has_debug = debug && !open_memory(&debug_file, debug, debug_size);
	int err = open_memory(&file, image, size);

	*rows = (struct unwind_rows){ 0 };
	if (!err)
		err = unwind_rows__read(&file, has_debug ? &debug_file : NULL, name, rules, rows);
	close_memory(&file);
	if (debug)
		close_memory(&debug_file);
	return err;
}

#endif
