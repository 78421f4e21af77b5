/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Small things that the formats share: sizes and strings of unknown origin. */
#ifndef MT_REPORT_FORMAT_H
#define MT_REPORT_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/text.h"

#define FORMAT_SIZE_MAX 32

/* As tracemalloc._format_size(): "4855 KiB", "+120 B". Returns `buffer`. */
const char *format_size(char buffer[FORMAT_SIZE_MAX], double size, bool sign);

#define FORMAT_SIGNAL_MAX 24

/* "SIGSEGV"; "signal 34" where it has no name. Returns `buffer`. */
const char *format_signal(char buffer[FORMAT_SIGNAL_MAX], uint32_t signal);

/* The smallest and the largest size of a size class. */
uint64_t size_class__min(unsigned int size_class);
uint64_t size_class__max(unsigned int size_class);

/* As write_text() in a cell of a table: what is wider ends in "…"; `pad`: what is narrower in blanks. */
void write_cell(FILE *out, const char *s, int width, bool pad);
/* A JSON string: what is not harmless is escaped, invalid UTF-8 becomes U+FFFD; null for NULL. */
void write_json_string(FILE *out, const char *s);

/* A copy with invalid UTF-8 replaced by U+FFFD; the caller frees. NULL: no memory. */
char *utf8__valid_copy(const char *s);

/* Flushes; the error that the stream has had so far. */
int finish_stream(FILE *out);

#endif
