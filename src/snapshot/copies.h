/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How many files of one path there have been: see names__module_copy(). */
#ifndef MT_SNAPSHOT_COPIES_H
#define MT_SNAPSHOT_COPIES_H

#include <stdint.h>

struct names;
struct copies;	/* NULL: none so far */

/* One more file of this path, which is interned: which one of them it is, from 0. 0 or -ENOMEM. */
int copies__add(struct copies **copies, const char *path, uint64_t *copy);
/* The paths that the names do not use begin anew, see names__begin_forgetting(). */
void copies__forget(struct copies **copies, const struct names *names);
void copies__free(struct copies *copies);

#endif
