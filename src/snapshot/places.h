/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What locations and stacks mean to a grouping: worked out once, in however many traces they occur. */
#ifndef MT_SNAPSHOT_PLACES_H
#define MT_SNAPSHOT_PLACES_H

#include "snapshot/frames.h"
#include "snapshot/statistics.h"
#include "snapshot/wrappers.h"

struct group;

struct placed_frame {
	const struct stat_frame *frame;
	struct frame_place place; /* its own: frames are shared by what calls them equal */
	enum wrapper_match wrapper;
	bool has_line;
	uint8_t matches; /* enum filter_match */
};

struct placed_location {
	struct placed_frame *frames; /* NULL: not looked at yet */
	uint32_t nframes;
};

struct placed_stack {
	struct group *group; /* that its traces belong to, where it is one; NULL: not known yet */
	uint8_t matches;
	bool matched; /* matches is known */
};

/* Of the names of one or more snapshots. */
struct places {
	struct places *next;
	const struct names *names;
	uint32_t round;		/* of theirs */
	struct names *strings; /* whose strings the frames point to */
	const struct statistics_opts *opts;
	struct wrappers *wrappers;
	struct frames *frames;
	struct placed_location *locations;
	struct placed_stack *stacks;
	uint32_t nlocations, nstacks;
};

/* Room for what the names have got by now. 0 or -ENOMEM. */
int places__grow(struct places *places);
void places__free(struct places *places);	/* takes NULL */

/* The string as places->strings have it. 0 or -ENOMEM. */
int places__string(const struct places *places, const char **s);

/* A stack of which nothing is known is one unknown location. */
struct names_stack places__stack(const struct places *places, uint32_t index);
/* The frames of a location, innermost first; at least one. NULL: no memory. */
const struct placed_location *places__location(struct places *places, uint32_t index);
/* The frame that an allocation belongs to (see statistics.h). NULL: no memory. */
const struct placed_frame *places__outside_wrappers(struct places *places,
						    const struct names_stack *stack);
/* What the filters of files say of the stack. 0 or -ENOMEM. */
int places__match_stack(struct places *places, uint32_t index, uint8_t *matches);

#endif
