/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files of one build id, or without one of one path, as there are in different roots or one after
 * the other. They are told apart by what the kernel calls them, their size and when they were
 * changed, as inode numbers return.
 */
#ifndef MT_TWINS_H
#define MT_TWINS_H

#include "base/types.h"
#include "snapshot/snapshot.h"

struct twins;

struct twins *twins__new(void);		/* NULL: no memory */
void twins__free(struct twins *twins);	/* takes NULL */

/* Index of names' modules for the file, which is open as `fd`: always the same for the same file.
 * `build_id` may be NULL. 0 or -ENOMEM. */
int twins__name(struct twins *twins, struct names *names, const char *path, const char *build_id,
		const struct file_id *id, int fd, uint32_t *index);

/* Forgets those whose names are not in use, see names__begin_forgetting(). */
void twins__forget(struct twins *twins, const struct names *names);

#endif
