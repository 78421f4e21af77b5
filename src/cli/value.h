/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Values of options: read in full or refused, never cut to fit. */
#ifndef MT_CLI_VALUE_H
#define MT_CLI_VALUE_H

#include <stdbool.h>
#include <stdint.h>

/* Decimal digits, min..max. */
bool value__number(const char *text, uint64_t min, uint64_t max, uint64_t *number);
/* Hexadecimal with 0x, or decimal; not 0. */
bool value__address(const char *text, uint64_t *address);
/* Bytes, with K, M or G for powers of 1024. */
bool value__bytes(const char *text, uint64_t *bytes);
/* Seconds, or with ms, s, m, h or d; up to nine digits of fraction, min..max nanoseconds. */
bool value__seconds(const char *text, uint64_t min_ns, uint64_t max_ns, uint64_t *ns);

#endif
