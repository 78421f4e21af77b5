// SPDX-License-Identifier: GPL-2.0-or-later
#include "snapshot/frames.h"

#include <stdlib.h>
#include <string.h>

#include "snapshot/hash.h"

/* Strings are interned: equal ones have equal pointers. */
struct frame_key {
	const char *function, *file, *module, *build_id;
	uint64_t copy, offset;
	uint32_t line;
	uint32_t inlined;
};

struct frame_entry {
	UT_hash_handle hh;
	struct frame_key key;
	struct stat_frame shown;
};

/* Takes away what the grouping does not look at. */
static void stat_frame__reduce(struct stat_frame *frame, enum group_by group_by)
{
	if (group_by == GROUP_BY_LINE || group_by == GROUP_BY_TRACEBACK ||
	    group_by == GROUP_BY_ADDRESS)
		return;
	frame->line = 0;
	frame->offset = 0;
	frame->inlined = false;
	if (group_by != GROUP_BY_FUNCTION)
		frame->function = NULL;
	if (group_by == GROUP_BY_LIBRARY)
		frame->file = NULL;
}

/*
 * A file is the same under any name if its build id is; without one its path tells. Where files
 * need not be told apart, the path is enough, so that another build of a program can be compared
 * with it, but for offsets.
 */
static void frame_key__set_module(struct frame_key *key, const struct stat_frame *frame,
				  bool by_module)
{
	if (by_module || frame->offset) {
		key->build_id = frame->build_id;
		key->copy = frame->copy;
	}
	if (!by_module || !frame->build_id)
		key->module = frame->module;
}

static struct frame_key frame_key__of(const struct stat_frame *frame, const struct frames *frames)
{
	enum group_by group_by = frames->group_by;
	struct frame_key key = {};
	/* Without a line the file alone says too little where lines are asked for. */
	bool by_place = !frame->file || group_by == GROUP_BY_ADDRESS ||
			(!frame->line && (group_by == GROUP_BY_LINE ||
					  group_by == GROUP_BY_TRACEBACK));

	if (group_by == GROUP_BY_TRACEBACK)
		key.inlined = frame->inlined;
	if (frame->file) {
		key.file = frame->file;
		key.line = frame->line;
	}
	if (by_place || group_by != GROUP_BY_LINE)
		key.function = frame->function;
	if (by_place)
		key.offset = frame->offset;
	if (by_place || frames->by_module)
		frame_key__set_module(&key, frame, frames->by_module);
	return key;
}

/* What the members of a group do not agree on is not shown, but for the names of one file. */
void frame_place__agree(struct frame_place *shown, const struct frame_place *place, bool by_module)
{
	if (shown->offset != place->offset)
		shown->offset = 0;
	if (shown->module == place->module)
		return;
	if (!by_module)
		*shown = (struct frame_place){ 0 };
	else if (!shown->module || (place->module && strcmp(place->module, shown->module) < 0))
		shown->module = place->module;
}

static void stat_frame__agree(struct stat_frame *shown, const struct stat_frame *frame,
			      bool by_module)
{
	const struct frame_place place = { frame->module, frame->offset };
	struct frame_place agreed = { shown->module, shown->offset };

	frame_place__agree(&agreed, &place, by_module);
	shown->module = agreed.module;
	shown->offset = agreed.offset;
	if (shown->function != frame->function)
		shown->function = NULL;
	if (shown->build_id != frame->build_id)
		shown->build_id = NULL;
	shown->inlined &= frame->inlined;
}

const struct stat_frame *frames__get(struct frames *frames, struct stat_frame frame)
{
	struct frame_entry *entry;
	struct frame_key key;

	stat_frame__reduce(&frame, frames->group_by);
	key = frame_key__of(&frame, frames);
	HASH_FIND(hh, frames->entries, &key, sizeof(key), entry);
	if (entry) {
		stat_frame__agree(&entry->shown, &frame, frames->by_module);
		return &entry->shown;
	}
	entry = calloc(1, sizeof(*entry));
	if (!entry)
		return NULL;
	entry->key = key;
	entry->shown = frame;
	HASH_ADD(hh, frames->entries, key, sizeof(key), entry);
	if (!HASH_ADDED(entry)) {
		free(entry);
		return NULL;
	}
	return &entry->shown;
}

void frames__release(struct frames *frames)
{
	struct frame_entry *entry, *next;

	HASH_ITER(hh, frames->entries, entry, next) {
		HASH_DEL(frames->entries, entry);
		free(entry);
	}
}
