// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/progress.h"

#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"

#define SILENCE_NS 500000000ULL
#define STEP_NS 100000000ULL
#define ERASE_LINE "\x1b[K"

void progress__begin(struct progress *progress, const char *what, const char *of, size_t total)
{
	*progress = (struct progress){
		.what = what,
		.of = of,
		.total = total,
		.began_ns = clock_ns(CLOCK_MONOTONIC),
		.terminal = isatty(STDERR_FILENO),
	};
}

void progress__step(struct progress *progress, size_t done)
{
	uint64_t now = progress->terminal ? clock_ns(CLOCK_MONOTONIC) : 0;

	if (!progress->terminal || now - progress->began_ns < SILENCE_NS ||
	    now - progress->shown_ns < STEP_NS)
		return;
	progress->shown_ns = now;
	/* The next line, whoever writes it, begins at the left. */
	fprintf(stderr, "%s: %zu of %zu %s" ERASE_LINE "\r", progress->what, done, progress->total,
		progress->of);
}

void progress__end(struct progress *progress)
{
	if (progress->shown_ns)
		fputs(ERASE_LINE, stderr);
}
