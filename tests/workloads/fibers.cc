/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Allocators that let other fibers run before they return: `pool` has a pool on top of the C
 * library's malloc; with -DHEAP the program's own malloc and operator new do it.
 *
 *	./fibers.pool WAY ORDER		WAY: ucontext, threads, boost; ORDER of the stacks: up, down
 */
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>

#include <pthread.h>
#include <semaphore.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "truth.h"

#ifdef BOOST
#include <boost/context/detail/fcontext.hpp>
namespace context = boost::context::detail;
#endif

constexpr int FIBERS = 8, ROUNDS = 24;
constexpr std::size_t STACK = 1 << 16;

enum way { UCONTEXT, THREADS, BOOST_CONTEXT };

struct fiber {
	ucontext_t context, *back;
#ifdef BOOST
	context::fcontext_t there, scheduler;
#endif
	int number;
};

static enum way way;
static fiber fibers[FIBERS];
static __thread fiber *current;

/* Not inlined: after a switch the thread may be another. */
static FRAME fiber **current_fiber()
{
	return &current;
}

static FRAME void yield()
{
	fiber *self = *current_fiber();

	if (!self)
		return;
#ifdef BOOST
	if (way == BOOST_CONTEXT) {
		self->scheduler = context::jump_fcontext(self->scheduler, nullptr).fctx;
		return;
	}
#endif
	swapcontext(&self->context, self->back);
}

static FRAME void resume(fiber *to)
{
	ucontext_t here;

	*current_fiber() = to;
#ifdef BOOST
	if (way == BOOST_CONTEXT) {
		to->there = context::jump_fcontext(to->there, to).fctx;
		*current_fiber() = nullptr;
		return;
	}
#endif
	to->back = &here;
	swapcontext(&here, &to->context);
	*current_fiber() = nullptr;
}

#ifdef HEAP
static char *arena, *arena_end;

static void *carve(std::size_t size)
{
	char *p;

	size = (size + 15) & ~static_cast<std::size_t>(15);
	if (arena_end - arena < static_cast<std::ptrdiff_t>(size)) {
		arena = static_cast<char *>(mmap(nullptr, 1 << 20, PROT_READ | PROT_WRITE,
						 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
		arena_end = arena + (1 << 20);
	}
	p = arena;
	arena += size;
	return p;
}

extern "C" {
FRAME void *malloc(std::size_t size)
{
	void *p;

	yield();
	p = carve(size + 16);
	std::memcpy(p, &size, sizeof(size));
	yield();
	return static_cast<char *>(p) + 16;
}

FRAME void free(void *p)
{
	if (p)
		yield();
}

FRAME void *calloc(std::size_t n, std::size_t size)
{
	void *p = malloc(n * size);

	return memset(p, 0, n * size);
}

FRAME void *realloc(void *p, std::size_t size)
{
	void *fresh = malloc(size);
	std::size_t old;

	if (p) {
		std::memcpy(&old, static_cast<char *>(p) - 16, sizeof(old));
		std::memcpy(fresh, p, old < size ? old : size);
		free(p);
	}
	NOT_A_TAIL_CALL();
	return fresh;
}
}

/* Fails each time but the last: who waits for memory lets others give theirs back. */
FRAME void *operator new(std::size_t size)
{
	for (int i = 0; i < 3; i++)
		std::get_new_handler()();
	return carve(size);
}

FRAME void operator delete(void *) noexcept
{
}

FRAME void operator delete(void *, std::size_t) noexcept
{
}

static void use_all(int i)
{
	std::size_t size = 64 + i;
	void *p;

	p = std::malloc(size); TAKE(p, size);
	if (i & 1) {
		DROP(p); std::free(p);
	}
	p = std::calloc(3, size); TAKE(p, 3 * size);
	DROP(p); p = std::realloc(p, 5 * size); TAKE(p, 5 * size);
	p = ::operator new(7 * size); TAKE(p, 7 * size);
	if (i & 2) {
		DROP(p); ::operator delete(p);
	}
}
#else
extern "C" {
FRAME void *pool_get(std::size_t size)
{
	char *p;

	yield();
	p = static_cast<char *>(std::malloc(size + 16));
	yield();
	return p + 16;
}

FRAME void pool_put(void *p)
{
	std::free(static_cast<char *>(p) - 16);
	NOT_A_TAIL_CALL();
}
}

static void use_all(int i)
{
	std::size_t size = 64 + i;
	void *p;

	p = pool_get(size); TAKE(p, size);
	if (i & 1) {
		DROP(p); pool_put(p);
	}
	p = std::malloc(9 * size); TAKE(p, 9 * size);
	if (i & 2) {
		DROP(p); std::free(p);
	}
}
#endif

static FRAME void body()
{
	for (int i = 0; i < ROUNDS; i++) {
		use_all(i);
		yield();
	}
	for (;;)
		yield();
}

#ifdef BOOST
static void boost_body(context::transfer_t from)
{
	static_cast<fiber *>(from.data)->scheduler = from.fctx;
	body();
}
#endif

static void make_fibers(bool down)
{
	char *stacks = static_cast<char *>(mmap(nullptr, FIBERS * STACK, PROT_READ | PROT_WRITE,
						MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));

	for (int i = 0; i < FIBERS; i++) {
		char *stack = stacks + STACK * (down ? FIBERS - 1 - i : i);

#ifdef BOOST
		if (way == BOOST_CONTEXT) {
			fibers[i].there = context::make_fcontext(stack + STACK, STACK, boost_body);
			continue;
		}
#endif
		getcontext(&fibers[i].context);
		fibers[i].context.uc_stack.ss_sp = stack;
		fibers[i].context.uc_stack.ss_size = STACK;
		makecontext(&fibers[i].context, body, 0);
	}
}

static void run_round()
{
	for (fiber &fiber : fibers)
		resume(&fiber);
}

/* Two threads take turns: what begins on one ends on the other. */
static sem_t turns[2];

static void *take_turns(void *number)
{
	long own = reinterpret_cast<long>(number);

	for (int i = 0; i < 12 * ROUNDS; i++) {
		sem_wait(&turns[own]);
		run_round();
		sem_post(&turns[!own]);
	}
	return nullptr;
}

static void run_fibers(int argc, char **argv)
{
	pthread_t threads[2];

	if (argc < 1)
		std::abort();
	make_fibers(!strcmp(argv[0], "down"));
	std::set_new_handler(yield);
	use_all(0);
	if (way != THREADS) {
		for (int i = 0; i < 24 * ROUNDS; i++)
			run_round();
		return;
	}
	sem_init(&turns[0], 0, 1);
	sem_init(&turns[1], 0, 0);
	for (long i = 0; i < 2; i++)
		pthread_create(&threads[i], nullptr, take_turns, reinterpret_cast<void *>(i));
	for (pthread_t thread : threads)
		pthread_join(thread, nullptr);
}

static void by_ucontext(int argc, char **argv)
{
	way = UCONTEXT;
	run_fibers(argc, argv);
}

static void by_threads(int argc, char **argv)
{
	way = THREADS;
	run_fibers(argc, argv);
}

#ifdef BOOST
static void by_boost(int argc, char **argv)
{
	way = BOOST_CONTEXT;
	run_fibers(argc, argv);
}
#endif

const struct scenario scenarios[] = {
	{ "ucontext", by_ucontext },
	{ "threads", by_threads },
#ifdef BOOST
	{ "boost", by_boost },
#endif
	{ nullptr, nullptr },
};
