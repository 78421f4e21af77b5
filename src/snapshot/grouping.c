// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Frames are made unique first, so that a group is known by the pointers to its frames, or by the
 * one to its process or cgroup. Then the traces of each process become its shares in the groups,
 * and these are added up.
 */
#include "snapshot/grouping.h"

#include <errno.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/saturate.h"
#include "snapshot/filter.h"

struct class_count {
	uint8_t size_class;
	uint64_t count;
};

/* What the traces of a process add to one group. */
struct share {
	struct group *group;
	struct sum sum;
	bool holds;			/* something is outstanding */
	struct class_count *classes;	/* if a histogram was asked for */
	uint32_t nclasses;
};

struct shares {
	UT_hash_handle hh;
	struct traces *traces;		/* the key */
	struct share *items;
	size_t count;
	struct sum filtered;
	uint64_t number;		/* see struct group */
	/* In this round: in which of the snapshots they are, and of which process. */
	bool now, before;
	const struct process_entry *process;
	uint64_t aged_ns;		/* see struct snapshot_process */
};

/* ---- sums ---- */

static void sum__add(struct sum *to, const struct sum *sum)
{
	add_saturated(&to->size, sum->size);
	to->count += sum->count;
	add_saturated(&to->alloc_size, sum->alloc_size);
	to->alloc_count += sum->alloc_count;
	add_saturated(&to->peak_size, sum->peak_size);
	to->peak_count += sum->peak_count;
	to->temporary += sum->temporary;
	add_saturated(&to->usable_size, sum->usable_size);
	to->usable_unknown |= sum->usable_unknown;
	to->size_variance += sum->size_variance;
	to->count_variance += sum->count_variance;
	if (to->oldest_ns < sum->oldest_ns)
		to->oldest_ns = sum->oldest_ns;
}

static struct sum sum__of_trace(const struct trace *trace)
{
	return (struct sum){
		.size = trace->size,
		.count = trace->count,
		.alloc_size = trace->alloc_size,
		.alloc_count = trace->alloc_count,
		.peak_size = trace->peak_size,
		.peak_count = trace->peak_count,
		.temporary = trace->temporary,
		.usable_size = trace->usable_size,
		.usable_unknown = trace->count && !trace->usable_size,
		.oldest_ns = trace->oldest_ns,
		.size_variance = trace->size_variance,
		.count_variance = trace->count_variance,
	};
}

/* ---- groups ---- */

static struct group *group__new(const struct grouping *grouping, uint32_t nframes)
{
	size_t length = (1 + (size_t)nframes) * sizeof(uintptr_t);
	struct group *group = calloc(1, sizeof(*group) + length);

	if (!group)
		return NULL;
	group->nframes = nframes;
	if (grouping->opts.histogram)
		group->histogram = calloc(SIZE_CLASSES, sizeof(*group->histogram));
	if (grouping->opts.histogram && !group->histogram) {
		free(group);
		return NULL;
	}
	return group;
}

static void group__free(struct group *group)
{
	free(group->histogram);
	free(group->places);
	members__release(&group->members);
	free(group);
}

static void group__begin(struct group *group)
{
	group->now = group->before = (struct sum){};
	group->members.count = 0;
	group->members.rank = MEMBER_ALLOCATED;
	if (group->histogram)
		memset(group->histogram, 0, SIZE_CLASSES * sizeof(*group->histogram));
}

/* A traceback's members have the same lines, but may call from several places of a line. */
static int group__agree_places(struct group *group, const struct frame_place *places,
			       bool by_module)
{
	if (!group->places) {
		group->places = calloc(group->nframes + 1, sizeof(*places));
		if (!group->places)
			return -ENOMEM;
		memcpy(group->places, places, group->nframes * sizeof(*places));
		return 0;
	}
	for (uint32_t i = 0; i < group->nframes; i++)
		frame_place__agree(&group->places[i], &places[i], by_module);
	return 0;
}

/* The group of the key. NULL: no memory. */
static struct group *grouping__group(struct grouping *grouping, uint32_t nframes)
{
	size_t length = (1 + (size_t)nframes) * sizeof(*grouping->key);
	struct group *group;

	HASH_FIND(hh, grouping->groups, grouping->key, length, group);
	if (group)
		return group;
	group = group__new(grouping, nframes);
	if (!group)
		return NULL;
	memcpy(group->key, grouping->key, length);
	HASH_ADD(hh, grouping->groups, key, length, group);
	if (!HASH_ADDED(group)) {
		group__free(group);
		return NULL;
	}
	return group;
}

/* Of a frame, a process or a cgroup. */
static struct group *grouping__group_of(struct grouping *grouping, const void *owner)
{
	grouping->key[0] = STOP_BOTTOM;
	grouping->key[1] = (uintptr_t)owner;
	return grouping__group(grouping, 1);
}

