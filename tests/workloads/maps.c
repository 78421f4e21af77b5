/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Memory that is mapped without an allocator, in parts, moved, replaced, and from threads. */
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "truth.h"

#define PAGE 4096UL
#define MAX_RANGES 4096
#define ANYWHERE MAP_PRIVATE | MAP_ANONYMOUS
#define BOTH PROT_READ | PROT_WRITE

/* ---- who mapped what: every piece by itself, compared one by one ---- */

struct range {
	uintptr_t start, end;	/* end 0: free */
	int line, call;
};

static struct range ranges[MAX_RANGES];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int last_call;

static uintptr_t end_of(uintptr_t start, size_t size)
{
	return start + (size + PAGE - 1) / PAGE * PAGE;
}

static void add_range(struct range new)
{
	struct range *range = ranges;

	while (range->end)
		range++;
	if (range == ranges + MAX_RANGES - 1)
		abort();
	*range = new;
}

static bool is_last(const struct range *one)
{
	for (const struct range *range = ranges; range < ranges + MAX_RANGES; range++)
		if (range != one && range->end && range->call == one->call)
			return false;
	return true;
}

static void take_out(struct range *range, uintptr_t start, uintptr_t end)
{
	struct range rest = *range;

	if (start < range->start)
		start = range->start;
	if (end > range->end)
		end = range->end;
	truth_change(__FILE__, range->line, -(end - start),
		     start == range->start && end == range->end && is_last(range) ? -1 : 0);
	range->end = start > range->start ? start : 0;
	rest.start = end;
	if (rest.start < rest.end)
		add_range(rest);
}

static void drop(uintptr_t start, uintptr_t end)
{
	for (struct range *range = ranges; range < ranges + MAX_RANGES; range++)
		if (range->end > start && range->start < end)
			take_out(range, start, end);
}

static void take(int line, uintptr_t start, uintptr_t end)
{
	drop(start, end);
	add_range((struct range){ start, end, line, ++last_call });
	truth_change(__FILE__, line, end - start, 1);
}

static void *mapped(int line, void *p, size_t size)
{
	pthread_mutex_lock(&lock);
	if (p != MAP_FAILED)
		take(line, (uintptr_t)p, end_of((uintptr_t)p, size));
	pthread_mutex_unlock(&lock);
	return p;
}

static void *moved(int line, void *p, size_t size, void *old, size_t old_size)
{
	pthread_mutex_lock(&lock);
	if (p != MAP_FAILED) {
		drop((uintptr_t)old, end_of((uintptr_t)old, old_size));
		take(line, (uintptr_t)p, end_of((uintptr_t)p, size));
	}
	pthread_mutex_unlock(&lock);
	return p;
}

static void grown(int line, char *before)
{
	char *after = sbrk(0);

	if (after > before)
		take(line, (uintptr_t)before, (uintptr_t)after);
	else
		drop((uintptr_t)after, (uintptr_t)before);
}

/* The calls are on the line of the macro. */
#define MAP(address, size, flags) \
	mapped(__LINE__, mmap(address, size, BOTH, flags, -1, 0), size)
