// SPDX-License-Identifier: GPL-2.0-or-later
#include "collect/twins.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "snapshot/copies.h"
#include "snapshot/hash.h"

struct twin_key {
	const char *called;	/* interned: its build id, or without one its path */
	struct file_id id;
	off_t size;
	struct timespec changed;
};

struct twin {
	UT_hash_handle hh;
	struct twin_key key;
	uint64_t copy;		/* see names__module_copy() */
	uint32_t module;	/* as which it was named last */
};

struct twins {
	struct twin *known;
	struct copies *copies;
};

struct twins *twins__new(void)
{
	return calloc(1, sizeof(struct twins));
}

void twins__free(struct twins *twins)
{
	struct twin *twin, *next;

	if (!twins)
		return;
	HASH_ITER(hh, twins->known, twin, next) {
		HASH_DEL(twins->known, twin);
		free(twin);
	}
	copies__free(twins->copies);
	free(twins);
}

static struct twin *add_twin(struct twins *twins, const struct twin_key *key)
{
	struct twin *twin = calloc(1, sizeof(*twin));

	if (!twin)
		return NULL;
	twin->key = *key;
	HASH_ADD(hh, twins->known, key, sizeof(twin->key), twin);
	if (!HASH_ADDED(twin)) {
		free(twin);
		return NULL;
	}
	if (copies__add(&twins->copies, key->called, &twin->copy)) {
		HASH_DEL(twins->known, twin);
		free(twin);
		return NULL;
	}
	return twin;
}

int twins__name(struct twins *twins, struct names *names, const char *path, const char *build_id,
		const struct file_id *id, int fd, uint32_t *index)
{
	struct twin_key key = { .id = *id };
	struct twin *twin;
	struct stat st;

	key.called = names__string(names, build_id ? build_id : path);
	if (!key.called)
		return -ENOMEM;
	if (!fstat(fd, &st)) {
		key.size = st.st_size;
		key.changed = st.st_ctim;
	}
	HASH_FIND(hh, twins->known, &key, sizeof(key), twin);
	if (!twin)
		twin = add_twin(twins, &key);
	if (!twin || names__module_copy(names, path, build_id, twin->copy, index))
		return -ENOMEM;
	twin->module = *index;
	return 0;
}

void twins__forget(struct twins *twins, const struct names *names)
{
	struct twin *twin, *next;

	HASH_ITER(hh, twins->known, twin, next) {
		if (names__uses_module(names, twin->module))
			continue;
		HASH_DEL(twins->known, twin);
		free(twin);
	}
	copies__forget(&twins->copies, names);
}
