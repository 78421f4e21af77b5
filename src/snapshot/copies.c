// SPDX-License-Identifier: GPL-2.0-or-later
#include "snapshot/copies.h"

#include <errno.h>
#include <stdlib.h>

#include "snapshot/hash.h"
#include "snapshot/snapshot.h"

struct copies {
	UT_hash_handle hh;
	const char *path;
	uint64_t count;
};

int copies__add(struct copies **copies, const char *path, uint64_t *copy)
{
	struct copies *entry;

	HASH_FIND_PTR(*copies, &path, entry);
	if (!entry) {
		entry = calloc(1, sizeof(*entry));
		if (!entry)
			return -ENOMEM;
		entry->path = path;
		HASH_ADD_PTR(*copies, path, entry);
		if (!HASH_ADDED(entry)) {
			free(entry);
			return -ENOMEM;
		}
	}
	*copy = entry->count++;
	return 0;
}

void copies__free(struct copies *copies)
{
	struct copies *entry, *next;

	HASH_ITER(hh, copies, entry, next) {
		HASH_DEL(copies, entry);
		free(entry);
	}
}

void copies__forget(struct copies **copies, const struct names *names)
{
	struct copies *entry, *next;

	HASH_ITER(hh, *copies, entry, next) {
		if (names__uses_string(names, entry->path))
			continue;
		HASH_DEL(*copies, entry);
		free(entry);
	}
}
