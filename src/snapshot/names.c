// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Every string, module, location and stack once. Indices stay valid because entries never move.
 *
 * Programs come and go, and names with them. What is referred to is marked with the number of the
 * round, and the rest forgotten: a tracing collector, whose roots are the snapshots that there are
 * and what their maker knows. Freed indices are given to what comes, and mean "unknown" until then.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "snapshot/hash.h"
#include "snapshot/snapshot.h"

struct string_entry {
	UT_hash_handle hh;
	uint32_t round;		/* in which it was last found in use, or made; of all entries */
	char s[];
};

struct module_entry {
	UT_hash_handle hh;
	struct names_module module; /* is the key: its strings are interned */
	uint32_t index, round;
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
	uint32_t index, round;
};

struct stack_entry {
	UT_hash_handle hh;
	uint32_t index, round;
	uint32_t nlocations;
	uint32_t key[];
};

/* Pointers to entries by index; the entry at 0 stands for those that were forgotten. */
struct table {
	void **items;
	uint32_t count;
	uint32_t *free;		/* indices of forgotten entries */
	uint32_t nfree;
};

struct names {
	struct string_entry *strings;
	struct module_entry *modules;
	struct location_entry *locations;
	struct stack_entry *stacks;
	struct table module_table, location_table, stack_table;
	uint32_t *key; /* of the stack that is looked for */
	size_t key_room;
	struct snapshot *snapshots;	/* that refer to these names */
	uint32_t round;
	size_t nkept;			/* entries, after the last round */
};

static int table__append(struct table *table, void *item, uint32_t *index)
{
	if (table->nfree) {
		*index = table->free[--table->nfree];
		table->items[*index] = item;
		return 0;
	}
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
	entry->round = names->round;
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
	entry->round = names->round;
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
	return names__module_copy(names, path, build_id, 0, index);
}

