/* SPDX-License-Identifier: GPL-2.0-or-later */
/* By what a process shows that memory of its own is not that of a followed allocator. */
#ifndef MT_SIGNS_H
#define MT_SIGNS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

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
 * files that it maps, which may take some tenths of a second. The caller frees; NULL: nothing is
 * known of it, or there is no memory.
 */
char *signs__explain(pid_t pid);

#endif
