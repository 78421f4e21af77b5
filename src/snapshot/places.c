// SPDX-License-Identifier: GPL-2.0-or-later
#include "snapshot/places.h"

#include <errno.h>
#include <stdlib.h>

#include "base/array.h"
#include "snapshot/filter.h"

int places__grow(struct places *places)
{
	uint32_t nlocations = names__nlocations(places->names);
	uint32_t nstacks = names__nstacks(places->names);

	if (nlocations > places->nlocations) {
		if (array__enlarge(&places->locations, places->nlocations, nlocations,
				   sizeof(*places->locations)))
			return -ENOMEM;
		places->nlocations = nlocations;
	}
	if (nstacks > places->nstacks) {
		if (array__enlarge(&places->stacks, places->nstacks, nstacks,
				   sizeof(*places->stacks)))
			return -ENOMEM;
		places->nstacks = nstacks;
	}
	return 0;
}

void places__free(struct places *places)
{
	if (!places)
		return;
	for (uint32_t i = 0; i < places->nlocations; i++)
		free(places->locations[i].frames);
	free(places->locations);
	free(places->stacks);
	free(places);
}

int places__string(const struct places *places, const char **s)
{
	if (places->names == places->strings || !*s)
		return 0;
	*s = names__string(places->strings, *s);
	return *s ? 0 : -ENOMEM;
}

static int place_frame(struct places *places, const struct names_location *location,
		       const struct names_frame *named, struct placed_frame *placed)
{
	const struct names_module *module = names__get_module(places->names, location->module);
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

	if (places__string(places, &frame.function) || places__string(places, &frame.file) ||
	    places__string(places, &frame.module) || places__string(places, &frame.build_id))
		return -ENOMEM;
	placed->wrapper = wrappers__match(places->wrappers, &frame);
	placed->place = (struct frame_place){ frame.module, frame.offset };
	placed->has_line = frame.line;
	placed->matches = filters__match_frame(places->opts, frame.file, frame.line);
	placed->frame = frames__get(places->frames, frame);
	return placed->frame ? 0 : -ENOMEM;
}

const struct placed_location *places__location(struct places *places, uint32_t index)
{
	struct placed_location *placed = &places->locations[index];
	const struct names_location *location = names__get_location(places->names, index);
	const struct names_frame unknown = {};

	if (placed->frames)
		return placed;
	placed->nframes = location->nframes ? location->nframes : 1;
	placed->frames = calloc(placed->nframes, sizeof(*placed->frames));
	if (!placed->frames)
		return NULL;
	for (uint32_t i = 0; i < placed->nframes; i++)
		if (place_frame(places, location,
				location->nframes ? &location->frames[i] : &unknown,
				&placed->frames[i]))
			return NULL;
	return placed;
}

struct names_stack places__stack(const struct places *places, uint32_t index)
{
	static const uint32_t unknown = 0;
	struct names_stack stack = names__get_stack(places->names, index);

	if (!stack.nlocations) {
		stack.locations = &unknown;
		stack.nlocations = 1;
	}
	return stack;
}

const struct placed_frame *places__outside_wrappers(struct places *places,
						    const struct names_stack *stack)
{
	const struct placed_frame *innermost = NULL, *with_line = NULL, *outside = NULL;
	const struct placed_location *location;

	for (uint32_t i = 0; i < stack->nlocations; i++) {
		location = places__location(places, stack->locations[i]);
		if (!location)
			return NULL;
		for (uint32_t j = 0; j < location->nframes; j++) {
			const struct placed_frame *placed = &location->frames[j];

			if (placed->wrapper == WRAPPER_WITHIN)
				outside = NULL;
			else if (!placed->wrapper && !outside)
				outside = placed;
			if (!innermost)
				innermost = placed;
			if (placed->has_line)
				with_line = placed;
		}
	}
	if (outside)
		return outside;
	return with_line ? with_line : innermost;
}

static int match_stack(struct places *places, const struct names_stack *stack, uint8_t *matches)
{
	const struct placed_location *location;
	const struct placed_frame *placed;

	if (!places->opts->all_frames) {
		placed = places__outside_wrappers(places, stack);
		if (!placed)
			return -ENOMEM;
		*matches = placed->matches;
		return 0;
	}
	for (uint32_t i = 0; i < stack->nlocations; i++) {
		location = places__location(places, stack->locations[i]);
		if (!location)
			return -ENOMEM;
		for (uint32_t j = 0; j < location->nframes; j++)
			*matches |= location->frames[j].matches;
	}
	return 0;
}

int places__match_stack(struct places *places, uint32_t index, uint8_t *matches)
{
	struct placed_stack *placed = &places->stacks[index];
	struct names_stack stack = places__stack(places, index);
	int err = placed->matched ? 0 : match_stack(places, &stack, &placed->matches);

	placed->matched = true;
	*matches = placed->matches;
	return err;
}
