// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * pair DEPTH PAIRS THREADS: says "ready"; on every line of its input, each thread does PAIRS malloc/free pairs
 * DEPTH calls below its start, and one line says how long a pair took. Built without frame
 * pointers.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static int depth;
static long pairs;

static __attribute__((noinline)) void leaf(void)
{
	for (long i = 0; i < pairs; i++) {
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

static void *run(void *unused)
{
	descend(depth);
	return unused;
}

static double now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1e9 + now.tv_nsec;
}

int main(int argc, char **argv)
{
	int nthreads = argc > 3 ? atoi(argv[3]) : 1;
	char line[16];

	if (argc < 4)
		return 2;
	/* From malloc's caller to _start: leaf, descend..., run, main and three of libc. */
	depth = atoi(argv[1]);
	pairs = atol(argv[2]);
	puts("ready");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		pthread_t threads[64];
		double start = now_ns();

		for (int i = 1; i < nthreads && i < 64; i++)
			pthread_create(&threads[i], NULL, run, NULL);
		run(NULL);
		for (int i = 1; i < nthreads && i < 64; i++)
			pthread_join(threads[i], NULL);
		printf("%.2f\n", (now_ns() - start) / pairs);
		fflush(stdout);
	}
	return 0;
}
