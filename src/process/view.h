/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What somebody sees of the file system: a root directory, and the rights to open what is below it.
 * Is kept when the process is gone.
 */
#ifndef MT_VIEW_H
#define MT_VIEW_H

#include <stdbool.h>
#include <sys/types.h>

struct roots;
struct view;

/* With one user. NULL: the process is gone, or no memory. */
struct view *view__of_process(struct roots *roots, pid_t pid);
/* Our root, with the rights of who runs us; under sudo of who called that. NULL: no memory. */
struct view *view__of_caller(struct roots *roots);
struct view *view__use(struct view *view);	/* by one more; takes NULL */
void view__release(struct view *view);		/* by one of its users; takes NULL */

/* Looks again at the rights of a process that lives. */
void view__refresh(struct view *view);
/* Both see the same files, now. */
bool view__equal(const struct view *a, const struct view *b);
/* Below our own root directory. */
bool view__is_of_our_root(const struct view *view);

/* Whose rights they are, as a number of our own user namespace. */
uid_t view__user(const struct view *view);

/* As path__open_below(); -EACCES also where we may not act for the owner. */
int view__open(const struct view *view, const char *path);

#endif
