// SPDX-License-Identifier: GPL-2.0-or-later
#include "collect/site_stacks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"

/* What was looked up for a site, while it was this process'. */
struct known_stack {
	uint32_t stack;		/* index of names' stacks; 0: not yet looked up */
	uint32_t owner;		/* low half of the process' id */
	uint32_t nameless;	/* 1 + the version of the map that lacks a name; 0: none does */
};

struct site_stacks {
	struct tables *tables;
	struct modules *modules;
	struct names *names;
	struct known_stack *items;	/* by site */
	uint32_t count;
};

/* Of one lookup. */
struct lookup {
	const struct site *site;
	struct jit_map *jit;
	const struct mapping *last;	/* of the frame before, which often is this one's, too */
	bool whole;			/* no file has yet to be read */
	bool nameless;
};

struct site_stacks *site_stacks__new(struct tables *tables, struct modules *modules,
				     struct names *names)
{
	struct site_stacks *stacks = calloc(1, sizeof(*stacks));

	if (!stacks)
		return NULL;
	stacks->tables = tables;
	stacks->modules = modules;
	stacks->names = names;
	return stacks;
}

void site_stacks__clear(struct site_stacks *stacks)
{
	if (stacks->count)
		memset(stacks->items, 0, stacks->count * sizeof(*stacks->items));
}

void site_stacks__free(struct site_stacks *stacks)
{
	if (stacks)
		free(stacks->items);
	free(stacks);
}

/* Stacks of sites that are others' by now are not asked for again. */
void site_stacks__use_names(struct site_stacks *stacks)
{
	for (uint32_t id = 1; id < stacks->count; id++) {
		const struct site *site = tables__site(stacks->tables, id);
		struct known_stack *known = &stacks->items[id];

		if (known->owner && site &&
		    known->owner == (uint32_t)stacks->tables->processes[site->process].id)
			names__use_stack(stacks->names, known->stack);
		else
			*known = (struct known_stack){};
	}
}

/* Room for what is known of the site: they come while we read. */
static int reserve(struct site_stacks *stacks, uint32_t site)
{
	uint32_t nsites = tables__nsites(stacks->tables);

	if (site < stacks->count)
		return 0;
	if (nsites <= site)
		nsites = site + 1;
	if (array__enlarge(&stacks->items, stacks->count, nsites, sizeof(*stacks->items)))
		return -ENOMEM;
	stacks->count = nsites;
	return 0;
}

static bool is_in(const struct mapping *m, uint32_t epoch, uint64_t address)
{
	return m->epoch == epoch && address >= m->start && address < m->end;
}

/* The mapping that held the address during the epoch, or NULL. */
static const struct mapping *find_mapping(const struct tables *tables, uint32_t process,
					  uint32_t epoch, uint64_t address)
{
	uint32_t index = __atomic_load_n(&tables->processes[process].mappings, __ATOMIC_ACQUIRE);
	const struct mapping *m;

	for (; index && (m = tables__mapping(tables, index)); index = m->next)
		if (is_in(m, epoch, address))
			return m;
	return NULL;
}

/* An address in code that was made at run time. Each process has a map of its own, under a name
 * that may be another's, too; one address may be of several functions in turn. */
static int made_location(struct site_stacks *stacks, const struct lookup *lookup, uint64_t pc,
			 bool exact, const char *function, uint32_t *location)
{
	const struct names_frame frame = { .function = names__string(stacks->names, function) };
	uint64_t process = stacks->tables->processes[lookup->site->process].id;
	const struct names_location *known;
	uint32_t module;
	int err;

	if (!frame.function)
		return -ENOMEM;
	err = names__module_copy(stacks->names, jit_map__path(lookup->jit), NULL, process, &module);
	if (!err)
		err = names__location(stacks->names, module, pc, exact, location);
	if (err)
		return err;
	known = names__get_location(stacks->names, *location);
	if (known->nframes && known->frames[0].function == frame.function)
		return 0;
	if (known->nframes)
		err = names__add_location(stacks->names, module, pc, exact, location);
	return err ? err : names__set_frames(stacks->names, *location, &frame, 1);
}

static int location_of(struct site_stacks *stacks, struct lookup *lookup, uint64_t word,
		       uint32_t *location)
{
	bool exact = word >> FRAME_TAG_SHIFT == FRAME_EXACT;
	uint64_t pc = word & FRAME_PC_MASK;
	uint64_t address = exact ? pc : pc - 1;	/* a call at a mapping's very end returns past it */
	const struct site *site = lookup->site;
	const struct mapping *m = lookup->last && is_in(lookup->last, site->epoch, address) ?
				  lookup->last : find_mapping(stacks->tables, site->process,
							      site->epoch, address);
	struct module *module = m ? modules__get(stacks->modules, m->file) : NULL;
	const char *function;

	lookup->last = m;
	if (module)
		return names__location(stacks->names, modules__name(stacks->modules, module),
				       pc - m->bias, exact, location);
	function = m ? NULL : jit_map__find(lookup->jit, address);
	if (function)
		return made_location(stacks, lookup, pc, exact, function, location);
	lookup->whole &= !m;
	lookup->nameless |= !m;
	return names__location(stacks->names, 0, pc, exact, location);
}

static int look_up(struct site_stacks *stacks, struct lookup *lookup, const uint64_t *words,
		   uint32_t *stack)
{
	uint32_t locations[2 * MAX_FRAMES], nlocations = 0;
	int err = 0;

	for (uint32_t i = 0; i < lookup->site->nframes && !err; i++) {
		if (words[i] >> FRAME_TAG_SHIFT == FRAME_GAP)
			err = names__gap(stacks->names, &locations[nlocations++]);
		if (!err)
			err = location_of(stacks, lookup, words[i], &locations[nlocations++]);
	}
	return err ? err : names__stack(stacks->names, locations, nlocations, lookup->site->stop,
					stack);
}

int site_stacks__get(struct site_stacks *stacks, uint32_t id, struct jit_map *jit,
		     uint32_t *stack, bool *nameless)
{
	struct lookup lookup = {
		.site = tables__site(stacks->tables, id), .jit = jit, .whole = true
	};
	uint32_t owner = stacks->tables->processes[lookup.site->process].id;
	const uint64_t *words = tables__frames(stacks->tables, lookup.site->frames);
	struct known_stack *known;
	int err = reserve(stacks, id);

	*stack = 0;
	if (err)
		return err;
	known = &stacks->items[id];
	if (known->owner == owner && known->stack && known->nameless)
		*nameless = true;
	if (known->owner == owner &&
	    (!known->nameless || known->nameless == jit_map__look(jit) + 1))
		*stack = known->stack;
	if (*stack || !words || lookup.site->nframes > MAX_FRAMES)
		return 0;
	err = look_up(stacks, &lookup, words, stack);
	if (err)
		return err;
	if (lookup.nameless)
		*nameless = true;
	if (!lookup.whole)
		return -EAGAIN;
	*known = (struct known_stack){ .stack = *stack, .owner = owner };
	if (lookup.nameless)
		known->nameless = jit_map__look(jit) + 1;
	return 0;
}
