// SPDX-License-Identifier: GPL-2.0-or-later
#include "report/format.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *format_size(char buffer[FORMAT_SIZE_MAX], double size, bool sign)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
	const size_t last = sizeof(units) / sizeof(*units) - 1;
	size_t unit = 0;
	int digits;

	while (unit < last && fabs(size) >= 10 * 1024) {
		size /= 1024;
		unit++;
		/* Python looks for 3 digits first: 99.9 KiB, but 100 KiB. */
		if (fabs(size) < 100)
			break;
	}
	digits = unit && fabs(size) < 100;
	snprintf(buffer, FORMAT_SIZE_MAX, sign ? "%+.*f %s" : "%.*f %s", digits, size, units[unit]);
	return buffer;
}

const char *format_signal(char buffer[FORMAT_SIGNAL_MAX], uint32_t signal)
{
	const char *name = signal < NSIG ? sigabbrev_np(signal) : NULL;

	if (name)
		snprintf(buffer, FORMAT_SIGNAL_MAX, "SIG%s", name);
	else
		snprintf(buffer, FORMAT_SIGNAL_MAX, "signal %" PRIu32, signal);
	return buffer;
}

uint64_t size_class__min(unsigned int size_class)
{
	return size_class ? 1ULL << (size_class - 1) : 0;
}

uint64_t size_class__max(unsigned int size_class)
{
	return size_class ? UINT64_MAX >> (64 - size_class) : 0;
}

void write_cell(FILE *out, const char *s, int width, bool pad)
{
	char *text = NULL, *p;
	int characters = 0;
	size_t size;
	FILE *memory = open_memstream(&text, &size);

	if (memory) {
		write_text(memory, s);
		fclose(memory);
	}
	for (p = text; p && *p; p++)
		characters += (*p & 0xc0) != 0x80;
	p = text;
	for (int i = 0; p && *p && i < (characters > width ? width - 1 : width); i++)
		do
			putc(*p++, out);
		while ((*p & 0xc0) == 0x80);
	if (characters > width)
		fputs("…", out);
	if (pad && characters < width)
		fprintf(out, "%*s", width - characters, "");
	free(text);
}

void write_json_string(FILE *out, const char *s)
{
	if (!s) {
		fputs("null", out);
		return;
	}
	putc('"', out);
	while (*s) {
		uint32_t code;
		size_t length = text__next(s, &code);

		if (!length)
			fputs("\\ufffd", out);
		else if (code == '"' || code == '\\')
			fprintf(out, "\\%c", (char)code);
		else if (!text__is_harmless(code))
			fprintf(out, "\\u%04x", code);
		else
			fwrite(s, 1, length, out);
		s += length ? length : 1;
	}
	putc('"', out);
}

char *utf8__valid_copy(const char *s)
{
	char *copy = malloc(3 * strlen(s) + 1), *to = copy;

	while (copy && *s) {
		uint32_t code;
		size_t length = text__next(s, &code);

		to = length ? mempcpy(to, s, length) : stpcpy(to, "\xef\xbf\xbd");
		s += length ? length : 1;
	}
	if (copy)
		*to = '\0';
	return copy;
}

int finish_stream(FILE *out)
{
	errno = 0;
	if (fflush(out) || ferror(out))
		return errno ? -errno : -EIO;
	return 0;
}
