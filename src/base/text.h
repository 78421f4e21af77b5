/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names of unknown origin on the way to a terminal. */
#ifndef MT_BASE_TEXT_H
#define MT_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Length of the UTF-8 sequence at s and its code point; 0: none that RFC 3629 allows. */
size_t text__next(const char *s, uint32_t *code);

/* No control character (C0, DEL, C1), line separator or mark that turns the direction. */
bool text__is_harmless(uint32_t code);

/* What is not valid UTF-8 or not harmless becomes \xNN. */
void write_text(FILE *out, const char *s);

#endif
