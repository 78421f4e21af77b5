/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Words to the person at the terminal: one line on stderr each, whatever the names in it are made
 * of: see write_text().
 */
#ifndef MT_BASE_LOG_H
#define MT_BASE_LOG_H

/* Errors and warnings are always printed, prefixed "memtracebpf: "; no newline in fmt. */
void log__error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log__warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Printed as it is, without a prefix. */
void log__info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Printed only after log__set_verbose(n >= 1). */
void log__verbose(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log__set_verbose(int level);
int log__verbosity(void);

#endif
