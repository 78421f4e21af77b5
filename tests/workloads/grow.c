// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Grows by so many MiB, in one way or another; no books, for the kernel has the truth.
 *
 *	./grow.nofp WAY MIB
 *	< ready
 *	>
 *	< PID			who has grown: itself, or a child
 *	>
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MIB (1 << 20)
#define BLOCK 1000
#define HELD_BEFORE 64

#ifdef STRIPPED
/* What a stripped program with jemalloc in it still says. */
const char *volatile said = "<jemalloc>: ";
#endif

static void map(int mib)
{
	char *p = mmap(NULL, (size_t)mib * MIB, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	memset(p, 1, (size_t)mib * MIB);
}

static void allocate(int mib, int hold)
{
	char *first = NULL;

	for (long n = 0; n < (long)mib * MIB / BLOCK; n++) {
		char *p = malloc(BLOCK);

		memset(p, 1, BLOCK);
		*(char **)p = first;
		first = p;
	}
	while (!hold && first) {
		char *next = *(char **)first;

		free(first);
		first = next;
	}
}

static void step(const char *word)
{
	char line[16];

	puts(word);
	fflush(stdout);
	if (!fgets(line, sizeof(line), stdin))
		exit(0);
}

int main(int argc, char **argv)
{
	static char out[4096], in[4096];
	char word[16];
	const char *way = argv[1];
	int mib = argc > 2 ? atoi(argv[2]) : 0;

	setvbuf(stdout, out, _IOFBF, sizeof(out));
	setvbuf(stdin, in, _IOFBF, sizeof(in));
	if (!strcmp(way, "child"))
		map(HELD_BEFORE);
	step("ready");
	if (!strcmp(way, "heap"))
		allocate(mib, 1);
	else if (!strcmp(way, "freed"))
		allocate(mib, 0);
	else if (!strcmp(way, "child") && fork())
		pause();
	else
		map(mib);
	snprintf(word, sizeof(word), "%d", (int)getpid());
	step(word);
	return 0;
}
