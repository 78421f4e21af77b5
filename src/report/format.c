// SPDX-License-Identifier: GPL-2.0-or-later
#include "report/format.h"

#include <errno.h>
#include <math.h>
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

uint64_t size_class__min(unsigned int size_class)
{
	return size_class ? 1ULL << (size_class - 1) : 0;
}

uint64_t size_class__max(unsigned int size_class)
{
	return size_class ? UINT64_MAX >> (64 - size_class) : 0;
}

/* Length of the UTF-8 sequence at s and its code point; 0: none that RFC 3629 allows. */
static size_t utf8__next(const char *s, uint32_t *code)
{
	static const uint32_t lowest[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const unsigned char *p = (const unsigned char *)s;
	size_t length = p[0] < 0x80   ? 1
			: p[0] < 0xc2 ? 0
			: p[0] < 0xe0 ? 2
			: p[0] < 0xf0 ? 3
			: p[0] < 0xf5 ? 4
				      : 0;

	if (length <= 1) {
		*code = p[0];
		return length;
	}
	*code = p[0] & (0xff >> (length + 1));
	for (size_t i = 1; i < length; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		*code = *code << 6 | (p[i] & 0x3f);
	}
	if (*code < lowest[length] || *code > 0x10ffff || (*code >= 0xd800 && *code < 0xe000))
		return 0;
	return length;
}

/* Control characters (C0, DEL, C1), line separators and the marks that turn the direction. */
static bool is_harmless(uint32_t code)
{
	return !(code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x200e ||
		 code == 0x200f || (code >= 0x2028 && code <= 0x202e) ||
		 (code >= 0x2066 && code <= 0x2069));
}

void write_text(FILE *out, const char *s)
{
	while (*s) {
		uint32_t code;
		size_t length = utf8__next(s, &code);

		if (length && is_harmless(code)) {
			fwrite(s, 1, length, out);
		} else {
			length = length ? length : 1;
			for (size_t i = 0; i < length; i++)
				fprintf(out, "\\x%02x", (unsigned char)s[i]);
		}
		s += length;
	}
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
		size_t length = utf8__next(s, &code);

		if (!length)
			fputs("\\ufffd", out);
		else if (code == '"' || code == '\\')
			fprintf(out, "\\%c", (char)code);
		else if (code < 0x20 || code == 0x7f)
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
		size_t length = utf8__next(s, &code);

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
