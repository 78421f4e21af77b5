/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names of code made at run time, from the map that a runtime writes for perf: /tmp/perf-PID.map
 * (tools/perf/Documentation/jit-interface.txt of the kernel). It grows while the process runs, and
 * anybody may have written anything into it.
 */
#ifndef MT_COLLECT_JIT_MAP_H
#define MT_COLLECT_JIT_MAP_H

#include <stdint.h>
#include <sys/types.h>

struct jit_map;
struct view;

/* Of a process that lives, which sees files as `view`. NULL: the process is gone, or no memory. */
struct jit_map *jit_map__new(struct view *view, pid_t pid);
void jit_map__free(struct jit_map *map);	/* takes NULL */

/* Looks at the file, once until jit_map__rest(). Another number than before: it says something else
 * now; 0: there is none, or the map is NULL. */
uint32_t jit_map__look(struct jit_map *map);
/* The function around `address` in the file that was last looked at: the latest that the map has.
 * Valid until jit_map__rest(). NULL: none. */
const char *jit_map__find(struct jit_map *map, uint64_t address);
/* As the process sees it. */
const char *jit_map__path(const struct jit_map *map);
/* Gives back what was read. */
void jit_map__rest(struct jit_map *map);	/* takes NULL */

#endif
