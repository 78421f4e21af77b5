/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The C library's functions by which programs map memory themselves, in an ELF file. */
#ifndef MT_PROBE_MAPPERS_H
#define MT_PROBE_MAPPERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/types.h"

#define MAX_MAPPERS 8

struct mapper {
	const char *symbol;	/* static */
	enum mapping_kind kind;
	uint64_t function;	/* file offset of its first byte */
	uint64_t offset;	/* ... of the instruction that carries the probe */
};

struct mappers {
	struct mapper items[MAX_MAPPERS];	/* each file offset once */
	size_t count;		/* 0: it is no C library, and has none linked in */
	/* pthread_create, which maps stacks: file offset and bytes; size 0: the file has none. */
	uint64_t threads, threads_size;
};

/* Looks in the symbol tables of the file `fd`. 0, or -ENOEXEC: it is no x86-64 ELF file. */
int mappers__find(int fd, struct mappers *mappers);

#endif