/* Appends the frame to the key of a traceback. */
static int grouping__push(struct grouping *grouping, uint32_t nframes,
			  const struct placed_frame *placed)
{
	if (nframes + 2 > grouping->key_room) {
		size_t room = 2 * grouping->key_room;
		struct frame_place *places;
		uintptr_t *key;

		key = reallocarray(grouping->key, room, sizeof(*key));
		if (!key)
			return -ENOMEM;
		grouping->key = key;
		places = reallocarray(grouping->key_places, room, sizeof(*places));
		if (!places)
			return -ENOMEM;
		grouping->key_places = places;
		grouping->key_room = room;
	}
	grouping->key[1 + nframes] = (uintptr_t)placed->frame;
	grouping->key_places[nframes] = placed->place;
	return 0;
}

static struct group *traceback_group(struct grouping *grouping, struct places *places,
				     const struct names_stack *stack)
{
	const struct placed_location *location;
	struct group *group;
	uint32_t nframes = 0;

	for (uint32_t i = 0; i < stack->nlocations; i++) {
		location = places__location(places, stack->locations[i]);
		if (!location)
			return NULL;
		for (uint32_t j = 0; j < location->nframes; j++)
			if (grouping__push(grouping, nframes++, &location->frames[j]))
				return NULL;
	}
	grouping->key[0] = stack->stop;
	group = grouping__group(grouping, nframes);
	if (!group || group__agree_places(group, grouping->key_places, grouping->frames.by_module))
		return NULL;
	return group;
}

/* The one group that the stack's traces belong to. NULL: no memory. */
static struct group *stack_group(struct grouping *grouping, struct places *places, uint32_t index)
{
	struct placed_stack *placed_stack = &places->stacks[index];
	struct names_stack stack = places__stack(places, index);
	const struct placed_frame *placed;

	if (placed_stack->group)
		return placed_stack->group;
	if (grouping->opts.group_by == GROUP_BY_TRACEBACK) {
		placed_stack->group = traceback_group(grouping, places, &stack);
		return placed_stack->group;
	}
	placed = places__outside_wrappers(places, &stack);
	placed_stack->group = placed ? grouping__group_of(grouping, placed->frame) : NULL;
	return placed_stack->group;
}

/* ---- shares ---- */

static int share__count_class(struct share *share, const struct trace *trace)
{
	uint32_t i = 0;

	while (i < share->nclasses && share->classes[i].size_class != trace->size_class)
		i++;
	if (i == share->nclasses) {
		if (array__make_room(&share->classes, i, sizeof(*share->classes)))
			return -ENOMEM;
		share->classes[share->nclasses++] = (struct class_count){ trace->size_class, 0 };
	}
	share->classes[i].count += trace->count;
	return 0;
}

static int shares__add(struct shares *shares, struct group *group, const struct trace *trace,
		       const struct sum *sum)
{
	struct share *share;

	if (!group)
		return -ENOMEM;
	if (group->shares != shares->number) {
		if (array__make_room(&shares->items, shares->count, sizeof(*shares->items)))
			return -ENOMEM;
		shares->items[shares->count] = (struct share){ .group = group };
		group->shares = shares->number;
		group->share = shares->count++;
	}
	share = &shares->items[group->share];
	sum__add(&share->sum, sum);
	share->holds |= trace->size || trace->count;
	if (group->histogram && trace->size_class < SIZE_CLASSES)
		return share__count_class(share, trace);
	return 0;
}

static int shares__add_cumulative(struct shares *shares, struct grouping *grouping,
				  struct places *places, const struct trace *trace,
				  const struct sum *sum)
{
	struct names_stack stack = places__stack(places, trace->stack);
	const struct placed_location *location;
	int err = 0;

	for (uint32_t i = 0; i < stack.nlocations && !err; i++) {
		location = places__location(places, stack.locations[i]);
		if (!location)
			return -ENOMEM;
		for (uint32_t j = 0; j < location->nframes && !err; j++)
			err = shares__add(shares,
					  grouping__group_of(grouping, location->frames[j].frame),
					  trace, sum);
	}
	return err;
}

/* `owner` is the group of the traces' process or cgroup, where these are the groups. */
static int shares__add_trace(struct shares *shares, struct grouping *grouping,
			     struct places *places, struct group *owner, const struct trace *trace)
{
	const struct statistics_opts *opts = &grouping->opts;
	const struct sum sum = sum__of_trace(trace);
	uint8_t matches;
	int err;

