/* SPDX-License-Identifier: GPL-2.0-or-later */
/* By what a process shows that memory of its own is not that of a followed allocator. */
#ifndef MT_SIGNS_H
#define MT_SIGNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* For the search of all processes of one report, and of one of them; nanoseconds. */
#define SIGNS_NS 6000000000ULL
#define SIGNS_PROCESS_NS 2000000000ULL

enum sign_kind {
	SIGN_ALLOCATOR,		/* it hands out memory and may not be followed */
	SIGN_RUNTIME,		/* it has a heap of its own */
	SIGN_REFUSED,		/* nothing of it can be followed */
};

struct sign {
	const char *name;	/* "jemalloc", "Go" */
	enum sign_kind kind;
	const char *file;	/* fnmatch pattern for the last part of a mapped file's path; or NULL */
	const char *text;	/* in a mapped file with code; or NULL */
	/* For --allocator, where the file has these names; or NULL. */
	const char *functions;
	const char *advice;	/* what is seen of it, and what shows the rest */
};

/* Ends with one without a name. */
extern const struct sign signs[];

/*
 * Sentences about what the process shows: why its memory is not seen, and what leads on. Reads the
 * files that it maps, for as long as SIGNS_PROCESS_NS and *left_ns allow, and takes from the latter
 * what it took. The caller frees; NULL: nothing is known of it, or there is no memory.
 */
char *signs__explain(pid_t pid, uint64_t *left_ns);

/* Does it run a 32-bit program, which is never followed? */
bool signs__is_32_bit(pid_t pid);

#endif