int names__module_copy(struct names *names, const char *path, const char *build_id, uint64_t copy,
		       uint32_t *index)
{
	struct names_module key = { .copy = copy };
	int err;

	err = intern(names, path, &key.path);
	if (!err)
		err = intern(names, build_id, &key.build_id);
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
	entry->round = names->round;
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

int names__gap(struct names *names, uint32_t *index)
{
	static const struct names_frame frame = { .function = "<frames may be missing here>" };
	/* No address is that high. */
	int err = names__location(names, 0, UINT64_MAX, true, index);

	if (err || names__get_location(names, *index)->nframes)
		return err;
	return names__set_frames(names, *index, &frame, 1);
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
	entry->round = names->round;
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

/* ---- forgetting ---- */

#define FORGOTTEN_AT 16384	/* so many entries beyond twice those that were kept */

static size_t nentries(const struct names *names)
{
	return HASH_COUNT(names->strings) + HASH_COUNT(names->modules) +
	       names->location_table.count - names->location_table.nfree +
	       HASH_COUNT(names->stacks);
}

bool names__are_many(const struct names *names)
{
	return nentries(names) > 2 * names->nkept + FORGOTTEN_AT;
}

static uint32_t *round_of_string(const char *s)
{
	return &((struct string_entry *)(s - offsetof(struct string_entry, s)))->round;
}

void names__use_string(struct names *names, const char *s)
{
	if (s)
		*round_of_string(s) = names->round;
}

bool names__uses_string(const struct names *names, const char *s)
{
	return *round_of_string(s) == names->round;
}

void names__use_module(struct names *names, uint32_t index)
{
	struct names_module *module = names->module_table.items[index];

	((struct module_entry *)((char *)module - offsetof(struct module_entry, module)))->round =
		names->round;
	names__use_string(names, module->path);
	names__use_string(names, module->build_id);
}

bool names__uses_module(const struct names *names, uint32_t index)
{
	const char *module = names->module_table.items[index];

	return ((const struct module_entry *)(module - offsetof(struct module_entry, module)))
		       ->round == names->round;
}

static void use_location(struct names *names, uint32_t index)
{
	struct location_entry *entry = names->location_table.items[index];

	if (entry->round == names->round)
		return;
	entry->round = names->round;
	names__use_module(names, entry->key.module);
	for (uint32_t i = 0; i < entry->location.nframes; i++) {
		names__use_string(names, entry->location.frames[i].function);
		names__use_string(names, entry->location.frames[i].file);
	}
}

void names__use_stack(struct names *names, uint32_t index)
{
	struct stack_entry *entry = names->stack_table.items[index];

	if (entry->round == names->round)
		return;
	entry->round = names->round;
	for (uint32_t i = 0; i < entry->nlocations; i++)
		use_location(names, entry->key[1 + i]);
}

void names__use_traces(struct names *names, const struct traces *traces)
{
	for (size_t i = 0; traces && i < traces->count; i++) {
		names__use_stack(names, traces->items[i].stack);
		names__use_string(names, traces->items[i].domain);
	}
}

static void use_snapshot(struct names *names, const struct snapshot *snapshot)
{
	for (size_t i = 0; i < snapshot->nprocesses; i++) {
		names__use_string(names, snapshot->processes[i].comm);
		names__use_string(names, snapshot->processes[i].cgroup);
		names__use_traces(names, snapshot->processes[i].traces);
	}
	names__use_traces(names, snapshot->others);
	for (size_t i = 0; i < snapshot->coverage.ngaps; i++) {
		names__use_string(names, snapshot->coverage.gaps[i].comm);
		names__use_string(names, snapshot->coverage.gaps[i].why);
	}
	names__use_string(names, snapshot->how);
	names__use_string(names, snapshot->note);
	names__use_string(names, snapshot->file);
}

void names__begin_forgetting(struct names *names)
{
	names->round++;
	names__use_stack(names, 0);
	use_location(names, 0);
	names__use_module(names, 0);
	for (const struct snapshot *s = names->snapshots; s; s = s->next)
		use_snapshot(names, s);
}

/* Without memory for its index the entry stays. */
static bool table__forget(struct table *table, uint32_t index)
{
	if (array__make_room(&table->free, table->nfree, sizeof(*table->free)))
		return false;
	table->free[table->nfree++] = index;
	table->items[index] = table->items[0];
	return true;
}

static void forget_locations(struct names *names)
{
	struct table *table = &names->location_table;

	for (uint32_t i = 1; i < table->count; i++) {
		struct location_entry *entry = table->items[i];

		if (entry->round == names->round || !table__forget(table, i))
			continue;
		if (HASH_ADDED(entry))
			HASH_DEL(names->locations, entry);
		free(entry->location.frames);
		free(entry);
	}
}

void names__end_forgetting(struct names *names)
{
	struct stack_entry *stack, *next_stack;
	struct module_entry *module, *next_module;
	struct string_entry *string, *next_string;

	HASH_ITER(hh, names->stacks, stack, next_stack) {
		if (stack->round == names->round ||
		    !table__forget(&names->stack_table, stack->index))
			continue;
		HASH_DEL(names->stacks, stack);
		free(stack);
	}
	forget_locations(names);
	HASH_ITER(hh, names->modules, module, next_module) {
		if (module->round == names->round ||
		    !table__forget(&names->module_table, module->index))
			continue;
		HASH_DEL(names->modules, module);
		free(module);
	}
	HASH_ITER(hh, names->strings, string, next_string) {
		if (string->round == names->round)
			continue;
		HASH_DEL(names->strings, string);
		free(string);
	}
	names->nkept = nentries(names);
}

uint32_t names__round(const struct names *names)
{
	return names->round;
}

void names__add_snapshot(struct names *names, struct snapshot *snapshot)
{
	snapshot->next = names->snapshots;
	names->snapshots = snapshot;
}

void names__remove_snapshot(struct names *names, struct snapshot *snapshot)
{
	struct snapshot **at = &names->snapshots;

	while (*at && *at != snapshot)
		at = &(*at)->next;
	if (*at)
		*at = snapshot->next;
}

#define FREE_ALL(head)                                                                             \
	do {                                                                                       \
		__typeof__(head) entry, next;                                                      \
		HASH_ITER(hh, head, entry, next) {                                                 \
			HASH_DEL(head, entry);                                                     \
			free(entry);                                                               \
		}                                                                                  \
	} while (0)

static void free_table(struct table *table)
{
	free(table->items);
	free(table->free);
}

void names__free(struct names *names)
{
	if (!names)
		return;
	/* They may be freed later. */
	for (struct snapshot *snapshot = names->snapshots; snapshot; snapshot = snapshot->next)
		snapshot->names = NULL;
	HASH_CLEAR(hh, names->locations);
	for (uint32_t i = names->location_table.count; i--;) {
		if (i && names->location_table.items[i] == names->location_table.items[0])
			continue;
		free(names__get_location(names, i)->frames);
		free(names->location_table.items[i]);
	}
	FREE_ALL(names->stacks);
	FREE_ALL(names->modules);
	FREE_ALL(names->strings);
	free_table(&names->module_table);
	free_table(&names->location_table);
	free_table(&names->stack_table);
	free(names->key);
	free(names);
}