	if (opts->nfilters) {
		err = places__match_stack(places, trace->stack, &matches);
		if (err)
			return err;
		matches |= filters__match_domain(opts, trace->domain);
		if (!filters__pass(opts, matches)) {
			sum__add(&shares->filtered, &sum);
			return 0;
		}
	}
	if (opts->cumulative)
		return shares__add_cumulative(shares, grouping, places, trace, &sum);
	return shares__add(shares,
			   owner ? owner : stack_group(grouping, places, trace->stack), trace, &sum);
}

static void shares__free(struct shares *shares)
{
	for (size_t i = 0; i < shares->count; i++)
		free(shares->items[i].classes);
	free(shares->items);
	traces__release(shares->traces);
	free(shares);
}

/* By process or cgroup the stack plays no part. */
static int owner_group(struct grouping *grouping, const struct places *places,
		       const struct process_entry *process, struct group **group)
{
	const char *cgroup = process ? process_entry__shown(process)->process->cgroup : NULL;

	*group = NULL;
	if (group_by__is_frame(grouping->opts.group_by) ||
	    grouping->opts.group_by == GROUP_BY_TRACEBACK)
		return 0;
	if (places__string(places, &cgroup))
		return -ENOMEM;
	*group = grouping__group_of(grouping, grouping->opts.group_by == GROUP_BY_PROCESS ?
						      (const void *)process : cgroup);
	return *group ? 0 : -ENOMEM;
}

/* In filters "?" is a character, as for Python, not a byte. Wildcards cost more that way. */
static int shares__fill(struct shares *shares, struct grouping *grouping, struct places *places,
			const struct process_entry *process)
{
	locale_t utf8 = (locale_t)0, old = (locale_t)0;
	struct group *owner;
	int err = owner_group(grouping, places, process, &owner);

	if (grouping->opts.nfilters)
		utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
	if (utf8)
		old = uselocale(utf8);
	for (size_t i = 0; i < shares->traces->count && !err; i++)
		err = shares__add_trace(shares, grouping, places, owner, &shares->traces->items[i]);
	if (!utf8)
		return err;
	uselocale(old);
	freelocale(utf8);
	return err;
}

/* The shares of the traces, as known or worked out now. NULL: no memory. */
static struct shares *shares__of(struct grouping *grouping, struct places *places,
				 struct traces *traces, const struct process_entry *process)
{
	struct shares *shares;

	HASH_FIND_PTR(grouping->shares, &traces, shares);
	if (shares)
		return shares;
	shares = calloc(1, sizeof(*shares));
	if (!shares)
		return NULL;
	shares->traces = traces__use(traces);
	shares->number = ++grouping->nshares;
	if (shares__fill(shares, grouping, places, process))
		goto fail;
	HASH_ADD_PTR(grouping->shares, traces, shares);
	if (HASH_ADDED(shares))
		return shares;
fail:
	shares__free(shares);
	return NULL;
}

/* ---- a round ---- */

static int grouping__add_traces(struct grouping *grouping, struct places *places,
				struct traces *traces, const struct process_entry *process,
				uint64_t aged_ns, bool before)
{
	struct shares *shares = shares__of(grouping, places, traces, process);

	if (!shares)
		return -ENOMEM;
	shares->process = process;
	*(before ? &shares->before : &shares->now) = true;
	if (!before)
		shares->aged_ns = aged_ns;
	return 0;
}

/* Of the names, new or as they are known, with what they have got since. NULL: no memory. */
static struct places *grouping__places(struct grouping *grouping, const struct names *names)
{
	struct places *places = grouping->places;

	while (places && places->names != names)
		places = places->next;
	if (!places)
		places = calloc(1, sizeof(*places));
	if (!places)
		return NULL;
	if (!places->names) {
		*places = (struct places){
			.next = grouping->places,
			.names = names,
			.round = names__round(names),
			.strings = grouping->names,
			.opts = &grouping->opts,
			.wrappers = &grouping->wrappers,
			.frames = &grouping->frames,
		};
		grouping->places = places;
	}
	return places__grow(places) ? NULL : places;
}

/* Which process it is, in both snapshots. NULL: no memory. */
static struct process_entry *grouping__process(struct grouping *grouping,
					       const struct places *places,
					       const struct snapshot_process *process, bool before)
{
	const char *comm = process->comm;
	struct process_entry *entry;

	if (places__string(places, &comm))
		return NULL;
	entry = process_entry__get(&grouping->processes, process, comm);
	if (entry)
		process_entry__set(entry, process, before);
	return entry;
}

int grouping__add(struct grouping *grouping, const struct snapshot *snapshot, bool before)
{
	struct places *places = grouping__places(grouping, snapshot->names);
	int err = places ? 0 : -ENOMEM;

	for (size_t i = 0; i < snapshot->nprocesses && !err; i++) {
		const struct snapshot_process *process = &snapshot->processes[i];
		struct process_entry *entry =
			grouping__process(grouping, places, process, before);

		if (!entry)
			return -ENOMEM;
		if (process->traces)
			err = grouping__add_traces(grouping, places, process->traces, entry,
						   process->aged_ns, before);
	}
	if (!err && snapshot->others)
		err = grouping__add_traces(grouping, places, snapshot->others, NULL, 0, before);
	return err;
}

