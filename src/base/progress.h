/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How far something is that takes long: a line on stderr, if that is a terminal, after half a second. */
#ifndef MT_BASE_PROGRESS_H
#define MT_BASE_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct progress {
	const char *what;	/* "naming" */
	const char *of;		/* "files" */
	size_t total;
	uint64_t began_ns, shown_ns;
	bool terminal;
};

/* `what` and `of` outlive it. */
void progress__begin(struct progress *progress, const char *what, const char *of, size_t total);
void progress__step(struct progress *progress, size_t done);
/* Takes the line away. */
void progress__end(struct progress *progress);

#endif
