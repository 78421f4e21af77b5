// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"

static int verbosity;

void log__set_verbose(int level)
{
	verbosity = level;
}

int log__verbosity(void)
{
	return verbosity;
}

static void print(const char *prefix, const char *fmt, va_list args)
{
	char *text;

	if (vasprintf(&text, fmt, args) < 0)
		text = NULL;
	flockfile(stderr);
	fputs(prefix, stderr);
	write_text(stderr, text ? text : fmt);
	fputc('\n', stderr);
	funlockfile(stderr);
	free(text);
}

#define PRINT(prefix)                                                                              \
	do {                                                                                       \
		va_list args;                                                                      \
		va_start(args, fmt);                                                               \
		print(prefix, fmt, args);                                                          \
		va_end(args);                                                                      \
	} while (0)

void log__error(const char *fmt, ...)
{
	PRINT("memtracebpf: ");
}

void log__warn(const char *fmt, ...)
{
	PRINT("memtracebpf: warning: ");
}

void log__info(const char *fmt, ...)
{
	PRINT("");
}

void log__verbose(const char *fmt, ...)
{
	if (verbosity)
		PRINT("");
}
