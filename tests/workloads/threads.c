/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Threads that hand each other blocks, and threads that come and go. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

#include "truth.h"

static void let_go(void *p)
{
	DROP(p);
	free(p);
}

static pthread_t start(void *(*run)(void *), void *arg)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, run, arg))
		abort();
	return thread;
}

/* ---- one thread's blocks are freed by another ---- */

#define PRODUCERS 3
#define PRODUCED 20000		/* by each */

static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	void *blocks[64];
	int used, producing;
} queue = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

static void *produce(void *arg)
{
	for (size_t i = 0; i < PRODUCED; i++) {
		void *p, *q;

		p = malloc(i % 500), TAKE(p, i % 500);
		if (i % 3 == 0) {
			DROP(p);
			q = realloc(p, i % 500 + 600), TAKE(q, i % 500 + 600), p = q;
		}
		pthread_mutex_lock(&queue.lock);
		while (queue.used == 64)
			pthread_cond_wait(&queue.changed, &queue.lock);
		queue.blocks[queue.used++] = p;
		pthread_cond_broadcast(&queue.changed);
		pthread_mutex_unlock(&queue.lock);
	}
	pthread_mutex_lock(&queue.lock);
	queue.producing--;
	pthread_cond_broadcast(&queue.changed);
	pthread_mutex_unlock(&queue.lock);
	return NULL;
}

/* Frees three of four. */
static void *consume(void *arg)
{
	pthread_mutex_lock(&queue.lock);
	for (unsigned int i = 0; queue.used || queue.producing; i++) {
		if (!queue.used) {
			pthread_cond_wait(&queue.changed, &queue.lock);
			continue;
		}
		void *p = queue.blocks[--queue.used];

		pthread_cond_broadcast(&queue.changed);
		pthread_mutex_unlock(&queue.lock);
		if (i % 4)
			let_go(p);
		pthread_mutex_lock(&queue.lock);
	}
	pthread_mutex_unlock(&queue.lock);
	return NULL;
}

static void handover(int argc, char **argv)
{
	pthread_t producers[PRODUCERS], consumers[2];

	queue.producing = PRODUCERS;
	for (int i = 0; i < PRODUCERS; i++)
		producers[i] = start(produce, NULL);
	for (int i = 0; i < 2; i++)
		consumers[i] = start(consume, NULL);
	for (int i = 0; i < PRODUCERS; i++)
		pthread_join(producers[i], NULL);
	for (int i = 0; i < 2; i++)
		pthread_join(consumers[i], NULL);
}

/* ---- eight threads that start and end, each with as many blocks as it is told ---- */

static void *work(void *arg)
{
	size_t n = (size_t)(uintptr_t)arg;
	void *kept[50] = { NULL };

	for (size_t i = 0; i < n; i++) {
		void **p = &kept[i % 50];

		let_go(*p);
		*p = malloc(n + i % 1000), TAKE(*p, n + i % 1000);
	}
	return NULL;
}

static void eight(int argc, char **argv)
{
	pthread_t threads[8];

	for (int i = 0; i < 8; i++)
		threads[i] = start(work, (void *)(uintptr_t)(5000 + 100 * i));
	for (int i = 0; i < 8; i++)
		pthread_join(threads[i], NULL);
}

/* ---- ten thousand threads, one after another ---- */

static void *one_block(void *arg)
{
	void *p, *q;

	p = malloc(64), TAKE(p, 64);
	q = malloc(32), TAKE(q, 32);
	let_go(q);
	return p;
}

static void succession(int argc, char **argv)
{
	size_t n = argc ? strtoul(argv[0], NULL, 10) : 10000;
	void *p;

	for (size_t i = 0; i < n; i++) {
		pthread_join(start(one_block, NULL), &p);
		if (i % 2)
			let_go(p);
	}
}

/* ---- threads that are already busy, coming and going, while a tracer attaches ---- */

static atomic_bool enough;

static void *toil(void *arg)
{
	void *p[16] = { NULL };

	for (int i = 0; i < 200; i++) {
		free(p[i % 16]);
		p[i % 16] = malloc(333);
	}
	for (int i = 0; i < 16; i++)
		free(p[i]);
	return NULL;
}

static void *bustle(void *arg)
{
	while (!atomic_load(&enough))
		pthread_join(start(toil, NULL), NULL);
	return NULL;
}

/* Says "busy" when it is; the blocks of a thread that was cut in two by the attaching are freed. */
static void restless(int argc, char **argv)
{
	pthread_t threads[3];

	for (int i = 0; i < 3; i++)
		threads[i] = start(bustle, NULL);
	truth_wait("busy");
	for (size_t i = 0; i < 1000; i++) {
		void *p, *q;

		p = malloc(i), TAKE(p, i);
		q = malloc(i), TAKE(q, i);
		let_go(q);
	}
	atomic_store(&enough, true);
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
}

const struct scenario scenarios[] = {
	{ "handover", handover },
	{ "eight", eight },
	{ "succession", succession },
	{ "restless", restless },
	{ NULL, NULL },
};
