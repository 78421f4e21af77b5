// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/suggest.h"

#include <string.h>

#define MAX_LENGTH 32

static size_t min(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Levenshtein's distance, row by row. */
static size_t distance(const char *a, const char *b)
{
	size_t row[MAX_LENGTH + 1], length = strlen(b);

	if (strlen(a) > MAX_LENGTH || length > MAX_LENGTH)
		return MAX_LENGTH;
	for (size_t j = 0; j <= length; j++)
		row[j] = j;
	for (size_t i = 1; a[i - 1]; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= length; j++) {
			size_t exchanged = diagonal + (a[i - 1] != b[j - 1]);

			diagonal = row[j];
			row[j] = min(exchanged, min(row[j], row[j - 1]) + 1);
		}
	}
	return row[length];
}

const char *suggest(const char *word, const char *const *names)
{
	size_t best = strlen(word) / 3 + 1;
	const char *found = NULL;

	for (; *names; names++) {
		size_t d = distance(word, *names);

		if (d < best) {
			best = d;
			found = *names;
		}
	}
	return found;
}
