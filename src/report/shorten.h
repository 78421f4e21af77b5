/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names made short enough for a line of a terminal. */
#ifndef MT_REPORT_SHORTEN_H
#define MT_REPORT_SHORTEN_H

/*
 * A copy of a demangled name without what is between brackets: "f(int)" becomes "f",
 * "std::vector<int>::push_back(int&&)" becomes "std::vector<…>::push_back". Rust's
 * "<T as Trait>::method", "operator()" and "(anonymous namespace)" stay. The caller frees; NULL: no
 * memory.
 */
char *shorten_function(const char *name);

/* What `text` takes of a line: its characters, in UTF-8. */
int text_width(const char *text);

/*
 * The end of `path` that fits in `width` characters, from a slash on where there is one; *cut says
 * whether something is missing, for which the caller writes one more character. The result points
 * into `path`.
 */
const char *shorten_path(const char *path, int width, _Bool *cut);

#endif
