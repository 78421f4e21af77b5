/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The books of memory that programs map themselves, kept here from the kernel half's words: the
 * ranges of each process, and what follows from them for its totals and its places. All functions
 * take NULL for books that nobody asked for, and may be called from any thread.
 */
#ifndef MT_COLLECT_MAPPED_H
#define MT_COLLECT_MAPPED_H

#include "collect/tables.h"

struct mapped;

int mapped__new(struct tables *tables, struct mapped **mapped);
void mapped__free(struct mapped *mapped);

/* Readable when the kernel half has said something; -1: it never will. */
int mapped__fd(const struct mapped *mapped);
/* Brings the books up to now. */
void mapped__drain(struct mapped *mapped);

/* From one to the other the books stay as they are. */
void mapped__lock(struct mapped *mapped);
void mapped__unlock(struct mapped *mapped);
/* The process' books are closed, or all begin anew; locked. */
void mapped__forget(struct mapped *mapped, uint32_t process);
void mapped__clear(struct mapped *mapped);

/* Adds the ranges to what is known of blocks. */
void mapped__read_ages(struct mapped *mapped, struct block_ages *ages);
/* The range of the process that holds the address. */
bool mapped__find(struct mapped *mapped, uint32_t process, uint64_t address,
		  struct found_block *found);

#endif
