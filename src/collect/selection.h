/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From what the user asked for to what the kernel half compares. */
#ifndef MT_COLLECT_SELECTION_H
#define MT_COLLECT_SELECTION_H

#include "collect/collect.h"
#include "collect/tables.h"

/* Which kinds of selection there are: enum select_by. */
uint32_t selection__kinds(const struct collect_opts *opts);
/* Fills the kernel half's tables of names, users and cgroups. On failure one sentence, -errno. */
int selection__apply(const struct collect_opts *opts, struct tables *tables);
/* Selects a process by its number, beside the other kinds. */
int selection__add_pid(struct tables *tables, pid_t pid);
/* Follows the children, and theirs, that what is followed has already. 0 or -errno. */
int selection__adopt_children(struct tables *tables);
/* Children of what is followed run, with --follow-fork; they may not have allocated yet. */
bool selection__has_children(const struct tables *tables);
/* See collector__size_at_fork(). */
uint64_t selection__size_at_fork(const struct tables *tables, pid_t pid);

#endif
