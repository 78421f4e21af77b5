/* SPDX-License-Identifier: GPL-2.0-or-later */
/* uthash that reports a lack of memory instead of ending the process. */
#ifndef MT_SNAPSHOT_HASH_H
#define MT_SNAPSHOT_HASH_H

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#define GOLDEN 0x9e3779b97f4a7c15ULL	/* 2^64 / golden ratio: Knuth, volume 3, 6.4 */

/* After HASH_ADD*: did the entry get in? (uthash clears tbl when it had no memory.) */
#define HASH_ADDED(entry) ((entry)->hh.tbl != NULL)

#endif
