// SPDX-License-Identifier: GPL-2.0-or-later
#include "snapshot/wrappers.h"

#include <ctype.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "snapshot/crate.h"

static size_t count_patterns(const char *const *patterns)
{
	size_t n = 0;

	while (patterns && patterns[n])
		n++;
	return n;
}

/* What is left of `pattern` after the word, if it begins with it. */
static bool skip_word(const char **pattern, const char *word)
{
	size_t length = strlen(word);

	if (strncmp(*pattern, word, length))
		return false;
	*pattern += length;
	return true;
}

static struct wrapper read_pattern(const char *pattern)
{
	struct wrapper wrapper = {};

	if (skip_word(&pattern, "crate ")) {
		wrapper.kind = WRAPPER_CRATE;
	} else if (skip_word(&pattern, "within ")) {
		wrapper.kind = WRAPPER_FUNCTION;
		wrapper.match = WRAPPER_WITHIN;
	} else {
		wrapper.kind = strchr(pattern, '/') ? WRAPPER_PATH : WRAPPER_FUNCTION;
	}
	wrapper.pattern = pattern;
	wrapper.literal = strcspn(pattern, "*?[\\");
	if (wrapper.match == WRAPPER_NONE)
		wrapper.match = WRAPPER_PLAIN;
	return wrapper;
}

int wrappers__init(struct wrappers *wrappers, const char *const *patterns)
{
	*wrappers = (struct wrappers){ .count = count_patterns(patterns) };
	if (!wrappers->count)
		return 0;
	wrappers->items = calloc(wrappers->count, sizeof(*wrappers->items));
	if (!wrappers->items)
		return -ENOMEM;
	for (size_t i = 0; i < wrappers->count; i++)
		wrappers->items[i] = read_pattern(patterns[i]);
	return 0;
}

void wrappers__release(struct wrappers *wrappers)
{
	free(wrappers->items);
	*wrappers = (struct wrappers){};
}

static bool matches(const struct wrapper *wrapper, const char *name)
{
	return name && !strncmp(wrapper->pattern, name, wrapper->literal) &&
	       !fnmatch(wrapper->pattern + wrapper->literal, name + wrapper->literal, 0);
}

static bool knows_crate(const struct wrappers *wrappers, struct crate crate)
{
	for (size_t i = 0; i < wrappers->count; i++) {
		const struct wrapper *wrapper = &wrappers->items[i];

		if (wrapper->kind == WRAPPER_CRATE && strlen(wrapper->pattern) == crate.length &&
		    !memcmp(wrapper->pattern, crate.name, crate.length))
			return true;
	}
	return false;
}

/*
 * A method of a trait is the trait's, unless the type is of another crate: that one has written it.
 * Who implements a trait of his own for Vec has written that, too.
 */
static bool match_crate(const struct wrappers *wrappers, const struct crates *crates)
{
	return crates->owner.length && knows_crate(wrappers, crates->owner) &&
	       (!crates->type.length || knows_crate(wrappers, crates->type));
}

enum wrapper_match wrappers__match(const struct wrappers *wrappers,
				   const struct stat_frame *frame)
{
	const char *name =
		frame->function ? wrappers__skip_return_type(frame->function) : NULL;
	const struct crates crates = crates__of(name);
	enum wrapper_match best = WRAPPER_NONE;

	for (size_t i = 0; i < wrappers->count; i++) {
		const struct wrapper *wrapper = &wrappers->items[i];
		bool yes = wrapper->kind == WRAPPER_PATH ?
				   matches(wrapper, frame->file) || matches(wrapper, frame->module) :
				   wrapper->kind == WRAPPER_FUNCTION && matches(wrapper, name);

		if (yes && wrapper->match > best)
			best = wrapper->match;
	}
	/* Whose a method of a trait is, its file tells best. */
	if (best == WRAPPER_NONE && !(crates.of_trait && frame->file) &&
	    match_crate(wrappers, &crates))
		best = WRAPPER_PLAIN;
	return best;
}

static bool is_name(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '$';
}

const char *wrappers__skip_return_type(const char *signature)
{
	const char *start = signature;
	int depth = 0;

	for (const char *p = signature; *p; p++) {
		bool word = p == signature || !is_name(p[-1]);

		/* What follows "operator" may be anything, a space or a bracket too. */
		if (!depth && word && !strncmp(p, "operator", 8) && !is_name(p[8]))
			break;
		/* Parameters; but "(anonymous namespace)" starts a name. */
		if (!depth && *p == '(' && p > start && p[-1] != ':')
			break;
		if (strchr("<([{", *p))
			depth++;
		else if (strchr(">)]}", *p) && !(p > signature && p[-1] == '-'))
			depth--;
		else if (*p == ' ' && !depth)
			start = p + 1;
	}
	return start;
}
