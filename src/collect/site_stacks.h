/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From a site's addresses to a stack of names: looked up when it is first seen. */
#ifndef MT_COLLECT_SITE_STACKS_H
#define MT_COLLECT_SITE_STACKS_H

#include "collect/jit_map.h"
#include "collect/modules.h"
#include "collect/tables.h"
#include "snapshot/snapshot.h"

struct site_stacks;

/* All stay the caller's and outlive it. NULL: no memory. */
struct site_stacks *site_stacks__new(struct tables *tables, struct modules *modules,
				     struct names *names);
void site_stacks__free(struct site_stacks *stacks);	/* takes NULL */
/* Forgets what was looked up: the tables were cleared. */
void site_stacks__clear(struct site_stacks *stacks);

/*
 * The stack of a site that there is, as an index of names' stacks; 0: none. `jit` is of the site's
 * process, or NULL. *nameless is set where its map, which may grow, has no name for a frame.
 * -EAGAIN: a file has yet to be read; the stack will be known better.
 */
int site_stacks__get(struct site_stacks *stacks, uint32_t site, struct jit_map *jit,
		     uint32_t *stack, bool *nameless);

/* See names__begin_forgetting(). */
void site_stacks__use_names(struct site_stacks *stacks);

#endif
