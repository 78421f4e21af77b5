/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef MT_REPORT_LOSSES_H
#define MT_REPORT_LOSSES_H

#include <stdio.h>

#include "snapshot/snapshot.h"

/*
 * The processes that died while they were traced. Then a line for each cause of a loss: how many, why, in which file, and what it does to the report. What
 * is below a thousandth of all allocations shares one line. Then the snapshot's note.
 */
void write_lost(FILE *out, const struct snapshot *snapshot);

#endif
