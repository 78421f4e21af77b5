/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef MT_COVERAGE_LAYOUT_H
#define MT_COVERAGE_LAYOUT_H

#include <stdbool.h>
#include <sys/types.h>

/* A sentence about where the process' anonymous memory lies. `mmap_followed`: what it maps itself is
 * tracked, too. The caller frees; NULL: there is nothing to say, or no memory. */
char *layout__explain(pid_t pid, bool mmap_followed);

#endif
