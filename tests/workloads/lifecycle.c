/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Processes that become others, or make others. */
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "truth.h"

extern char **environ;

static void *kept[100];

static FRAME void allocate(void)
{
	for (size_t i = 0; i < 100; i++)
		kept[i] = malloc(100 + i), TAKE(kept[i], 100 + i);
}

/* Tells its truth, then becomes the scenario `second` of the same file. */
static void execs(int argc, char **argv)
{
	allocate();
	truth_tell();
	execve("/proc/self/exe", (char *[]){ "second", "second", NULL }, environ);
	abort();
}

static void second(int argc, char **argv)
{
	for (size_t i = 0; i < 70; i++)
		kept[i] = calloc(3, 100 + i), TAKE(kept[i], 3 * (100 + i));
}

/* The child has the same blocks at the same addresses, frees them and takes others there. */
static void forks(int argc, char **argv)
{
	pid_t child;

	allocate();
	child = fork();
	if (child == 0) {
		for (int i = 0; i < 100; i++)
			free(kept[i]);
		for (int i = 0; i < 1000; i++)
			kept[i % 100] = malloc(150);
		_exit(0);
	}
	if (child < 0 || waitpid(child, NULL, 0) != child)
		abort();
	child = vfork();
	if (child == 0) {
		execl("/bin/true", "true", NULL);
		_exit(1);
	}
	if (child < 0 || waitpid(child, NULL, 0) != child)
		abort();
	for (int i = 0; i < 50; i++) {
		DROP(kept[i]);
		free(kept[i]);
	}
}

const struct scenario scenarios[] = {
	{ "execs", execs },
	{ "second", second },
	{ "forks", forks },
	{ NULL, NULL },
};
