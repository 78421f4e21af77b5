/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef MT_BASE_ARRAY_H
#define MT_BASE_ARRAY_H

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/*
 * Room for one more behind the `count` items of `size` bytes that *items, a pointer to any type,
 * points to. Room doubles at every power of two. 0 or -ENOMEM.
 */
static inline int array__make_room(void *items, size_t count, size_t size)
{
	void *array;

	if (count & (count - 1))
		return 0;
	/* A pointer of another type must not be read or written as void *. */
	memcpy(&array, items, sizeof(array));
	array = reallocarray(array, count ? 2 * count : 1, size);
	if (!array)
		return -ENOMEM;
	memcpy(items, &array, sizeof(array));
	return 0;
}

/* Makes `count` items `wanted`, which are more; the new ones are zeroed. 0, or -ENOMEM and all is as
 * it was. */
static inline int array__enlarge(void *items, size_t count, size_t wanted, size_t size)
{
	char *array;

	memcpy(&array, items, sizeof(array));
	array = reallocarray(array, wanted, size);
	if (!array)
		return -ENOMEM;
	memset(array + count * size, 0, (wanted - count) * size);
	memcpy(items, &array, sizeof(array));
	return 0;
}

#endif
