/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a report says of how it came about. */
#ifndef MT_COLLECT_WORDS_H
#define MT_COLLECT_WORDS_H

#include "collect/collect.h"
#include "collect/processes.h"

#define WORDS_MAX 256

/* What is missing of a process that the user named; false: nothing. `process` may be NULL. */
bool words__missing(const struct collect_opts *opts, const struct traced *traced,
		    const struct process *process, char words[WORDS_MAX]);
/* "3 children were not followed: --follow-fork" */
void words__children(uint32_t nchildren, char words[WORDS_MAX]);
/* "every call of the allocator, by uprobe.session" */
void words__how(const struct collect_opts *opts, bool sessions, char words[WORDS_MAX]);

#endif
