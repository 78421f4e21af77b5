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

/* The unit's length at *text, which is moved behind it; none: seconds. */
static uint64_t read_time_unit(const char **text)
{
	static const struct {
		const char *name;
		uint64_t ns;
	} units[] = {
		{ "ms", NSEC_PER_SEC / 1000 },	  { "s", NSEC_PER_SEC },
		{ "m", 60 * NSEC_PER_SEC },	  { "h", 3600 * NSEC_PER_SEC },
		{ "d", 24 * 3600 * NSEC_PER_SEC },
	};

	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++) {
		if (!strcmp(*text, units[i].name)) {
			*text += strlen(*text);
			return units[i].ns;
		}
	}
	return NSEC_PER_SEC;
}

/* Digits with a fraction, either of which may be missing, as billionths: exact. */
static bool read_decimal(const char **text, unsigned __int128 *billionths)
{
	uint64_t number = 0, digit = NSEC_PER_SEC;
	bool whole = isdigit((unsigned char)**text);

	if (whole && !read_digits(text, &number))
		return false;
	*billionths = (unsigned __int128)number * NSEC_PER_SEC;
	if (**text != '.')
		return whole;
	++*text;
	if (!whole && !isdigit((unsigned char)**text))
		return false;
	for (; isdigit((unsigned char)**text) && digit > 1; ++*text) {
		digit /= 10;
		*billionths += digit * (**text - '0');
	}
	return true;
}

bool value__seconds(const char *text, uint64_t min_ns, uint64_t max_ns, uint64_t *ns)
{
	unsigned __int128 value;

	if (!read_decimal(&text, &value) || value > (unsigned __int128)UINT64_MAX * NSEC_PER_SEC)
		return false;
	value = value * (read_time_unit(&text) / 1000000) / 1000;
	*ns = value;
	return !*text && value >= min_ns && value <= max_ns;
}
