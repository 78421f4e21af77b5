/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Probes in all processes would be in ours, too. */
#ifndef MT_COLLECT_OWN_CODE_H
#define MT_COLLECT_OWN_CODE_H

#include "collect/modules.h"

/*
 * Before the module's functions are probed in all processes: puts copies in the place of those of
 * our pages that would carry the probes. A uprobe belongs to a file, and a copy is no file's; we
 * allocate a lot, and would pay for traps that tell nobody anything. If it cannot be done, we pay.
 */
void own_code__spare(const struct module *module);

#endif
