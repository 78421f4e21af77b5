// SPDX-License-Identifier: GPL-2.0-or-later
#include "report/folded.h"

#include <inttypes.h>
#include <string.h>

#include "report/traceback.h"

#define BEHIND_MAX 80

/* Whose frame it is, as far as a reader cares. */
static const char *family_of(const struct stat_frame *frame)
{
	const char *module = frame->module ? frame->module : "";
	const char *file = frame->file ? frame->file : "";
	const char *function = frame->function ? frame->function : "";

	if (strstr(module, "/libc.so") || strstr(module, "/libc-2.") || strstr(module, "/ld-musl"))
		return "the C library";
	if (strstr(file, "/rustc/") || strstr(file, "/rustlib/") || strstr(file, "/library/std/"))
		return "the Rust library";
	if (strstr(file, "/c++/") || strstr(module, "/libstdc++") || strstr(module, "/libc++"))
		return "the C++ library";
	/* Of both languages' names only C++'s have their arguments. */
	if (strncmp(function, "std::", 5) && strncmp(function, "core::", 6) &&
	    strncmp(function, "alloc::", 7))
		return NULL;
	return strchr(function, '(') ? "the C++ library" : "the Rust library";
}

/* How many frames from `i` on are wrappers; *family: whose, or NULL where they are of several. */
static uint32_t run_length(const struct statistic *item, uint32_t i,
			   const struct wrappers *wrappers, const char **family)
{
	uint32_t n = 0;

	*family = NULL;
	for (; i + n < item->nframes; n++) {
		const struct stat_frame frame = statistic__frame(item, i + n);
		const char *own;

		if (wrappers__match(wrappers, &frame) == WRAPPER_NONE)
			break;
		own = family_of(&frame);
		*family = !n || *family == own ? own : NULL;
	}
	return n;
}

static void describe_run(char text[BEHIND_MAX], const char *prefix, uint32_t n, const char *family)
{
	snprintf(text, BEHIND_MAX, "%s%" PRIu32 " %sframe%s%s%s", prefix, n,
		 family ? "" : "library ", n == 1 ? "" : "s", family ? " of " : "",
		 family ? family : "");
}

struct stat_frame folded__first(const struct statistic *item, const struct wrappers *wrappers)
{
	const char *family;
	uint32_t n = run_length(item, 0, wrappers, &family);

	return statistic__frame(item, n < item->nframes ? n : 0);
}

void write_folded(FILE *out, const struct statistic *item, const struct report_opts *opts,
		  const struct wrappers *wrappers, folded_frame_fn *write_frame)
{
	uint32_t shown = 0, limit = opts->limit ? opts->limit : UINT32_MAX, i;
	char behind[BEHIND_MAX] = "";
	const char *family;
	uint32_t skipped = run_length(item, 0, wrappers, &family);

	if (skipped == item->nframes)	/* nothing else: show them */
		skipped = 0;
	else if (skipped)
		describe_run(behind, "  by way of ", skipped, family);
	for (i = skipped; i < item->nframes && shown < limit; shown++) {
		const struct stat_frame frame = statistic__frame(item, i);
		uint32_t run = i > skipped ? run_length(item, i, wrappers, &family) : 0;

		if (run > 1) {
			char text[BEHIND_MAX];

			describe_run(text, "    ", run, family);
			fprintf(out, "%s\n", text);
			i += run;
			continue;
		}
		write_frame(out, &frame, opts, behind);
		*behind = '\0';
		i++;
	}
	if (i == item->nframes)
		write_stopped(out, item);
}
