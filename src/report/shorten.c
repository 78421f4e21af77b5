// SPDX-License-Identifier: GPL-2.0-or-later
#include "report/shorten.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define ELLIPSIS "…"

struct shortening {
	const char *in;
	char *start, *out;
};

static bool ends_with(const struct shortening *s, const char *word)
{
	size_t length = strlen(word);

	return (size_t)(s->out - s->start) >= length && !memcmp(s->out - length, word, length);
}

/* Behind the bracket that closes the one at `p`; the end of the text where none does. */
static const char *skip_brackets(const char *p, char open, char close)
{
	int depth = 0;

	for (; *p; p++) {
		if (*p == open)
			depth++;
		else if (*p == close && p[-1] != '-' && !--depth)	/* no "->" */
			return p + 1;
	}
	return p;
}

static void copy(struct shortening *s, size_t n)
{
	s->out = mempcpy(s->out, s->in, n);
	s->in += n;
}

/* A member function's qualifiers follow its arguments. */
static void skip_qualifiers(struct shortening *s)
{
	static const char *const words[] = { " const", " volatile", " &&", " &", " noexcept" };

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (!strncmp(s->in, words[i], strlen(words[i])))
			s->in += strlen(words[i]);
}

static void shorten_arguments(struct shortening *s)
{
	static const char anonymous[] = "(anonymous namespace)";

	if (ends_with(s, "operator") && s->in[1] == ')') {
		copy(s, 2);
	} else if (!strncmp(s->in, anonymous, strlen(anonymous))) {
		copy(s, strlen(anonymous));
	} else {
		s->in = skip_brackets(s->in, '(', ')');
		skip_qualifiers(s);
	}
}

/* A bracket of template arguments follows a name; the demangler writes "operator< <int>". */
static bool follows_name(const struct shortening *s)
{
	char before = s->out > s->start ? s->out[-1] : ' ';

	return isalnum((unsigned char)before) || strchr("_:})", before) ||
	       ends_with(s, "operator< ") || ends_with(s, "operator<< ");
}

static void shorten_template(struct shortening *s)
{
	if (ends_with(s, "operator")) {
		copy(s, strspn(s->in, "<=>"));
	} else if (follows_name(s)) {
		s->in = skip_brackets(s->in, '<', '>');
		s->out = stpcpy(s->out, "<" ELLIPSIS ">");
	} else {
		copy(s, 1);	/* Rust: <T as Trait> */
	}
}

char *shorten_function(const char *name)
{
	struct shortening s = { .in = name };

	/* Two characters at least become five bytes at the most. */
	s.start = s.out = malloc(3 * strlen(name) + 1);
	if (!s.start)
		return NULL;
	while (*s.in) {
		if (*s.in == '(')
			shorten_arguments(&s);
		else if (*s.in == '<')
			shorten_template(&s);
		else if (!strncmp(s.in, " [clone ", 8))
			s.in = skip_brackets(s.in + 1, '[', ']');
		else
			copy(&s, 1);
	}
	*s.out = '\0';
	if (s.out == s.start)	/* nothing but brackets */
		strcpy(s.start, name);
	return s.start;
}

int text_width(const char *text)
{
	int width = 0;

	for (; *text; text++)
		width += (*text & 0xc0) != 0x80;
	return width;
}

const char *shorten_path(const char *path, int width, _Bool *cut)
{
	int left = text_width(path);
	const char *slash;

	*cut = left > width;
	if (!*cut)
		return path;
	for (; left >= width && *path; left--)	/* one character is the caller's */
		do
			path++;
		while ((*path & 0xc0) == 0x80);
	slash = strchr(path, '/');
	return slash && slash[1] ? slash : path;
}
