// SPDX-License-Identifier: GPL-2.0-or-later
/* Every string, module, location and stack once. Indices stay valid because entries never move. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "snapshot/hash.h"
#include "snapshot/snapshot.h"

struct string_entry {
	UT_hash_handle hh;
	char s[];
};

struct module_entry {
	UT_hash_handle hh;
	struct names_module module; /* is the key: its strings are interned */
	uint32_t index;
};

struct location_key {
	uint64_t offset;
	uint32_t module;
	uint32_t exact;
};

struct location_entry {
	UT_hash_handle hh;
	struct location_key key;
	struct names_location location;
	uint32_t index;
};

struct stack_entry {
	UT_hash_handle hh;
	uint32_t index;
	uint32_t nlocations;
	uint32_t key[];
};

/* Pointers to entries by index. */
struct table {
	void **items;
	uint32_t count;
};

struct names {
	struct string_entry *strings;
	struct module_entry *modules;
	struct location_entry *locations;
	struct stack_entry *stacks;
	struct table module_table, location_table, stack_table;
	uint32_t *key; /* of the stack that is looked for */
	size_t key_room;
};

static int table__append(struct table *table, void *item, uint32_t *index)
{
	if (table->count == UINT32_MAX ||
	    array__make_room(&table->items, table->count, sizeof(*table->items)))
		return -ENOMEM;
	*index = table->count;
	table->items[table->count++] = item;
	return 0;
}

const char *names__string(struct names *names, const char *s)
{
	struct string_entry *entry;
	size_t length;

	if (!s)
		return NULL;
	length = strlen(s);
	HASH_FIND(hh, names->strings, s, length, entry);
	if (entry)
		return entry->s;
	entry = malloc(sizeof(*entry) + length + 1);
	if (!entry)
		return NULL;
	memcpy(entry->s, s, length + 1);
	HASH_ADD_KEYPTR(hh, names->strings, entry->s, length, entry);
	if (!HASH_ADDED(entry)) {
		free(entry);
		return NULL;
	}
	return entry->s;
}

/* names__string() with the lack of memory told apart from the NULL that stands for itself. */
static int intern(struct names *names, const char *s, const char **interned)
{
	*interned = names__string(names, s);
	return s && !*interned ? -ENOMEM : 0;
}

/* The strings of the key are interned. */
static int names__add_module(struct names *names, struct names_module key, uint32_t *index)
{
	struct module_entry *entry;
	int err;

	HASH_FIND(hh, names->modules, &key, sizeof(key), entry);
	if (entry) {
		*index = entry->index;
		return 0;
	}
	entry = calloc(1, sizeof(*entry));
	if (!entry)
		return -ENOMEM;
	entry->module = key;
	HASH_ADD(hh, names->modules, module, sizeof(key), entry);
	if (!HASH_ADDED(entry)) {
		free(entry);
		return -ENOMEM;
	}
	err = table__append(&names->module_table, &entry->module, &entry->index);
	if (err) {
		HASH_DEL(names->modules, entry);
		free(entry);
		return err;
	}
	*index = entry->index;
	return 0;
}

int names__module(struct names *names, const char *path, const char *build_id, uint32_t *index)
{
	struct names_module key = {};
	int err;

	err = intern(names, path, &key.path);
	if (!err)
		err = intern(names, build_id, &key.build_id);
	return err ? err : names__add_module(names, key, index);
}

int names__module_copy(struct names *names, const char *path, uint64_t copy, uint32_t *index)
{
	struct names_module key = { .copy = copy };
	int err = intern(names, path, &key.path);

	return err ? err : names__add_module(names, key, index);
}

const struct names_module *names__get_module(const struct names *names, uint32_t index)
{
	return names->module_table.items[index];
}

uint32_t names__nmodules(const struct names *names)
{
	return names->module_table.count;
}

/* A location with the key, in the table but not yet in the hash. */
static struct location_entry *names__append_location(struct names *names,
						     const struct location_key *key)
{
	struct location_entry *entry = calloc(1, sizeof(*entry));

	if (!entry)
		return NULL;
	entry->key = *key;
	entry->location.module = key->module;
	entry->location.offset = key->offset;
	entry->location.exact = key->exact;
	if (table__append(&names->location_table, entry, &entry->index)) {
		free(entry);
		return NULL;
	}
	return entry;
}

int names__location(struct names *names, uint32_t module, uint64_t offset, bool exact,
		    uint32_t *index)
{
	struct location_key key = { .offset = offset, .module = module, .exact = exact };
	struct location_entry *entry;

	HASH_FIND(hh, names->locations, &key, sizeof(key), entry);
	if (!entry) {
		entry = names__append_location(names, &key);
		if (!entry)
			return -ENOMEM;
		/* If it does not get in, it stays in the table, unused. */
		HASH_ADD(hh, names->locations, key, sizeof(key), entry);
		if (!HASH_ADDED(entry))
			return -ENOMEM;
	}
	*index = entry->index;
	return 0;
}

