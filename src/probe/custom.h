/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Allocators that the user describes: FILE:malloc=my_alloc,free=my_free,... */
#ifndef MT_PROBE_CUSTOM_H
#define MT_PROBE_CUSTOM_H

#include <stdbool.h>
#include <stddef.h>

#include "probe/allocators.h"

struct custom_allocator {
	char *file;			/* a path, or the last part of one */
	struct function *functions;	/* by symbol; ends with an empty one */
	bool met;			/* a process maps it */
	struct custom_allocator *next;
};

/* Adds what `text` says to the list. On failure one sentence, and -EINVAL or -ENOMEM. */
int custom_allocators__add(struct custom_allocator **list, const char *text);
/* The one of the list that describes the file `fd`, which messages call `path`; NULL: none. */
struct custom_allocator *custom_allocators__find(struct custom_allocator *list, int fd,
						 const char *path);
/* Says of which no process maps the file. */
void custom_allocators__warn(const struct custom_allocator *list);
void custom_allocators__free(struct custom_allocator *list);	/* takes NULL */

#endif
