// SPDX-License-Identifier: GPL-2.0-or-later
#include "snapshot/members.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "snapshot/hash.h"

struct process_key {
	uint64_t id;
	uint64_t pid;		/* where there is no id */
	const char *comm;	/* the same; interned */
};

struct process_entry {
	UT_hash_handle hh;
	struct process_key key;
	const struct snapshot_process *now, *before;
	struct stat_process shown;
};

struct process_entry *process_entry__get(struct process_entry **entries,
					 const struct snapshot_process *process, const char *comm)
{
	const struct process_key key = {
		.id = process->id,
		.pid = process->id ? 0 : process->pid,
		.comm = process->id ? NULL : comm,
	};
	struct process_entry *entry;

	HASH_FIND(hh, *entries, &key, sizeof(key), entry);
	if (entry)
		return entry;
	entry = calloc(1, sizeof(*entry));
	if (!entry)
		return NULL;
	entry->key = key;
	HASH_ADD(hh, *entries, key, sizeof(key), entry);
	if (!HASH_ADDED(entry)) {
		free(entry);
		return NULL;
	}
	return entry;
}

void process_entry__set(struct process_entry *entry, const struct snapshot_process *process,
			bool before)
{
	*(before ? &entry->before : &entry->now) = process;
	entry->shown.process = entry->now ? entry->now : entry->before;
}

const struct stat_process *process_entry__shown(const struct process_entry *entry)
{
	return &entry->shown;
}

size_t process_entries__begin(struct process_entry *entries)
{
	size_t nold = 0;

	for (struct process_entry *entry = entries; entry; entry = entry->hh.next) {
		nold += !entry->now && !entry->before;
		entry->now = entry->before = entry->shown.process = NULL;
	}
	return nold;
}

struct stat_process *process_entries__list(struct process_entry *entries, bool compared,
					   size_t *count)
{
	struct stat_process *list = calloc(HASH_COUNT(entries) + 1, sizeof(*list));

	*count = 0;
	for (struct process_entry *entry = entries; list && entry; entry = entry->hh.next) {
		struct stat_process *item = &list[*count];

		if (!entry->now)
			continue;
		*item = entry->shown;
		if (compared) {
			item->size_diff = entry->now->size;
			item->count_diff = entry->now->count;
		}
		if (entry->before) {
			item->size_diff -= entry->before->size;
			item->count_diff -= entry->before->count;
		}
		++*count;
	}
	return list;
}

void process_entries__free(struct process_entry *entries)
{
	struct process_entry *entry, *next;

	HASH_ITER(hh, entries, entry, next) {
		HASH_DEL(entries, entry);
		free(entry);
	}
}

static bool comes_before(const struct stat_process *a, const struct stat_process *b)
{
	if (a->process->pid != b->process->pid)
		return a->process->pid < b->process->pid;
	return a->process->id != b->process->id ? a->process->id < b->process->id : a < b;
}

int members__add(struct members *members, const struct stat_process *process,
		 enum member_rank rank)
{
	size_t low = 0, high;

	if (rank < members->rank)
		return 0;
	if (rank > members->rank) {
		members->rank = rank;
		members->count = 0;
	}
	high = members->count;
	/* Mostly they come in order. */
	if (high && !comes_before(process, members->items[high - 1]))
		low = high - (members->items[high - 1] == process);
	while (low < high) {
		size_t middle = (low + high) / 2;

		if (comes_before(members->items[middle], process))
			low = middle + 1;
		else
			high = middle;
	}
	if (low < members->count && members->items[low] == process)
		return 0;
	if (array__make_room(&members->items, members->count, sizeof(*members->items)))
		return -ENOMEM;
	memmove(&members->items[low + 1], &members->items[low],
		(members->count - low) * sizeof(*members->items));
	members->items[low] = process;
	members->count++;
	return 0;
}

void members__release(struct members *members)
{
	free(members->items);
	*members = (struct members){};
}
