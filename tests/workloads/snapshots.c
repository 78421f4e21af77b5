/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is asked of single lines: peaks, temporary blocks, sizes, ages, addresses. */
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "truth.h"

static void let_go(void *p)
{
	DROP(p);
	free(p);
}

/* Eight lines that allocate. */
typedef void *place_fn(size_t size);
#define PLACE(name) \
	static FRAME void *name(size_t size) { void *p = malloc(size); TAKE(p, size); return p; }
PLACE(place0)
PLACE(place1)
PLACE(place2)
PLACE(place3)
PLACE(place4)
PLACE(place5)
PLACE(place6)
PLACE(place7)
static place_fn *const places[] = { place0, place1, place2, place3,
				  place4, place5, place6, place7 };

/* ---- the peak: of the process, and of each place at that moment ---- */

/* Stops after each step. */
static void peaks(int argc, char **argv)
{
	void *a = place0(1000), *b = place1(3000), *c, *d, *e;

	truth_tell();		/* both are at their peak, and unchanged since */
	let_go(a);
	truth_tell();		/* one is gone */
	c = place2(700);
	truth_tell();		/* one was never there */
	d = place3(300);
	truth_tell();		/* as much as at the peak, of others */
	let_go(d);
	let_go(b);
	let_go(c);
	truth_tell();		/* nothing is left */
	e = place4(4001);
	a = malloc(0), TAKE(a, 0);
	truth_tell();		/* a byte more */
	let_go(e);
	let_go(a);
	let_go(place5(10000));	/* a peak that comes and goes between two stops */
}

static uint64_t random_state;

static uint64_t random_next(void)	/* xorshift64, Marsaglia 2003 */
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	return random_state ^= random_state << 17;
}

/* walk SEED: growing and shrinking for a while, over and over, the places in turn. */
static void walk(int argc, char **argv)
{
	static void *blocks[512];
	unsigned int grow = 0;

	random_state = argc ? strtoul(argv[0], NULL, 10) : 1;
	for (int i = 0; i < 20000; i++) {
		void **p = &blocks[random_next() % 512];

		if (i % 500 == 0)
			grow = random_next() % 100;
		let_go(*p);
		*p = NULL;
		if (random_next() % 100 < grow)
			*p = places[(random_next() % 8 + i / 2500) % 8](random_next() % 3000);
	}
}

static sem_t turn_main, turn_other;

/* Each step is one thread's, which changes what it holds, also by blocks of no bytes. */
static void take_steps(unsigned int n)
{
	static void *blocks[4096];
	unsigned int grow = random_next() % 2 ? 99 : 70;

	while (n--) {
		void **p = &blocks[random_next() % 4096];

		let_go(*p);
		*p = NULL;
		if (random_next() % 100 < grow)
			*p = places[random_next() % 8](random_next() % 4 ? random_next() % 3000 : 0);
	}
}

static void *steps_in_turn(void *arg)
{
	unsigned int *n = arg;

	for (sem_wait(&turn_other); *n; sem_wait(&turn_other)) {
		take_steps(*n);
		sem_post(&turn_main);
	}
	return NULL;
}

/* turns SEED: the same with a second thread, which comes and goes and has its turn or has not. */
static void walk_in_turns(int argc, char **argv)
{
	unsigned int n = 0;

	random_state = argc ? strtoul(argv[0], NULL, 10) : 1;
	sem_init(&turn_main, 0, 0);
	sem_init(&turn_other, 0, 0);
	for (int i = 0; i < 8; i++) {
		pthread_t thread;

		/* The library's own block for it is the first, and stays. */
		if (pthread_create(&thread, NULL, steps_in_turn, &n))
			abort();
		for (int j = 0; j < 8; j++) {
			take_steps(random_next() % 50);
			n = random_next() % 3 ? 0 : 1 + random_next() % 50;
			if (!n)
				continue;
			sem_post(&turn_other);
			sem_wait(&turn_main);
		}
		n = 0;
		sem_post(&turn_other);
		pthread_join(thread, NULL);
		take_steps(1 + random_next() % 300);
		truth_tell();
	}
}

/* ---- temporary blocks ---- */

static void *handed;

static void *other_thread(void *arg)
{
	void *own;

	for (int i = 0; i < 100; i++) {		/* allocates while the other's block lives */
		sem_wait(&turn_other);
		own = malloc(50), TAKE(own, 50);
		DROP_TEMPORARY(own);
		free(own);
		sem_post(&turn_main);
	}
	for (int i = 0; i < 100; i++) {		/* frees the main thread's block */
		sem_wait(&turn_other);
		if (i % 2)
			DROP(handed);
		else
			DROP_TEMPORARY(handed);
		free(handed);
		sem_post(&turn_main);
	}
	return NULL;
}

static void take_turns(void)
{
	sem_post(&turn_other);
	sem_wait(&turn_main);
}

