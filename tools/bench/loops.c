// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * loops DEPTH THREADS PATHS: says "ready"; then, for every line of its input, does so many
 * operations and says in a line how many nanoseconds one took, and of CPU time of one thread:
 *   pair N   malloc and free in each of THREADS threads, DEPTH calls below their start
 *   fill N   N blocks from PATHS call paths, which stay until the next fill
 *   grow N   reallocs of a buffer that grows to 64 KiB, again and again
 * Built without frame pointers.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MAX_THREADS 64
#define LEVELS 14	/* of calls, each with two ways on: up to 16,384 paths */

static int depth, nthreads, npaths;
static long count;
static void **blocks;
static long nblocks;

static double now_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * 1e9 + now.tv_nsec;
}

/* ---- pair ---- */

static __attribute__((noinline)) void leaf(void)
{
	for (long i = 0; i < count; i++) {
		void *block = malloc(64);

		__asm__ volatile("" : : "r"(block) : "memory");
		free(block);
	}
}

static __attribute__((noinline)) void descend(int left)
{
	char room[48];

	__asm__ volatile("" : : "r"(room) : "memory");
	if (left > 0)
		descend(left - 1);
	else
		leaf();
	__asm__ volatile("" : : "r"(room) : "memory");
}

static void *run_pairs(void *unused)
{
	descend(depth);
	return unused;
}

static void pair(void)
{
	static pthread_t threads[MAX_THREADS];	/* not in a frame that every walk would cross */

	for (int i = 1; i < nthreads; i++)
		pthread_create(&threads[i], NULL, run_pairs, NULL);
	run_pairs(NULL);
	for (int i = 1; i < nthreads; i++)
		pthread_join(threads[i], NULL);
}

/* ---- fill ---- */

/* 64 to 123 bytes, one power of two: 2,000,011 blocks have 187 MB. */
static __attribute__((noinline)) void *allocate(unsigned int path, int level, long i)
{
	void *block;

	/* The assembler keeps the two calls apart, and from becoming jumps. */
	if (level == LEVELS) {
		block = malloc(64 + i * 7 % 60);
	} else if (path & 1) {
		block = allocate(path >> 1, level + 1, i);
		__asm__ volatile("# one way" : "+r"(block));
	} else {
		block = allocate(path >> 1, level + 1, i);
		__asm__ volatile("# the other" : "+r"(block));
	}
	return block;
}

static void fill(void)
{
	for (long i = 0; i < count; i++)
		*(char *)(blocks[i] = allocate(i % npaths, 0, i)) = 1;
	nblocks = count;
}

static void make_room(void)
{
	for (long i = 0; i < nblocks; i++)
		free(blocks[i]);
	nblocks = 0;
	free(blocks);
	blocks = malloc(count * sizeof(*blocks));
	if (!blocks)
		exit(1);
}

/* ---- grow ---- */

static void grow(void)
{
	size_t size = 16;
	char *buffer = NULL;

	for (long i = 0; i < count; i++) {
		buffer = realloc(buffer, size);
		if (!buffer)
			exit(1);
		buffer[size - 1] = 1;
		size += size / 4;
		if (size > 65536) {
			free(buffer);
			buffer = NULL;
			size = 16;
		}
	}
	free(buffer);
}

int main(int argc, char **argv)
{
	char line[64], verb[16];

	if (argc < 4)
		return 2;
	/* From malloc's caller on: leaf, descend..., run_pairs, pair, main and three of libc. */
	depth = atoi(argv[1]);
	nthreads = atoi(argv[2]) < MAX_THREADS ? atoi(argv[2]) : MAX_THREADS;
	npaths = atoi(argv[3]);
	puts("ready");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin) && sscanf(line, "%15s %ld", verb, &count) == 2) {
		double start, cpu;

		if (!strcmp(verb, "fill"))
			make_room();
		start = now_ns(CLOCK_MONOTONIC);
		cpu = now_ns(CLOCK_PROCESS_CPUTIME_ID);
		if (!strcmp(verb, "pair"))
			pair();
		else if (!strcmp(verb, "fill"))
			fill();
		else
			grow();
		cpu = now_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu;
		printf("%.2f %.2f\n", (now_ns(CLOCK_MONOTONIC) - start) / count,
		       cpu / count / (!strcmp(verb, "pair") ? nthreads : 1));
		fflush(stdout);
	}
	return 0;
}