#define REMAP(old, old_size, size, flags, ...) \
	moved(__LINE__, mremap(old, old_size, size, flags, ##__VA_ARGS__), size, old, old_size)
#define UNMAP(p, size) unmap((char *)(p), size)
#define BREAK(call) \
	do { \
		char *before_ = sbrk(0); \
		if ((long)(call) != -1) \
			grown(__LINE__, before_); \
	} while (0)

static void unmap(char *p, size_t size)
{
	pthread_mutex_lock(&lock);
	drop((uintptr_t)p, end_of((uintptr_t)p, size));
	pthread_mutex_unlock(&lock);
	if (munmap(p, size))
		abort();
}

/* ---- scenarios ---- */

static void parts(int argc, char **argv)
{
	char *p = MAP(NULL, 20 * PAGE, ANYWHERE), *q, *room;

	UNMAP(p, 2 * PAGE);			/* head */
	UNMAP(p + 17 * PAGE, 3 * PAGE);		/* tail */
	UNMAP(p + 8 * PAGE, 4 * PAGE);		/* middle */
	q = MAP(NULL, 5 * PAGE + 1, ANYWHERE);	/* not whole pages */
	UNMAP(q + 5 * PAGE, 1);
	MAP(NULL, 3 * PAGE, ANYWHERE);
	room = MAP(NULL, 64 * PAGE, ANYWHERE | MAP_NORESERVE);
	MAP(room + 4 * PAGE, 4 * PAGE, ANYWHERE | MAP_FIXED);	/* in its midst */
	MAP(room + 8 * PAGE, 4 * PAGE, ANYWHERE | MAP_FIXED);
	MAP(room + 6 * PAGE, 4 * PAGE, ANYWHERE | MAP_FIXED);	/* over half of each */
	UNMAP(room + 2 * PAGE, 7 * PAGE);	/* of four calls at once */
	UNMAP(room + 60 * PAGE, 200);		/* not whole pages */
	q = MAP(NULL, 4 * PAGE, ANYWHERE);
	UNMAP(q, PAGE);
	UNMAP(q + 2 * PAGE, PAGE);
	UNMAP(q, 4 * PAGE);			/* with holes in it */
}

static void moves(int argc, char **argv)
{
	char *room = MAP(NULL, 400 * PAGE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE);
	char *p, *q;

	UNMAP(room + 100 * PAGE, 300 * PAGE);
	p = room;
	p = REMAP(p, 100 * PAGE, 50 * PAGE, 0);	/* shrinks where it is */
	p = REMAP(p, 50 * PAGE, 80 * PAGE, 0);	/* grows where it is */
	if (p != room)
		abort();
	MAP(p + 80 * PAGE, PAGE, ANYWHERE | MAP_FIXED);		/* in the way */
	if (REMAP(p, 80 * PAGE, 90 * PAGE, 0) != MAP_FAILED)
		abort();
	p = REMAP(p, 80 * PAGE, 90 * PAGE, MREMAP_MAYMOVE);
	if (p == room)
		abort();
	q = MAP(NULL, 40 * PAGE, ANYWHERE);
	q = REMAP(p + 10 * PAGE, 5 * PAGE, 5 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, q + 20 * PAGE);
	q = REMAP(p, 0, 3 * PAGE, MREMAP_MAYMOVE);	/* a second view of shared memory */
	q = MAP(NULL, 6 * PAGE, ANYWHERE);
	moved(__LINE__, mremap(q, 6 * PAGE, 6 * PAGE, MREMAP_MAYMOVE | 4, NULL), 6 * PAGE, NULL, 0);
}

static void breaks(int argc, char **argv)
{
	char *old = sbrk(0);

	BREAK(sbrk(10 * PAGE));
	BREAK(sbrk(100));
	BREAK(sbrk(-3 * (long)PAGE));
	BREAK(brk(old + 20 * PAGE));
	BREAK(brk(old + 15 * PAGE));
	BREAK(sbrk(PAGE / 2));
}

static void failures(int argc, char **argv)
{
	char *p = MAP(NULL, 8 * PAGE, ANYWHERE);

	if (!munmap(p + 1, PAGE) || !munmap(p, 0) || !munmap(p, -1UL))
		abort();
	MAP(NULL, 1UL << 60, ANYWHERE);
	MAP(NULL, 0, ANYWHERE);
	MAP(p + 1, PAGE, ANYWHERE | MAP_FIXED);
	REMAP(p, 8 * PAGE, 1UL << 60, MREMAP_MAYMOVE);
	REMAP(p + 1, PAGE, PAGE, MREMAP_MAYMOVE);
	REMAP((char *)PAGE, PAGE, 2 * PAGE, MREMAP_MAYMOVE);
	if (!brk((char *)(1UL << 60)) || sbrk(1L << 60) != (void *)-1)
		abort();
}

/* ---- what is not the program's ---- */

static pthread_barrier_t started;

static void *allocate(void *line)
{
	pthread_barrier_wait(&started);
	*(char *)malloc(100) = 1;	/* an arena of its own */
	pthread_barrier_wait(&started);
	MAP(NULL, 7 * PAGE, ANYWHERE);
	pthread_barrier_wait(&started);
	pause();
	return NULL;
}

static void others(int argc, char **argv)
{
	pthread_t thread;
	void *p;

	pthread_barrier_init(&started, NULL, 2);
	for (int i = 0; i < 6; i++) {
		if (pthread_create(&thread, NULL, allocate, NULL))
			abort();
		for (int j = 0; j < 3; j++)
			pthread_barrier_wait(&started);
	}
	for (int i = 0; i < 10; i++) {
		TAKE(p = malloc(1 << 20), 1 << 20);
		DROP(p);
		TAKE(p = realloc(p, 3 << 20), 3 << 20);
	}
	for (int i = 0; i < 1000; i++)
		TAKE(malloc(1000), 1000);
	MAP(NULL, 9 * PAGE, ANYWHERE);
}

/* ---- threads that get each other's addresses ---- */

static void *map_and_unmap(void *steps)
{
	char *p[8] = {};

	for (int i = 0; i < *(int *)steps; i++) {
		char **one = &p[i % 8];

		if (*one)
			UNMAP(*one, (i % 3 + 1) * PAGE);
		if (*one && i % 3 < 2)
			UNMAP(*one + (i % 3 + 1) * PAGE, (2 - i % 3) * PAGE);
		*one = MAP(NULL, 3 * PAGE, ANYWHERE);
	}
	return NULL;
}

static void race(int argc, char **argv)
{
	int steps = atoi(argv[0]);
	pthread_t threads[8];

	for (int i = 0; i < 8; i++)
		if (pthread_create(&threads[i], NULL, map_and_unmap, &steps))
			abort();
	for (int i = 0; i < 8; i++)
		pthread_join(threads[i], NULL);
}

/* Much more at one moment than in the end. */
static void peak(int argc, char **argv)
{
	char *p;
	void *block;

	TAKE(block = malloc(100000), 100000);
	p = MAP(NULL, 500 * PAGE, ANYWHERE);
	UNMAP(p + 100 * PAGE, 300 * PAGE);
	p = MAP(NULL, 200 * PAGE, ANYWHERE);
	UNMAP(p, 200 * PAGE);
	(void)block;
}

/* Unmaps what was mapped before its tracer forgot it, in part and with what came later. */
static void forgotten(int argc, char **argv)
{
	char *old = mmap(NULL, 30 * PAGE, BOTH, ANYWHERE, -1, 0);

	truth_wait("mapped");
	munmap(old, 5 * PAGE);
	MAP(old + 10 * PAGE, 10 * PAGE, ANYWHERE | MAP_FIXED);
	UNMAP(old + 7 * PAGE, 8 * PAGE);
}

/* A child's copy of the memory is not the parent's. */
static void forks(int argc, char **argv)
{
	char *p = MAP(NULL, 20 * PAGE, ANYWHERE);
	pid_t child = fork();

	if (!child) {
		munmap(p, 20 * PAGE);
		mmap(NULL, 99 * PAGE, BOTH, ANYWHERE, -1, 0);
		_exit(0);
	}
	if (child < 0 || waitpid(child, NULL, 0) != child)
		abort();
}

static void everything(int argc, char **argv)
{
	parts(argc, argv);
	moves(argc, argv);
	breaks(argc, argv);
	failures(argc, argv);
	others(argc, argv);
	forks(argc, argv);
}

const struct scenario scenarios[] = {
	{ "parts", parts },
	{ "moves", moves },
	{ "breaks", breaks },
	{ "others", others },
	{ "race", race },
	{ "peak", peak },
	{ "forgotten", forgotten },
	{ "everything", everything },
	{ NULL, NULL },
};
