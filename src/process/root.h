/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Root directories, of targets and our own, as descriptors: by its number a process may be another
 * one by now. Processes that have the same one share it. Any thread may call these.
 */
#ifndef MT_PROCESS_ROOT_H
#define MT_PROCESS_ROOT_H

#include <sys/types.h>

struct root;
struct roots;

struct roots *roots__new(void);		/* NULL: no memory */
void roots__free(struct roots *roots);	/* after all of its roots were released; takes NULL */

/* The directory, with one more user. NULL where it cannot be opened; errno says why. */
struct root *roots__open(struct roots *roots, const char *directory);
/* What is "/" to the process. */
struct root *roots__of_process(struct roots *roots, pid_t pid);
struct root *root__use(struct root *root);	/* by one more; takes NULL */
void root__release(struct root *root);		/* by one of its users; takes NULL */

/* O_PATH; is open as long as the root has users. */
int root__fd(const struct root *root);

#endif
