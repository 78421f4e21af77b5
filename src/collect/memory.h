/* SPDX-License-Identifier: GPL-2.0-or-later */
/* BPF arrays in our memory, and in tables of them. */
#ifndef MT_COLLECT_MEMORY_H
#define MT_COLLECT_MEMORY_H

#include <bpf/bpf.h>
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

/*
 * Puts n maps into a table of maps. That waits until no program uses what was there
 * (kernel/bpf/syscall.c, maybe_wait_bpf_programs), 5 to 30 ms: a batch waits once. Before 5.19 such
 * tables have no batches. 0 or -errno: some may be there.
 */
static inline int put_maps(int table, const uint32_t *indices, const int *maps, uint32_t n)
{
	uint32_t done = n;
	int err = 0;

	if (bpf_map_update_batch(table, indices, maps, &done, NULL))
		for (uint32_t i = 0; i < n && !err; i++)
			err = bpf_map_update_elem(table, &indices[i], &maps[i], 0);
	return err;
}

#endif
