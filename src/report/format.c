// SPDX-License-Identifier: GPL-2.0-or-later
#include "report/format.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "snapshot/snapshot.h"

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

static const struct {
	const char *key, *words;
} stop_reasons[STOP_MAX] = {
	[STOP_BOTTOM] = { "bottom" },
	[STOP_LIMIT_ASKED] = { "limit_asked" },
	[STOP_DEPTH] = { "depth", "deeper than the traceback limit can be" },
	[STOP_NO_ROWS] = { "no_rows", "no unwind information" },
	[STOP_UNMAPPED] = { "unmapped", "the return address is in no known mapping" },
	[STOP_MAPS_CHANGED] = { "maps_changed", "libraries came or went and were not known yet" },
	[STOP_STACK_READ] = { "stack_read", "the stack could not be read" },
	[STOP_NO_PROGRESS] = { "no_progress", "the next frame does not lie above this one" },
	[STOP_REGISTER] = { "register", "a register needed to go on has lost its value" },
};

const char *stop_reason__words(enum stop_reason stop)
{
	return stop_reasons[stop].words;
}

const char *stop_reason__key(enum stop_reason stop)
{
	return stop_reasons[stop].key;
}

const char *lost_reason__words(enum lost_reason reason)
{
	static const char *const words[LOST_MAX] = {
		[LOST_BLOCKS_FULL] = "blocks not followed: --max-blocks was reached",
		[LOST_BLOCKS_MEMORY] = "blocks not followed: the kernel had no memory for them",
		[LOST_BLOCKS_RETURN] = "blocks not followed: the allocator's return was not seen",
		[LOST_STACKS_FULL] = "allocations without a place: --max-stacks was reached",
		[LOST_STACKS_MEMORY] =
			"allocations without a place: the table could not grow in time",
		[LOST_THREAD] = "calls not followed: no memory for the state of their threads",
		[LOST_FREES_UNMATCHED] =
			"frees of blocks that are not in the books (allocated before tracing?)",
		[LOST_FREES_MISSED] = "blocks whose free was missed: their address came again",
		[LOST_EVENTS] = "events dropped: the ring buffer was full",
	};

	return words[reason];
}

uint64_t snapshot__frames_cut(const struct snapshot *snapshot)
{
	uint64_t sum = 0;

	for (int i = 0; i < STOP_MAX; i++)
		if (stop_reason__words(i))
			sum += snapshot->frames_cut[i];
	return sum;
}

int finish_stream(FILE *out)
{
	errno = 0;
	if (fflush(out) || ferror(out))
		return errno ? -errno : -EIO;
	return 0;
}