int names__add_location(struct names *names, uint32_t module, uint64_t offset, bool exact,
			uint32_t *index)
{
	const struct location_key key = { .offset = offset, .module = module, .exact = exact };
	struct location_entry *entry = names__append_location(names, &key);

	if (!entry)
		return -ENOMEM;
	*index = entry->index;
	return 0;
}

struct names_location *names__get_location(const struct names *names, uint32_t index)
{
	return &((struct location_entry *)names->location_table.items[index])->location;
}

uint32_t names__nlocations(const struct names *names)
{
	return names->location_table.count;
}

int names__set_frames(struct names *names, uint32_t location, const struct names_frame *frames,
		      uint32_t nframes)
{
	struct names_location *l = names__get_location(names, location);
	struct names_frame *copy;
	int err = 0;

	copy = calloc(nframes ? nframes : 1, sizeof(*copy));
	if (!copy)
		return -ENOMEM;
	for (uint32_t i = 0; i < nframes && !err; i++) {
		copy[i] = frames[i];
		err = intern(names, frames[i].function, &copy[i].function);
		if (!err)
			err = intern(names, frames[i].file, &copy[i].file);
	}
	if (err) {
		free(copy);
		return err;
	}
	free(l->frames);
	l->frames = copy;
	l->nframes = nframes;
	return 0;
}

/* A key is what the hash compares: the stop reason, then the locations. */
static int names__stack_key(struct names *names, const uint32_t *locations, uint32_t nlocations,
			    uint8_t stop)
{
	if (nlocations >= names->key_room) {
		size_t room = 2 * ((size_t)nlocations + 1);
		uint32_t *key = reallocarray(names->key, room, sizeof(*key));

		if (!key)
			return -ENOMEM;
		names->key = key;
		names->key_room = room;
	}
	names->key[0] = stop;
	if (nlocations)
		memcpy(names->key + 1, locations, nlocations * sizeof(*locations));
	return 0;
}

int names__stack(struct names *names, const uint32_t *locations, uint32_t nlocations, uint8_t stop,
		 uint32_t *index)
{
	size_t length = (1 + (size_t)nlocations) * sizeof(uint32_t);
	struct stack_entry *entry;
	int err;

	err = names__stack_key(names, locations, nlocations, stop);
	if (err)
		return err;
	HASH_FIND(hh, names->stacks, names->key, length, entry);
	if (entry) {
		*index = entry->index;
		return 0;
	}
	entry = malloc(sizeof(*entry) + length);
	if (!entry)
		return -ENOMEM;
	entry->nlocations = nlocations;
	memcpy(entry->key, names->key, length);
	HASH_ADD(hh, names->stacks, key, length, entry);
	if (!HASH_ADDED(entry)) {
		free(entry);
		return -ENOMEM;
	}
	err = table__append(&names->stack_table, entry, &entry->index);
	if (err) {
		HASH_DEL(names->stacks, entry);
		free(entry);
		return err;
	}
	*index = entry->index;
	return 0;
}

struct names_stack names__get_stack(const struct names *names, uint32_t index)
{
	const struct stack_entry *entry = names->stack_table.items[index];

	return (struct names_stack){
		.locations = entry->key + 1,
		.nlocations = entry->nlocations,
		.stop = entry->key[0],
	};
}

uint32_t names__nstacks(const struct names *names)
{
	return names->stack_table.count;
}

struct names *names__new(void)
{
	struct names *names = calloc(1, sizeof(*names));
	const struct names_frame unknown = {};
	uint32_t index;

	/* Index 0 of every table is what is not known. */
	if (names && !names__module(names, NULL, NULL, &index) &&
	    !names__location(names, 0, 0, false, &index) &&
	    !names__set_frames(names, index, &unknown, 1) &&
	    !names__stack(names, NULL, 0, STOP_BOTTOM, &index))
		return names;
	names__free(names);
	return NULL;
}

#define FREE_ALL(head)                                                                             \
	do {                                                                                       \
		__typeof__(head) entry, next;                                                      \
		HASH_ITER(hh, head, entry, next) {                                                 \
			HASH_DEL(head, entry);                                                     \
			free(entry);                                                               \
		}                                                                                  \
	} while (0)

void names__free(struct names *names)
{
	if (!names)
		return;
	HASH_CLEAR(hh, names->locations);
	for (uint32_t i = 0; i < names->location_table.count; i++) {
		free(names__get_location(names, i)->frames);
		free(names->location_table.items[i]);
	}
	FREE_ALL(names->stacks);
	FREE_ALL(names->modules);
	FREE_ALL(names->strings);
	free(names->module_table.items);
	free(names->location_table.items);
	free(names->stack_table.items);
	free(names->key);
	free(names);
}
