/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A workload's own books: which line holds how many blocks of which size, kept without a single
 * allocation, so that a tracer's report can be compared with them to the byte.
 *
 * A workload is a file with a table of scenarios; main() is in truth.c:
 *
 *	./alloc.fp entry_points
 *	< ready				everything is set up: attach now, then write a line
 *	> 
 *	< {"size":..., "lines":[...]}	the truth; the blocks are held until the next line or EOF
 *	> 
 */
#ifndef MT_TESTS_WORKLOADS_TRUTH_H
#define MT_TESTS_WORKLOADS_TRUTH_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Calls that the optimiser must leave alone: neither inlined, cloned, folded nor tail-called into. */
#ifdef __clang__
#define FRAME __attribute__((noinline))
#else
#define FRAME __attribute__((noinline, noipa))
#endif
/* After a call whose result is returned: keeps the call from becoming a jump. */
#define NOT_A_TAIL_CALL() __asm__ volatile("" ::: "memory")

/* The block `p` of `size` bytes was allocated on this line, which must be the call's. NULL is no
 * block. */
#define TAKE(p, size) truth_take(__FILE__, __LINE__, (uintptr_t)(p), (size))
/* The block is about to be freed, or handed to realloc. */
#define DROP(p) truth_drop((uintptr_t)(p))

/* ... to be freed before the thread that allocated it allocates again. */
#define DROP_TEMPORARY(p) (truth_temporary((uintptr_t)(p)), truth_drop((uintptr_t)(p)))

void truth_take(const char *file, int line, uintptr_t p, size_t size);
void truth_temporary(uintptr_t p);
void truth_drop(uintptr_t p);

/* Memory that is no block: so much more or less is this line's. */
void truth_change(const char *file, int line, long size, long count);

/* Writes `word` as a line and waits for one (or for EOF). */
void truth_wait(const char *word);
/* Writes the truth so far as a line of JSON and waits for one. */
void truth_tell(void);

struct scenario {
	const char *name;	/* NULL ends the table */
	void (*run)(int argc, char **argv);
};

extern const struct scenario scenarios[];

#ifdef __cplusplus
}
#endif

#endif