/* All but what it was made with. */
static void forget(struct grouping *grouping)
{
	struct group *group, *next_group;
	struct shares *shares, *next_shares;
	struct places *places, *next_places;

	HASH_ITER(hh, grouping->shares, shares, next_shares) {
		HASH_DEL(grouping->shares, shares);
		shares__free(shares);
	}
	HASH_ITER(hh, grouping->groups, group, next_group) {
		HASH_DEL(grouping->groups, group);
		group__free(group);
	}
	for (places = grouping->places; places; places = next_places) {
		next_places = places->next;
		places__free(places);
	}
	grouping->places = NULL;
	frames__release(&grouping->frames);
	process_entries__free(grouping->processes);
	grouping->processes = NULL;
}

/* So many groups and processes that are in no snapshot any more, and half of all groups. */
#define FORGOTTEN_AT 1000

/* Have names been forgotten since they were looked at? */
static bool is_void(const struct grouping *grouping, const struct names *names)
{
	const struct places *places = grouping->places;

	while (places && places->names != names)
		places = places->next;
	return places && places->round != names__round(names);
}

void grouping__begin(struct grouping *grouping, const struct snapshot *snapshot,
		     const struct snapshot *old, bool by_module)
{
	size_t nold = process_entries__begin(grouping->processes);

	for (struct group *group = grouping->groups; group; group = group->hh.next) {
		nold += group->round != grouping->round;
		group__begin(group);
	}
	if (nold > FORGOTTEN_AT + HASH_COUNT(grouping->groups) / 2 ||
	    is_void(grouping, snapshot->names) || (old && is_void(grouping, old->names)) ||
	    is_void(grouping, grouping->names) || by_module != grouping->frames.by_module)
		forget(grouping);
	grouping->frames.by_module = by_module;
	grouping->filtered = (struct sum){};
	grouping->round++;
}

static void share__add_now(const struct share *share, uint64_t aged_ns)
{
	struct group *group = share->group;
	struct sum sum = share->sum;

	sum.oldest_ns += sum.oldest_ns ? aged_ns : 0;
	sum__add(&group->now, &sum);
	for (uint32_t i = 0; i < share->nclasses; i++)
		group->histogram[share->classes[i].size_class] += share->classes[i].count;
}

static int shares__end(const struct shares *shares, struct grouping *grouping)
{
	int err = 0;

	for (size_t i = 0; i < shares->count && !err; i++) {
		const struct share *share = &shares->items[i];
		enum member_rank rank = !share->holds ? MEMBER_ALLOCATED :
					shares->now ? MEMBER_HOLDS : MEMBER_HELD;
		struct group *group = share->group;

		group->round = grouping->round;
		if (shares->now)
			share__add_now(share, shares->aged_ns);
		if (shares->before)
			sum__add(&group->before, &share->sum);
		if (shares->process)
			err = members__add(&group->members, process_entry__shown(shares->process),
					   rank);
	}
	if (shares->now)
		sum__add(&grouping->filtered, &shares->filtered);
	return err;
}

int grouping__end(struct grouping *grouping)
{
	struct shares *next;
	int err = 0;

	for (struct shares *shares = grouping->shares; shares; shares = next) {
		next = shares->hh.next;
		if (!shares->now && !shares->before) {
			HASH_DEL(grouping->shares, shares);
			shares__free(shares);
			continue;
		}
		if (!err)
			err = shares__end(shares, grouping);
		shares->now = shares->before = false;
	}
	return err;
}

struct grouping *grouping__new(struct names *names, const struct statistics_opts *opts)
{
	struct grouping *grouping = calloc(1, sizeof(*grouping));

	if (!grouping)
		return NULL;
	grouping->opts = *opts;
	grouping->names = names;
	grouping->frames.group_by = opts->group_by;
	grouping->key_room = 1 + MAX_FRAMES;
	grouping->key = calloc(grouping->key_room, sizeof(*grouping->key));
	grouping->key_places = calloc(grouping->key_room, sizeof(*grouping->key_places));
	if (!grouping->key || !grouping->key_places ||
	    wrappers__init(&grouping->wrappers, opts->cumulative ? NULL : opts->wrappers)) {
		grouping__free(grouping);
		return NULL;
	}
	return grouping;
}

void grouping__free(struct grouping *grouping)
{
	if (!grouping)
		return;
	forget(grouping);
	wrappers__release(&grouping->wrappers);
	free(grouping->key);
	free(grouping->key_places);
	free(grouping);
}
