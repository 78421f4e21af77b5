/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A BPF array in our memory. */
#ifndef MT_MEMORY_H
#define MT_MEMORY_H

#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

/* kernel/bpf/arraymap.c: values on multiples of 8 bytes, the whole in pages. */
static inline size_t array_bytes(uint32_t entries, size_t value_size)
{
	size_t page = sysconf(_SC_PAGESIZE), bytes = entries * ((value_size + 7) & ~7UL);

	return (bytes + page - 1) & ~(page - 1);
}

/* NULL and errno. */
static inline void *map_array(int fd, uint32_t entries, size_t value_size)
{
	void *memory = mmap(NULL, array_bytes(entries, value_size), PROT_READ | PROT_WRITE,
			    MAP_SHARED, fd, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

/* Takes NULL. */
static inline void unmap_array(void *memory, uint32_t entries, size_t value_size)
{
	if (memory)
		munmap(memory, array_bytes(entries, value_size));
}

#endif
