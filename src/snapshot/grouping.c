// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Frames are made unique first, so that a group is known by the pointers to its frames, or by the
 * one to its process or cgroup. What a location means is worked out once a snapshot, however many
 * stacks it occurs in.
 */
#include "snapshot/grouping.h"

#include <errno.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "snapshot/filter.h"

struct placed_frame {
	const struct stat_frame *frame;
	struct frame_place place; /* its own: frames are shared by what calls them equal */
	bool wrapper, has_line;
	uint8_t matches; /* enum filter_match */
};

struct placed_location {
	struct placed_frame *frames; /* NULL: not looked at yet */
	uint32_t nframes;
};

/* What a trace, or all of one stack, adds to a group. */
struct part {
	struct sum sum;
	struct members members;
};

/* One snapshot on its way into the groups. */
struct pass {
	struct grouping *grouping;
	const struct names *names;
	struct placed_location *locations;
	struct process_entry **processes; /* by index */
	size_t nprocesses;
	struct placed_stack {
		struct part part;
		uint8_t matches;
		bool matched; /* matches is known */
	} *stacks;
	uintptr_t *key; /* of the group in question */
	struct frame_place *places; /* of the key's frames, in a traceback */
	size_t key_room;
	bool before;
	uint8_t size_class; /* of the trace in question, where it is looked at by itself */
};

