/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a group or a place is called in front of people. */
#ifndef MT_REPORT_LABEL_H
#define MT_REPORT_LABEL_H

#include <stdio.h>

#include "snapshot/statistics.h"

/* A file below the current directory is named from there. */
void write_file(FILE *out, const char *file);
/* "function (module+0x12)", for a frame without a line. */
void write_place(FILE *out, const struct stat_frame *frame);
/* A place's name: "src/dict.c:214", "dictAdd (src/dict.c)", "/lib/x.so", "<unknown>:0". */
void write_label(FILE *out, const struct stat_frame *frame, enum group_by group_by);
/* The group's name: that of its place, its process or its cgroup. Not of tracebacks. */
void write_group(FILE *out, const struct statistic *item, enum group_by group_by);

#endif
