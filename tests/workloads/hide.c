/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A program that writes its C library's code back, as its file has it. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "truth.h"

#define CODE 64	/* bytes of malloc that are read */
#define PAGE 4096UL

static unsigned char code[CODE];
static void *volatile last;

static __attribute__((constructor)) void read_code(void)
{
	unsigned long start, end, offset;
	FILE *maps = fopen("/proc/self/maps", "r");
	char path[256];
	int fd;

	while (fscanf(maps, "%lx-%lx %*s %lx %*s %*s%255[^\n]", &start, &end, &offset, path) > 0)
		if ((uintptr_t)malloc >= start && (uintptr_t)malloc < end)
			break;
	fclose(maps);
	fd = open(strchr(path, '/'), O_RDONLY);
	if (pread(fd, code, CODE, offset + ((uintptr_t)malloc - start)) != CODE)
		abort();
	close(fd);
}

static FRAME void hide(int argc, char **argv)
{
	uintptr_t page = (uintptr_t)malloc & -PAGE;

	for (size_t i = 0; i < 400; i++)
		last = malloc(100), TAKE(last, 100);
	mprotect((void *)page, 2 * PAGE, PROT_READ | PROT_WRITE | PROT_EXEC);
	memcpy((void *)malloc, code, CODE);
	mprotect((void *)page, 2 * PAGE, PROT_READ | PROT_EXEC);
	for (size_t i = 0; i < 1000; i++)
		last = malloc(100);
}

static FRAME void many(int argc, char **argv)
{
	for (size_t i = 0; i < 400; i++)
		last = malloc(100), TAKE(last, 100);
}

const struct scenario scenarios[] = {
	{ "hide", hide },
	{ "many", many },
	{ NULL, NULL },
};
