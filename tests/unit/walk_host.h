/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel half's walk over user stacks (bpf/unwind.h), compiled for the host: on a stopped
 * process, or on what tools/capture_stack.c wrote of one.
 */
#ifndef MT_TESTS_UNIT_WALK_HOST_H
#define MT_TESTS_UNIT_WALK_HOST_H

#include <elf.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "elf_memory.h"
#include "unwind/unwind.h"

#define HOST_MAX_MAPPINGS 512
#define HOST_MAX_PAGES 256
#define HOST_PAGE 4096

struct host_page {
	uint64_t address;
	uint8_t data[HOST_PAGE];
};

/* What the kernel has in maps. */
struct host {
	pid_t pid;			/* 0: only `pages` */
	struct mapping mappings[HOST_MAX_MAPPINGS];
	uint32_t nmappings;
	struct code_file read[HOST_MAX_MAPPINGS];	/* beside `files` */
	struct unwind_rows files[HOST_MAX_MAPPINGS];	/* one a mapping; index 0 is "no rows" */
	struct unwind_rules *rules;
	__u64 *cache;
	struct host_page *pages;	/* that the walk touched */
	uint32_t npages;
};

static struct host *host;

static bool read_remote(void *to, size_t size, uint64_t address)
{
	struct iovec local = { .iov_base = to, .iov_len = size };
	struct iovec remote = { .iov_base = (void *)address, .iov_len = size };

	return process_vm_readv(host->pid, &local, 1, &remote, 1, 0) == (ssize_t)size;
}

static int host_page(uint64_t address, struct host_page **page)
{
	address &= -HOST_PAGE;
	for (uint32_t i = 0; i < host->npages; i++) {
		if (host->pages[i].address == address) {
			*page = &host->pages[i];
			return 0;
		}
	}
	if (!host->pid || host->npages == HOST_MAX_PAGES)
		return -1;
	*page = &host->pages[host->npages];
	if (!read_remote((*page)->data, HOST_PAGE, address))
		return -1;
	(*page)->address = address;
	host->npages++;
	return 0;
}

static int user_read(void *to, size_t size, uint64_t address)
{
	while (size) {
		size_t skip = address & (HOST_PAGE - 1);
		size_t part = size < HOST_PAGE - skip ? size : HOST_PAGE - skip;
		struct host_page *page;

		if (host_page(address, &page))
			return -1;
		memcpy(to, page->data + skip, part);
		to = (char *)to + part;
		address += part;
		size -= part;
	}
	return 0;
}

static const struct code_file *file_at(__u32 index)
{
	host->read[index] = (struct code_file){ FILE_READ, host->files[index].nrows, 0, 0 };
	return &host->read[index];
}

static const struct unwind_row *row_at(__u32 file, __u32 index)
{
	return index < host->files[file].nrows ? &host->files[file].rows[index] : NULL;
}

static const struct unwind_rule *rule_at(__u32 index)
{
	uint32_t count;
	const struct unwind_rule *table = unwind_rules__table(host->rules, &count);

	return index < count ? &table[index] : NULL;
}

static __u64 *rule_cache_at(__u32 index)
{
	return &host->cache[index];
}

struct walk;

/* Captured processes have no probes. */
static bool is_sought(struct walk *w)
{
	return false;
}

static __u64 trampoline_return(__u64 slot, __u64 pc)
{
	return 0;
}

static int load_mapping(struct walk *w, __u64 address);

#define repeat(n, step, context)                                                                   \
	do {                                                                                       \
		for (__u32 i_ = 0; i_ < (n); i_++)                                                 \
			if (step(i_, context))                                                     \
				break;                                                             \
	} while (0)
#define __noinline __attribute__((noinline))

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wsign-compare"	/* a PLT's rip & 15 and its threshold */
#include "../../bpf/unwind.h"
#pragma GCC diagnostic pop

static int load_mapping(struct walk *w, __u64 address)
{
	for (uint32_t i = 0; i < host->nmappings; i++) {
		const struct mapping *m = &host->mappings[i];

		if (address < m->start || address >= m->end)
			continue;
		w->mapping = (struct walk_mapping){ m->start, m->end, m->bias, m->file, 0 };
		return 0;
	}
	w->stop = STOP_UNMAPPED;
	return -1;
}

static inline struct host *host__new(pid_t pid)
{
	struct host *new = calloc(1, sizeof(*new));

	new->pid = pid;
	new->rules = unwind_rules__new();
	new->cache = calloc(RULE_CACHE_SIZE, sizeof(*new->cache));
	new->pages = calloc(HOST_MAX_PAGES, sizeof(*new->pages));
	return new;
}

static inline void host__free(struct host *old)
{
	for (uint32_t i = 0; i < HOST_MAX_MAPPINGS; i++)
		unwind_rows__free(&old->files[i]);
	unwind_rules__free(old->rules);
	free(old->cache);
	free(old->pages);
	free(old);
}

static inline struct mapping *host__add_mapping(uint64_t start, uint64_t end)
{
	struct mapping *m = &host->mappings[host->nmappings++];

	if (host->nmappings == HOST_MAX_MAPPINGS) {
		fprintf(stderr, "more than %d mappings\n", HOST_MAX_MAPPINGS);
		exit(1);
	}
	*m = (struct mapping){ .start = start, .end = end, .file = host->nmappings };
	return m;
}

/* Where the file's own numbering has the byte at `offset`. */
static inline uint64_t address_of_offset(const uint8_t *image, uint64_t offset)
{
	const Elf64_Ehdr *header = (const Elf64_Ehdr *)image;
	const Elf64_Phdr *segments = (const Elf64_Phdr *)(image + header->e_phoff);

	for (int i = 0; i < header->e_phnum; i++) {
		if (segments[i].p_type == PT_LOAD && segments[i].p_flags & PF_X &&
		    offset >= (segments[i].p_offset & -HOST_PAGE) &&
		    offset < segments[i].p_offset + segments[i].p_filesz)
			return segments[i].p_vaddr - segments[i].p_offset + offset;
	}
	return 0;
}

static inline void host__read_image(struct mapping *m, const void *image, size_t size,
				    uint64_t offset, const char *name)
{
	struct unwind_rows *rows = &host->files[m->file];

	if (read_memory(image, size, NULL, 0, name, host->rules, rows))
		return;
	m->bias = m->start - address_of_offset(image, offset) + rows->base;
}

/* All executable mappings of the process, with their rows. */
static inline void host__read_maps(void)
{
	char path[64], line[4096], name[4096];
	uint64_t start, end, offset;
	struct stat status;
	FILE *maps;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/maps", host->pid);
	maps = fopen(path, "re");
	while (maps && fgets(line, sizeof(line), maps)) {
		struct mapping *m;
		char mode[8];
		void *image;

		*name = '\0';
		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %7s %" SCNx64 " %*s %*s %4095[^\n]", &start,
			   &end, mode, &offset, name) < 4 || mode[2] != 'x')
			continue;
		m = host__add_mapping(start, end);
		if (!strcmp(name, "[vdso]")) {
			image = malloc(end - start);
			if (read_remote(image, end - start, start))
				host__read_image(m, image, end - start, 0, name);
			free(image);
			continue;
		}
		fd = open(name, O_RDONLY | O_CLOEXEC);
		if (fd < 0 || fstat(fd, &status))
			continue;
		image = mmap(NULL, status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
		host__read_image(m, image, status.st_size, offset, name);
		munmap(image, status.st_size);
		close(fd);
	}
	if (maps)
		fclose(maps);
}

#endif
