/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From the ids of a file, in any order, to indices. */
#ifndef MT_SNAPSHOT_IDS_H
#define MT_SNAPSHOT_IDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ids {
	struct id {
		uint64_t id;
		uint32_t index;
	} *items;
	size_t count;
	/* Index by id where ids are dense, as most writers give them; else NULL. */
	uint32_t *direct;
	size_t ndirect;
};

int ids__add(struct ids *ids, uint64_t id, uint32_t index);	/* 0 or -ENOMEM */
/* After the last ids__add(), before ids__find(). -EINVAL where an id is 0 or occurs twice. */
int ids__close(struct ids *ids);
bool ids__find(const struct ids *ids, uint64_t id, uint32_t *index);
void ids__release(struct ids *ids);

#endif
