/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A library that comes late. Built twice, as PLUGIN=1 and 2: same size, different code. */
#include <stdlib.h>
#include <string.h>

#include "truth.h"

#if PLUGIN == 1
__attribute__((visibility("default"))) FRAME void plugin_allocate(void)
{
	void *p;

	p = malloc(101), TAKE(p, 101);
}
#else
__attribute__((visibility("default"))) FRAME void plugin_allocate(void)
{
	char room[3000];	/* a frame that the other library's rows do not describe */
	void *p;

	memset(room, 1, sizeof(room));
	__asm__ volatile("" : : "r"(room) : "memory");
	p = malloc(202), TAKE(p, 202);
	__asm__ volatile("" : : "r"(room) : "memory");
}
#endif
