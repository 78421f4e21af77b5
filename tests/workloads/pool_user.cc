/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A program with an allocator of its own: pool.cc. */
#include <cstdlib>
#include <new>

#include "truth.h"

extern "C" {
void *pool_get(std::size_t size);
void pool_put(void *p);
void *pool_zeroed(std::size_t n, std::size_t size);
void *pool_resize(void *p, std::size_t size);
void *pool_new(std::size_t size);
}

constexpr std::size_t TOO_MUCH = 1 << 17;

static void blocks(int, char **)
{
	void *p;

	p = pool_get(101); TAKE(p, 101);
	p = pool_get(102); TAKE(p, 102);
	DROP(p); pool_put(p);
	p = pool_zeroed(3, 35); TAKE(p, 105);
	DROP(p); p = pool_resize(p, 1006); TAKE(p, 1006);
	if (pool_resize(p, TOO_MUCH))
		std::abort();
	for (int i = 0; i < 1000; i++) {
		p = pool_get(static_cast<std::size_t>(i)); TAKE(p, i);
	}
	p = std::malloc(107); TAKE(p, 107);
	p = pool_new(108); TAKE(p, 108);
}

static FRAME int attempt(std::size_t size)
{
	try {
		void *p = pool_new(size); TAKE(p, size);
	} catch (const std::bad_alloc &) {
		return 1;
	}
	return 0;
}

static void exceptions(int, char **)
{
	int caught = 0;

	for (int i = 0; i < 300; i++)
		caught += attempt(i % 3 ? TOO_MUCH : 200);
	if (caught != 200)
		std::abort();
}

const struct scenario scenarios[] = {
	{ "blocks", blocks },
	{ "exceptions", exceptions },
	{ nullptr, nullptr },
};
