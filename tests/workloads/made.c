/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Code made at run time, and the map of it for perf. Its name in the map is `made`. */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "truth.h"

/* push %rbp; mov %rsp,%rbp; call *%rdi; pop %rbp; ret */
static const unsigned char code[] = { 0x55, 0x48, 0x89, 0xe5, 0xff, 0xd7, 0x5d, 0xc3 };

static FRAME void allocate(void)
{
	void *p;

	p = malloc(100), TAKE(p, 100);
}

/* Functions of 16 bytes each. */
static char *make(int n)
{
	char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	for (int i = 0; i < n; i++)
		memcpy(page + 16 * i, code, sizeof(code));
	mprotect(page, 4096, PROT_READ | PROT_EXEC);
	return page;
}

static void call(char *function)
{
	((void (*)(void (*)(void)))function)(allocate);
	NOT_A_TAIL_CALL();
}

static void note(const char *mode, const char *text)
{
	char path[64];
	FILE *map;

	snprintf(path, sizeof(path), "/tmp/perf-%d.map", (int)getpid());
	map = fopen(path, mode);
	fputs(text, map);
	fclose(map);
}

static void note_function(const char *mode, const char *function, size_t size, const char *name)
{
	char line[128];

	snprintf(line, sizeof(line), "%" PRIxPTR " %zx %s\n", (uintptr_t)function, size, name);
	note(mode, line);
}

/* Calls three functions: named twice, in no line, named after the first report. */
static void named(int argc, char **argv)
{
	char *page = make(3), line[64];

	note_function("w", page, 16, "stale");
	note_function("a", page - 4096, 4096 + 16, "older");
	note_function("a", page, 16, "made (x, y)");
	note_function("a", page + 16, 0, "nothing");
	note("a", "\nno line\n-1 ffffffffffffffff over\n10 zz\n\x1b[31m\n");
	for (int i = 0; i < 3; i++)
		call(page + 16 * i);
	truth_tell();
	note_function("a", page + 32, 16, "later");
	snprintf(line, sizeof(line), "%" PRIxPTR " 10 unfini", (uintptr_t)page + 16);
	note("a", line);
}

/* A map from before the process began, or another user's, is not its own. */
static void foreign(int argc, char **argv)
{
	char *page = make(1);
	bool old = argc && !strcmp(argv[0], "old");
	char path[64];

	note_function("w", page, 16, "foreign");
	snprintf(path, sizeof(path), "/tmp/perf-%d.map", (int)getpid());
	if (old ? utimensat(0, path, (struct timespec[2]){}, 0) : chown(path, 12345, 12345))
		perror(path);
	call(page);
}

const struct scenario scenarios[] = {
	{ "named", named },
	{ "foreign", foreign },
	{ 0 },
};
