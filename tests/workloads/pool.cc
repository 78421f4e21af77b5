/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An allocator that takes its memory from malloc by the arena. A block is its size and its bytes;
 * what is given back is not used again. */
#include <cstdlib>
#include <cstring>
#include <new>

#include "truth.h"

constexpr std::size_t ARENA = 1 << 16;

static char *arena, *next_free;

extern "C" {

FRAME void *pool_get(std::size_t size)
{
	std::size_t needed = (size + 2 * sizeof(size) - 1) / sizeof(size) * sizeof(size);

	if (needed > ARENA)
		return nullptr;
	if (!arena || needed > static_cast<std::size_t>(arena + ARENA - next_free))
		arena = next_free = static_cast<char *>(std::malloc(ARENA));
	std::memcpy(next_free, &size, sizeof(size));
	next_free += needed;
	return next_free - needed + sizeof(size);
}

FRAME void pool_put(void *p)
{
	std::memset(static_cast<char *>(p) - sizeof(std::size_t), 0, sizeof(std::size_t));
}

FRAME void *pool_zeroed(std::size_t n, std::size_t size)
{
	void *p = pool_get(n * size);

	return p ? std::memset(p, 0, n * size) : nullptr;
}

FRAME void *pool_resize(void *p, std::size_t size)
{
	std::size_t old = 0;
	void *fresh = pool_get(size);

	if (!fresh)
		return nullptr;
	std::memcpy(&old, static_cast<char *>(p) - sizeof(old), sizeof(old));
	std::memcpy(fresh, p, old < size ? old : size);
	pool_put(p);
	return fresh;
}

FRAME void *pool_new(std::size_t size)
{
	void *p = pool_get(size);

	if (!p)
		throw std::bad_alloc();
	return p;
}
}