static void temporaries(int argc, char **argv)
{
	void *p, *q;
	pthread_t other;

	if (pthread_create(&other, NULL, other_thread, NULL))
		abort();
	for (int i = 0; i < 100; i++) {
		p = malloc(40), TAKE(p, 40);
		take_turns();
		DROP_TEMPORARY(p);
		free(p);
	}
	for (int i = 0; i < 100; i++) {
		handed = malloc(60), TAKE(handed, 60);
		q = i % 2 ? place0(70) : NULL;
		take_turns();
		if (q)		/* another block was freed, but none allocated in between */
			DROP_TEMPORARY(q);
		free(q);
	}
	pthread_join(other, NULL);
	for (int i = 0; i < 100; i++) {
		p = malloc(100), TAKE(p, 100);
		q = malloc(200), TAKE(q, 200);
		DROP_TEMPORARY(q);
		free(q);
		let_go(p);
	}
	for (int i = 0; i < 100; i++) {
		p = malloc(300), TAKE(p, 300);
		DROP(p);	/* not freed: it lives on in the next */
		q = realloc(p, 5000), TAKE(q, 5000);
		DROP_TEMPORARY(q);
		free(q);
	}
}

/* ---- sizes ---- */

static void sizes(int argc, char **argv)
{
	for (int bits = 0; bits <= 31; bits++) {
		for (int i = -1; i <= 1; i++) {
			size_t size = (1UL << bits) + i;
			void *kept = place0(size);

			let_go(place0(size));
			if (bits % 5 == 0)
				let_go(kept);
			if (bits % 3 == 0)
				place1(size);
		}
	}
}

/* ---- ages ---- */

static void ages(int argc, char **argv)
{
	void *first = place0(100), *second;

	place1(10);
	truth_wait("first");
	second = place0(200);
	place2(20);
	truth_wait("second");
	let_go(first);
	truth_wait("freed");
	let_go(second);
}

/* ---- addresses ---- */

/* Tells, before anybody can attach, where the blocks will be: glibc gives the last one first. */
static void addresses(int argc, char **argv)
{
	static const size_t asked[] = { 24, 1000, 0, 100000 };
	uintptr_t at[4];
	char text[128];
	void *p[4];

	for (int i = 0; i < 4; i++) {
		p[i] = malloc(asked[i]);
		at[i] = (uintptr_t)p[i];
	}
	snprintf(text, sizeof(text), "%#lx %#lx %#lx %#lx", at[0], at[1], at[2], at[3]);
	for (int i = 3; i >= 0; i--)
		free(p[i]);
	truth_wait(text);
	for (int i = 0; i < 4; i++) {
		p[i] = places[i](asked[i]);
		if ((uintptr_t)p[i] != at[i])
			abort();
	}
	if (argc)
		let_go(p[strtoul(argv[0], NULL, 10)]);
}

/* ---- two busy threads, while the books are cleared ---- */

#define CHURN_BLOCKS 16
static atomic_bool enough;
static atomic_uint turns[2];

static void *churn(void *arg)
{
	void *p[CHURN_BLOCKS] = { NULL };

	for (unsigned int i = 0; !atomic_load(&enough); i++) {
		free(p[i % CHURN_BLOCKS]);
		p[i % CHURN_BLOCKS] = malloc(333);
		atomic_fetch_add((atomic_uint *)arg, 1);
	}
	for (int i = 0; i < CHURN_BLOCKS; i++)
		free(p[i]);
	return NULL;
}

/* Until both threads have replaced all of their blocks. */
static void wait_for_churn(void)
{
	for (int i = 0; i < 2; i++) {
		unsigned int begin = atomic_load(&turns[i]);

		while (atomic_load(&turns[i]) - begin <= CHURN_BLOCKS)
			sched_yield();
	}
}

static FRAME void *of_this_round(size_t size)
{
	void *p = malloc(size);

	NOT_A_TAIL_CALL();
	return p;
}

/* rounds N: in round i frees the i blocks of the round before and allocates i + 1 of 1000 bytes. */
static void rounds(int argc, char **argv)
{
	int n = argc ? atoi(argv[0]) : 50;
	static void *before[1000], *now[1000];
	pthread_t threads[2];

	for (int i = 0; i < 2; i++)
		if (pthread_create(&threads[i], NULL, churn, &turns[i]))
			abort();
	for (int i = 0; i < n; i++) {
		truth_wait("before");
		for (int j = 0; j < i; j++)
			free(before[j]);
		for (int j = 0; j <= i; j++)
			now[j] = of_this_round(1000);
		wait_for_churn();
		truth_wait("after");
		for (int j = 0; j <= i; j++)
			before[j] = now[j];
	}
	atomic_store(&enough, true);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
}

const struct scenario scenarios[] = {
	{ "peaks", peaks },
	{ "walk", walk },
	{ "turns", walk_in_turns },
	{ "temporaries", temporaries },
	{ "sizes", sizes },
	{ "ages", ages },
	{ "addresses", addresses },
	{ "rounds", rounds },
	{ NULL, NULL },
};
