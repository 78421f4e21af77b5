/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who made a file chose its build id and its path: only what is in it tells that it is a copy. */
#ifndef MT_IDENTICAL_H
#define MT_IDENTICAL_H

#include "collect/modules.h"

/*
 * Do both files consist of the same bytes, belong to the same user, who could change either at any
 * time, and have all names from the same files? Reads both of them; `symbolizer` finds their debug
 * files. False where they are too large to be read.
 */
bool module__is_identical(struct symbolizer *symbolizer, const struct module *a,
			  const struct module *b);

#endif
