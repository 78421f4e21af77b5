/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Frames that a grouping calls equal, once: a group is known by pointers to them. */
#ifndef MT_SNAPSHOT_FRAMES_H
#define MT_SNAPSHOT_FRAMES_H

#include "snapshot/statistics.h"

struct frame_entry;

struct frames {
	enum group_by group_by;
	bool by_module;		/* frames of different files are never equal */
	struct frame_entry *entries;
};

/* The frame that stands for this one and all its equals; its strings are interned. NULL: no
 * memory. */
const struct stat_frame *frames__get(struct frames *frames, struct stat_frame frame);
/* Shows what is true of both places; with `by_module` they are of one file, which goes by the
 * first of its paths. */
void frame_place__agree(struct frame_place *shown, const struct frame_place *place, bool by_module);
void frames__release(struct frames *frames);

#endif
