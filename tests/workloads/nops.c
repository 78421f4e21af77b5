/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An allocator of the program's own whose functions begin with a nop of five bytes, for ftrace-like
 * tools to patch, and children of all kinds that use it.
 */
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "truth.h"

extern char **environ;

static char *arena, *arena_end;

FRAME void *malloc(size_t size)
{
	char *p;

	size = (size + 15) & ~15UL;
	if ((size_t)(arena_end - arena) < size) {
		arena = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		arena_end = arena + (1 << 20);
	}
	p = arena;
	arena += size;
	NOT_A_TAIL_CALL();
	return p;
}

FRAME void free(void *p)
{
	__asm__ volatile("" ::"r"(p) : "memory");
}

static void use(int n)
{
	for (int i = 0; i < n; i++)
		free(malloc(100));
}

static void check(pid_t pid)
{
	int status;

	if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
		abort();
}

static FRAME void keep(int i)
{
	void *p = malloc(100 + i); TAKE(p, 100 + i);
	if (i & 1) {
		DROP(p); free(p);
	}
}

static void children(int argc, char **argv)
{
	char *arguments[] = { "nops", "child", NULL };
	pid_t pid;

	for (int i = 0; i < 100; i++)
		keep(i);
	for (int i = 0; i < 3; i++) {
		pid = fork();
		if (!pid) {
			use(10);
			_exit(0);
		}
		check(pid);
		pid = vfork();
		if (!pid)
			_exit(0);
		check(pid);
		if (posix_spawn(&pid, "/proc/self/exe", NULL, NULL, arguments, environ))
			abort();
		check(pid);
	}
	for (int i = 0; i < 100; i++)
		keep(i);
}

/* Runs without a word, for posix_spawn: before main(), which would wait. */
__attribute__((constructor)) static void be_child(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "child")) {
		use(10);
		_exit(0);
	}
}

const struct scenario scenarios[] = {
	{ "children", children },
	{ NULL, NULL },
};
