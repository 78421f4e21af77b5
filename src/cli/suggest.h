/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef MT_CLI_SUGGEST_H
#define MT_CLI_SUGGEST_H

#include <stddef.h>

/*
 * The one of `names` (NULL-terminated) that `word` was probably meant to be: no more than a third
 * of its letters were added, left out or exchanged. NULL: none is that near.
 */
const char *suggest(const char *word, const char *const *names);

#endif
