// SPDX-License-Identifier: GPL-2.0-or-later
#include "snapshot/crate.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static size_t identifier_length(const char *s)
{
	size_t n = 0;

	while (isalnum((unsigned char)s[n]) || s[n] == '_')
		n++;
	return n;
}

/* The crate that a path or type ("&mut [my::T]") begins with. Primitive types have none. */
static struct crate crate_of_path(const char *path, const char *separator)
{
	static const char *const words[] = { "mut ", "const ", "dyn ", "impl " };
	size_t length;

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]);) {
		path += strspn(path, "&*([<");
		if (strncmp(path, words[i], strlen(words[i]))) {
			i++;
		} else {
			path += strlen(words[i]);
			i = 0;
		}
	}
	length = identifier_length(path);
	if (strncmp(path + length, separator, strlen(separator)))
		length = 0;
	return (struct crate){ path, length };
}

/* In "<T as Trait>" after "<": where "Trait" begins; NULL: it is "<T>". */
static const char *find_trait(const char *s)
{
	for (int depth = 0; *s; s++) {
		if (strchr("<([{", *s))
			depth++;
		else if (strchr(")]}", *s) || (*s == '>' && s[-1] != '-'))
			depth--;
		if (depth < 0)
			return NULL;
		if (!depth && !strncmp(s, " as ", 4))
			return s + 4;
	}
	return NULL;
}

static struct crates of_demangled(const char *name)
{
	struct crates crates = {};
	size_t length = strlen(name);
	const char *trait;

	/* The parameters and qualifiers of a C++ function. */
	if (length && (strchr(")&", name[length - 1]) || strstr(name, ") const")))
		return crates;
	if (name[0] != '<') {
		crates.owner = crate_of_path(name, "::");
		return crates;
	}
	trait = find_trait(name + 1);
	crates.of_trait = trait;
	crates.type = crate_of_path(name + 1, "::");
	crates.owner = trait ? crate_of_path(trait, "::") : crates.type;
	/* Only the standard library gives primitive types methods: "<[u8]>::to_vec". */
	if (!trait && !crates.type.length && strstr(name, ">::"))
		crates.owner = (struct crate){ "core", strlen("core") };
	return crates;
}

/* "_ZN4core3fmt5write17h<16 digits>E", "_ZN55_$LT$my..T$u20$as$u20$core..fmt..Write$GT$5write..." */
static struct crates of_legacy(const char *name)
{
	struct crates crates = {};
	const char *end = name + strlen(name), *hash, *trait, *type;
	char *identifier;
	unsigned long length = strtoul(name + 3, &identifier, 10);

	hash = end - strlen("17h0123456789abcdefE");
	if (hash < identifier || strncmp(hash, "17h", 3) || end[-1] != 'E' ||
	    length > (size_t)(end - identifier))
		return crates;
	type = identifier + strspn(identifier, "_");
	if (strncmp(type, "$LT$", 4)) {
		crates.owner = (struct crate){ identifier, length };
		return crates;
	}
	crates.type = crate_of_path(type + 4, "..");
	trait = strstr(type, "$u20$as$u20$");
	crates.of_trait = trait && trait < identifier + length;
	crates.owner = crates.of_trait ? crate_of_path(trait + strlen("$u20$as$u20$"), "..") :
					 crates.type;
	return crates;
}

/* <disambiguator> = "s" [<base 62>] "_" */
static const char *skip_disambiguator(const char *s)
{
	const char *end = *s == 's' ? s + 1 + strspn(s + 1, "0123456789abcdefghijklmnopqrstuvwxyz"
						     "ABCDEFGHIJKLMNOPQRSTUVWXYZ") : s;

	return end > s && *end == '_' ? end + 1 : s;
}

/* The first crate root: that of the function's path, or of the implementation that it is in. */
static struct crates of_v0(const char *name)
{
	struct crates crates = {};
	unsigned long length;
	char *identifier;

	for (const char *s = name + 2; *s;) {
		switch (*s) {
		case 'N': /* nested: <namespace> <path> */
			s += 1 + !!s[1];
			break;
		case 'M': /* of a type, of a trait: [<disambiguator>] <path> */
		case 'X':
			s = skip_disambiguator(s + 1);
			break;
		case 'I': /* generic: <path> */
			s++;
			break;
		case 'C': /* crate root: [<disambiguator>] <length> ["_"] <bytes> */
			length = strtoul(skip_disambiguator(s + 1), &identifier, 10);
			identifier += *identifier == '_';
			if (length <= strlen(identifier))
				crates.owner = (struct crate){ identifier, length };
			return crates;
		default:
			return crates;
		}
	}
	return crates;
}

struct crates crates__of(const char *name)
{
	if (!name)
		return (struct crates){};
	if (!strncmp(name, "_ZN", 3))
		return of_legacy(name);
	if (!strncmp(name, "_R", 2))
		return of_v0(name);
	return of_demangled(name);
}
