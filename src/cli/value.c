// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/value.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define NSEC_PER_SEC 1000000000ULL

/* Digits at *text, which is moved behind them. False: none, or more than 64 bits hold. */
static bool read_digits(const char **text, uint64_t *number)
{
	const char *p = *text;

	*number = 0;
	for (; isdigit((unsigned char)*p); p++)
		if (__builtin_mul_overflow(*number, 10, number) ||
		    __builtin_add_overflow(*number, *p - '0', number))
			return false;
	if (p == *text)
		return false;
	*text = p;
	return true;
}

bool value__number(const char *text, uint64_t min, uint64_t max, uint64_t *number)
{
	return read_digits(&text, number) && !*text && *number >= min && *number <= max;
}

bool value__address(const char *text, uint64_t *address)
{
	bool hexadecimal = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');

	if (!hexadecimal)
		return value__number(text, 1, UINT64_MAX, address);
	text += 2;
	if (!*text || strlen(text) > 16 || text[strspn(text, "0123456789abcdefABCDEF")])
		return false;
	*address = strtoull(text, NULL, 16);
	return *address;
}

bool value__bytes(const char *text, uint64_t *bytes)
{
	int shift = 0;

	if (!read_digits(&text, bytes))
		return false;
	switch (toupper((unsigned char)*text)) {
	case 'K':
		shift = 10;
		break;
	case 'M':
		shift = 20;
		break;
	case 'G':
		shift = 30;
		break;
	}
	if (shift)
		text++;
	return !*text && !__builtin_mul_overflow(*bytes, 1ULL << shift, bytes);
}

bool value__seconds(const char *text, uint64_t min_ns, uint64_t max_ns, uint64_t *ns)
{
	uint64_t seconds = 0, unit = NSEC_PER_SEC;
	bool whole;

	whole = isdigit((unsigned char)*text);
	if (whole && !read_digits(&text, &seconds))
		return false;
	if (__builtin_mul_overflow(seconds, NSEC_PER_SEC, ns))
		return false;
	if (*text == '.') {
		text++;
		if (!whole && !isdigit((unsigned char)*text))
			return false;
		for (; isdigit((unsigned char)*text) && unit > 1; text++) {
			unit /= 10;
			if (__builtin_add_overflow(*ns, unit * (*text - '0'), ns))
				return false;
		}
	} else if (!whole) {
		return false;
	}
	return !*text && *ns >= min_ns && *ns <= max_ns;
}