static void sum__add(struct sum *to, const struct sum *sum)
{
	to->size += sum->size;
	to->count += sum->count;
	to->alloc_size += sum->alloc_size;
	to->alloc_count += sum->alloc_count;
	to->peak_size += sum->peak_size;
	to->peak_count += sum->peak_count;
	to->temporary += sum->temporary;
	to->usable_size += sum->usable_size;
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

/* The string as the grouping's names have it. */
static int pass__string(struct pass *pass, const char **s)
{
	if (pass->names == pass->grouping->names || !*s)
		return 0;
	*s = names__string(pass->grouping->names, *s);
	return *s ? 0 : -ENOMEM;
}

static int pass__place_frame(struct pass *pass, const struct names_location *location,
			     const struct names_frame *named, struct placed_frame *placed)
{
	const struct names_module *module = names__get_module(pass->names, location->module);
	struct stat_frame frame = {
		.function = named->function,
		.file = named->file,
		.line = named->file ? named->line : 0,
		.inlined = named->inlined,
		.module = module->path,
		.build_id = module->build_id,
		.copy = module->copy,
		.offset = module->path ? location->offset : 0,
	};

	if (pass__string(pass, &frame.function) || pass__string(pass, &frame.file) ||
	    pass__string(pass, &frame.module) || pass__string(pass, &frame.build_id))
		return -ENOMEM;
	placed->wrapper = wrappers__match(&pass->grouping->wrappers, frame.function, frame.module);
	placed->place = (struct frame_place){ frame.module, frame.offset };
	placed->has_line = frame.line;
	placed->matches = filters__match_frame(pass->grouping->opts, frame.file, frame.line);
	placed->frame = frames__get(&pass->grouping->frames, frame);
	return placed->frame ? 0 : -ENOMEM;
}

/* The frames of a location, innermost first; at least one. NULL: no memory. */
static const struct placed_location *pass__location(struct pass *pass, uint32_t index)
{
	struct placed_location *placed = &pass->locations[index];
	const struct names_location *location = names__get_location(pass->names, index);
	const struct names_frame unknown = {};

	if (placed->frames)
		return placed;
	placed->nframes = location->nframes ? location->nframes : 1;
	placed->frames = calloc(placed->nframes, sizeof(*placed->frames));
	if (!placed->frames)
		return NULL;
	for (uint32_t i = 0; i < placed->nframes; i++)
		if (pass__place_frame(pass, location,
				      location->nframes ? &location->frames[i] : &unknown,
				      &placed->frames[i]))
			return NULL;
	return placed;
}

static struct group *group__new(const struct grouping *grouping, uint32_t nframes)
{
	size_t length = (1 + (size_t)nframes) * sizeof(uintptr_t);
	struct group *group = calloc(1, sizeof(*group) + length);

	if (!group)
		return NULL;
	group->nframes = nframes;
	if (grouping->opts->histogram)
		group->histogram = calloc(SIZE_CLASSES, sizeof(*group->histogram));
	if (grouping->opts->histogram && !group->histogram) {
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
static struct group *pass__group(struct pass *pass, uint32_t nframes)
{
	size_t length = (1 + (size_t)nframes) * sizeof(*pass->key);
	struct grouping *grouping = pass->grouping;
	struct group *group;

	HASH_FIND(hh, grouping->groups, pass->key, length, group);
	if (group)
		return group;
	group = group__new(grouping, nframes);
	if (!group)
		return NULL;
	memcpy(group->key, pass->key, length);
	HASH_ADD(hh, grouping->groups, key, length, group);
	if (!HASH_ADDED(group)) {
		group__free(group);
		return NULL;
	}
	return group;
}

static int pass__add(struct pass *pass, uint32_t nframes, const struct part *part)
{
	struct grouping *grouping = pass->grouping;
	struct group *group = pass__group(pass, nframes);

	if (!group || members__add_all(&group->members, &part->members))
		return -ENOMEM;
	if (grouping->opts->group_by == GROUP_BY_TRACEBACK &&
	    group__agree_places(group, pass->places, grouping->frames.by_module))
		return -ENOMEM;
	if (group->histogram && !pass->before && pass->size_class < SIZE_CLASSES)
		group->histogram[pass->size_class] += part->sum.count;
	sum__add(pass->before ? &group->before : &group->now, &part->sum);
	return 0;
}

static int pass__add_frame(struct pass *pass, const struct stat_frame *frame,
			   const struct part *part)
{
	pass->key[0] = STOP_BOTTOM;
	pass->key[1] = (uintptr_t)frame;
	return pass__add(pass, 1, part);
}

/* Appends the frame to the key of a traceback. */
static int pass__push(struct pass *pass, uint32_t nframes, const struct placed_frame *placed)
{
	if (nframes + 2 > pass->key_room) {
		size_t room = 2 * pass->key_room;
		struct frame_place *places;
		uintptr_t *key;

		key = reallocarray(pass->key, room, sizeof(*key));
		if (!key)
			return -ENOMEM;
		pass->key = key;
		places = reallocarray(pass->places, room, sizeof(*places));
		if (!places)
			return -ENOMEM;
		pass->places = places;
		pass->key_room = room;
	}
	pass->key[1 + nframes] = (uintptr_t)placed->frame;
	pass->places[nframes] = placed->place;
	return 0;
}

static int pass__add_traceback(struct pass *pass, const struct names_stack *stack,
			       const struct part *part)
{
	const struct placed_location *location;
	uint32_t nframes = 0;
	int err;

	for (uint32_t i = 0; i < stack->nlocations; i++) {
		location = pass__location(pass, stack->locations[i]);
		if (!location)
			return -ENOMEM;
		for (uint32_t j = 0; j < location->nframes; j++) {
			err = pass__push(pass, nframes++, &location->frames[j]);
			if (err)
				return err;
		}
	}
	pass->key[0] = stack->stop;
	return pass__add(pass, nframes, part);
}

static int pass__add_cumulative(struct pass *pass, const struct names_stack *stack,
				const struct part *part)
{
	const struct placed_location *location;
	int err;

	for (uint32_t i = 0; i < stack->nlocations; i++) {
		location = pass__location(pass, stack->locations[i]);
		if (!location)
			return -ENOMEM;
		for (uint32_t j = 0; j < location->nframes; j++) {
			err = pass__add_frame(pass, location->frames[j].frame, part);
			if (err)
				return err;
		}
	}
	return 0;
}

/* The frame that an allocation belongs to (see statistics.h). NULL: no memory. */
static const struct placed_frame *pass__outside_wrappers(struct pass *pass,
							 const struct names_stack *stack)
{
	const struct placed_frame *innermost = NULL, *with_line = NULL;
	const struct placed_location *location;

	for (uint32_t i = 0; i < stack->nlocations; i++) {
		location = pass__location(pass, stack->locations[i]);
		if (!location)
			return NULL;
		for (uint32_t j = 0; j < location->nframes; j++) {
			const struct placed_frame *placed = &location->frames[j];

			if (!placed->wrapper)
				return placed;
			if (!innermost)
				innermost = placed;
			if (placed->has_line)
				with_line = placed;
		}
	}
	return with_line ? with_line : innermost;
}

/* A stack of which nothing is known is one unknown location. */
static struct names_stack pass__stack(const struct pass *pass, uint32_t index)
{
	static const uint32_t unknown = 0;
	struct names_stack stack = names__get_stack(pass->names, index);

	if (!stack.nlocations) {
		stack.locations = &unknown;
		stack.nlocations = 1;
	}
	return stack;
}

static int pass__add_stack(struct pass *pass, uint32_t index, const struct part *part)
{
	struct names_stack stack = pass__stack(pass, index);
	const struct placed_frame *placed;

	if (pass->grouping->opts->group_by == GROUP_BY_TRACEBACK)
		return pass__add_traceback(pass, &stack, part);
	if (pass->grouping->opts->cumulative)
		return pass__add_cumulative(pass, &stack, part);
	placed = pass__outside_wrappers(pass, &stack);
	return placed ? pass__add_frame(pass, placed->frame, part) : -ENOMEM;
}

/* What the filters of files say of the stack. */
static int pass__match_stack(struct pass *pass, uint32_t index)
{
	struct placed_stack *placed_stack = &pass->stacks[index];
	struct names_stack stack = pass__stack(pass, index);
	const struct placed_location *location;
	const struct placed_frame *placed;

	if (placed_stack->matched)
		return 0;
	placed_stack->matched = true;
	if (!pass->grouping->opts->all_frames) {
		placed = pass__outside_wrappers(pass, &stack);
		if (!placed)
			return -ENOMEM;
		placed_stack->matches = placed->matches;
		return 0;
	}
	for (uint32_t i = 0; i < stack.nlocations; i++) {
		location = pass__location(pass, stack.locations[i]);
		if (!location)
			return -ENOMEM;
		for (uint32_t j = 0; j < location->nframes; j++)
			placed_stack->matches |= location->frames[j].matches;
	}
	return 0;
}

/* What the trace's process has to do with its group. */
static enum member_rank pass__rank(const struct pass *pass, const struct trace *trace)
{
	if (!trace->size && !trace->count)
		return MEMBER_ALLOCATED;
	return pass->before ? MEMBER_HELD : MEMBER_HOLDS;
}

/* By process or cgroup: the stack plays no part. */
static int pass__add_to_owner(struct pass *pass, const struct process_entry *process,
			      const struct part *part)
{
	const char *cgroup = process ? process_entry__shown(process)->process->cgroup : NULL;

	if (pass->grouping->opts->group_by == GROUP_BY_PROCESS) {
		pass->key[1] = (uintptr_t)process;
	} else {
		if (pass__string(pass, &cgroup))
			return -ENOMEM;
		pass->key[1] = (uintptr_t)cgroup;
	}
	pass->key[0] = STOP_BOTTOM;
	return pass__add(pass, 1, part);
}

/* Adds the trace to its stack's part, or to the groups. */
static int pass__add_part(struct pass *pass, const struct trace *trace, const struct sum *sum)
{
	const struct statistics_opts *opts = pass->grouping->opts;
	const struct process_entry *process =
		trace->process < pass->nprocesses ? pass->processes[trace->process] : NULL;
	const struct stat_process *shown = process ? process_entry__shown(process) : NULL;
	const struct part part = {
		.sum = *sum,
		.members = { .items = &shown, .count = shown ? 1 : 0,
			     .rank = pass__rank(pass, trace) },
	};
	struct placed_stack *stack = &pass->stacks[trace->stack];

	pass->size_class = trace->size_class;
	if (opts->group_by == GROUP_BY_PROCESS || opts->group_by == GROUP_BY_CGROUP)
		return pass__add_to_owner(pass, process, &part);
	/* A histogram needs the size class, which a stack's sum has not. */
	if (opts->histogram)
		return pass__add_stack(pass, trace->stack, &part);
	sum__add(&stack->part.sum, sum);
	return members__add_all(&stack->part.members, &part.members);
}

/* Adds the trace to what counts, or to what is filtered out. */
static int pass__add_trace(struct pass *pass, const struct trace *trace)
{
	const struct statistics_opts *opts = pass->grouping->opts;
	const struct sum sum = sum__of_trace(trace);
	uint8_t matches;
	int err;

	if (opts->nfilters) {
		err = pass__match_stack(pass, trace->stack);
		if (err)
			return err;
		matches = pass->stacks[trace->stack].matches |
			  filters__match_domain(opts, trace->domain);
		if (!filters__pass(opts, matches)) {
			if (!pass->before)
				sum__add(&pass->grouping->filtered, &sum);
			return 0;
		}
	}
	return pass__add_part(pass, trace, &sum);
}

static int pass__add_traces(struct pass *pass, const struct snapshot *snapshot)
{
	uint32_t nstacks = names__nstacks(pass->names);
	int err = 0;

	/* Traces of several processes share stacks: add these up first. */
	for (size_t i = 0; i < snapshot->ntraces && !err; i++)
		err = pass__add_trace(pass, &snapshot->traces[i]);
	for (uint32_t i = 0; i < nstacks && !err; i++) {
		const struct part *part = &pass->stacks[i].part;

		if (part->sum.size || part->sum.count || part->sum.alloc_size ||
		    part->sum.alloc_count)
			err = pass__add_stack(pass, i, part);
	}
	return err;
}

/* Which process is which, in both snapshots. */
static int pass__add_processes(struct pass *pass, const struct snapshot *snapshot)
{
	pass->processes = calloc(snapshot->nprocesses + 1, sizeof(*pass->processes));
	if (!pass->processes)
		return -ENOMEM;
	for (size_t i = 0; i < snapshot->nprocesses; i++) {
		const struct snapshot_process *process = &snapshot->processes[i];
		const char *comm = process->comm;

		if (pass__string(pass, &comm))
			return -ENOMEM;
		pass->processes[i] =
			process_entry__get(&pass->grouping->processes, process, comm);
		if (!pass->processes[i])
			return -ENOMEM;
		process_entry__set(pass->processes[i], process, pass->before);
		pass->nprocesses++;
	}
	return 0;
}

/* In filters "?" is a character, as for Python, not a byte. Wildcards cost more that way. */
static int pass__run(struct pass *pass, const struct snapshot *snapshot)
{
	locale_t utf8 = (locale_t)0, old;
	int err = pass__add_processes(pass, snapshot);

	if (err)
		return err;

	if (pass->grouping->opts->nfilters)
		utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
	if (!utf8)
		return pass__add_traces(pass, snapshot);
	old = uselocale(utf8);
	err = pass__add_traces(pass, snapshot);
	uselocale(old);
	freelocale(utf8);
	return err;
}

int grouping__add(struct grouping *grouping, const struct snapshot *snapshot, bool before)
{
	struct pass pass = {
		.grouping = grouping,
		.names = snapshot->names,
		.before = before,
		.key_room = 1 + MAX_FRAMES,
	};
	uint32_t nlocations = names__nlocations(pass.names), nstacks = names__nstacks(pass.names);
	int err = -ENOMEM;

	pass.locations = calloc(nlocations, sizeof(*pass.locations));
	pass.stacks = calloc(nstacks, sizeof(*pass.stacks));
	pass.key = calloc(pass.key_room, sizeof(*pass.key));
	pass.places = calloc(pass.key_room, sizeof(*pass.places));
	if (pass.locations && pass.stacks && pass.key && pass.places)
		err = pass__run(&pass, snapshot);
	for (uint32_t i = 0; pass.locations && i < nlocations; i++)
		free(pass.locations[i].frames);
	for (uint32_t i = 0; pass.stacks && i < nstacks; i++)
		members__release(&pass.stacks[i].part.members);
	free(pass.locations);
	free(pass.stacks);
	free(pass.processes);
	free(pass.key);
	free(pass.places);
	return err;
}

struct grouping *grouping__new(struct names *names, const struct statistics_opts *opts,
			       bool by_module)
{
	struct grouping *grouping = calloc(1, sizeof(*grouping));

	if (!grouping)
		return NULL;
	grouping->opts = opts;
	grouping->names = names;
	grouping->frames = (struct frames){ .group_by = opts->group_by, .by_module = by_module };
	if (wrappers__init(&grouping->wrappers, opts->cumulative ? NULL : opts->wrappers)) {
		free(grouping);
		return NULL;
	}
	return grouping;
}

void grouping__free(struct grouping *grouping)
{
	struct group *group, *next_group;

	if (!grouping)
		return;
	HASH_ITER(hh, grouping->groups, group, next_group) {
		HASH_DEL(grouping->groups, group);
		group__free(group);
	}
	frames__release(&grouping->frames);
	process_entries__free(grouping->processes);
	wrappers__release(&grouping->wrappers);
	free(grouping);
}
