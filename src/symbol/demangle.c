// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * cplus_demangle(DMGL_AUTO) is these two demanglers in this order. They are called one by one for
 * the sake of the callback: a name of 100 bytes can be made to unfold into gigabytes (each
 * substitution doubling the one before), and the callback is the only place to stop that.
 */
#include "symbol/demangle.h"

#include <libiberty/demangle.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#define MAX_DEMANGLED 65536
/*
 * libiberty's own limit refuses C++ names of more than 1,024 bytes, which templates do reach.
 * Without it the stack that it takes follows the length: at most 2 MB for this one.
 */
#define MAX_MANGLED 4096
#define OPTIONS (DMGL_PARAMS | DMGL_ANSI)

struct text {
	jmp_buf too_long;
	size_t length;
	char bytes[MAX_DEMANGLED];
};

static void append(const char *s, size_t length, void *opaque)
{
	struct text *text = opaque;

	if (length >= sizeof(text->bytes) - text->length)
		longjmp(text->too_long, 1);
	if (length)	/* else s may be NULL */
		memcpy(text->bytes + text->length, s, length);
	text->length += length;
}

char *demangle(const char *mangled)
{
	struct text text;
	char *name, *clone;

	if (strncmp(mangled, "_Z", 2) && strncmp(mangled, "_R", 2))
		return NULL;
	if (strlen(mangled) > MAX_MANGLED)
		return strdup(mangled);
	if (setjmp(text.too_long))
		return strdup(mangled);
	text.length = 0;
	if (!rust_demangle_callback(mangled, OPTIONS, append, &text)) {
		text.length = 0;
		if (!cplus_demangle_v3_callback(mangled, OPTIONS | DMGL_NO_RECURSE_LIMIT, append,
						&text))
			return NULL;
	}
	name = strndup(text.bytes, text.length);
	clone = name ? strstr(name, " [clone ") : NULL;
	if (clone)
		*clone = '\0';
	return name;
}
