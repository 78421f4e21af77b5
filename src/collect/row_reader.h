/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A thread that reads the unwind rows of files and gives them to the kernel half, each file's as
 * soon as they are there, small files first. It runs at the priority of the process that brought
 * the file, or at ours if that is lower.
 */
#ifndef MT_COLLECT_ROW_READER_H
#define MT_COLLECT_ROW_READER_H

#include "collect/modules.h"

struct row_reader;

/* All of these stay the caller's and outlive the reader. 0 or -errno. */
int row_reader__start(struct modules *modules, struct tables *tables,
		      struct symbolizer *symbolizer, struct row_reader **reader);
/* Ends the thread; takes NULL. */
void row_reader__stop(struct row_reader *reader);

/* There are modules whose rows are to be read. */
void row_reader__wake(struct row_reader *reader);
/* Waits until the kernel half has the rows of all modules. 0 or -errno. */
int row_reader__finish(struct row_reader *reader);
/* In between nothing is read, and modules can be dropped. */
void row_reader__pause(struct row_reader *reader);
void row_reader__resume(struct row_reader *reader);

#endif
