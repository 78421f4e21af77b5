// SPDX-License-Identifier: GPL-2.0-or-later
/* Looks for the signs in the files that a process maps, and puts the sentences together. */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "probe/probe.h"
#include "process/process.h"
#include "signs/signs.h"

#define WINDOW (1 << 20)
#define OVERLAP 256	/* more than the longest text */
#define MAX_FILE (256L << 20)	/* so much of a file is read; its texts come early */
#define MAX_SIGNS 64
#define MAX_SENTENCES 3

/* A file with code, and what is in it. */
struct found {
	const char *path;
	bool text[MAX_SIGNS];		/* by sign */
	bool functions[MAX_SIGNS];	/* it has the first of their names */
};

/* The first NAME of "malloc=NAME,...". */
static size_t first_function(const struct sign *sign, char name[64])
{
	const char *start = strchr(sign->functions, '=') + 1;
	size_t length = strcspn(start, ",");

	/* Between zeros, as in a table of strings. */
	name[0] = '\0';
	memcpy(name + 1, start, length);
	name[length + 1] = '\0';
	return length + 2;
}

static void search_window(const char *window, size_t size, struct found *found)
{
	char name[64];

	for (size_t i = 0; signs[i].name; i++) {
		const struct sign *sign = &signs[i];

		if (sign->text && !found->text[i])
			found->text[i] = memmem(window, size, sign->text, strlen(sign->text));
		if (sign->functions && !found->functions[i])
			found->functions[i] =
				memmem(window, size, name, first_function(sign, name));
	}
}

static int search_file(int fd, struct found *found)
{
	char *window = malloc(WINDOW + OVERLAP);
	size_t kept = 0;
	off_t offset = 0;
	ssize_t n;

	if (!window)
		return -ENOMEM;
	while (offset < MAX_FILE && (n = pread(fd, window + kept, WINDOW, offset)) > 0) {
		size_t size = kept + n;

		search_window(window, size, found);
		kept = size < OVERLAP ? size : OVERLAP;
		memmove(window, window + size - kept, kept);
		offset += n;
	}
	free(window);
	return 0;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static bool is_shown_by(const struct sign *sign, size_t index, const struct found *found)
{
	if (sign->text && found->text[index])
		return true;
	return sign->file && !fnmatch(sign->file, base_name(found->path), 0);
}

/* Is it the allocator that is followed in this file? */
static bool is_followed(int fd, const struct sign *sign, const char *path)
{
	struct probes probes;
	bool followed;

	if (probes__find(fd, path, NULL, &probes))
		return false;
	followed = probes.count && probes.allocator && !strcmp(probes.allocator, sign->name);
	probes__free(&probes);
	return followed;
}

static void write_sign(FILE *out, const struct sign *sign, size_t index, const struct found *found)
{
	if (sign->kind != SIGN_ALLOCATOR)
		fprintf(out, "%s: %s", base_name(found->path), sign->advice);
	else if (sign->functions && found->functions[index])
		fprintf(out, "%s in %s is not followed: --allocator %s:%s", sign->name,
			base_name(found->path), found->path, sign->functions);
	else
		fprintf(out, "%s in %s is not followed: its functions have no names there "
			     "(stripped?); a build with symbols would be", sign->name,
			base_name(found->path));
}

/* Adds the sentences of one file. Returns how many. */
static int explain_file(FILE *out, int fd, const char *path, bool told[MAX_SIGNS], int n)
{
	struct found found = { .path = path };
	int before = n;

	if (search_file(fd, &found))
		return 0;
	for (size_t i = 0; signs[i].name && n < MAX_SENTENCES; i++) {
		const struct sign *sign = &signs[i];

		if (told[i] || !is_shown_by(sign, i, &found))
			continue;
		if (sign->kind == SIGN_ALLOCATOR && is_followed(fd, sign, path))
			continue;
		for (size_t j = 0; signs[j].name; j++)
			told[j] |= !strcmp(signs[j].name, sign->name);
		if (n++)
			fputs("; ", out);
		write_sign(out, sign, i, &found);
		if (sign->kind == SIGN_REFUSED)
			return MAX_SENTENCES;
	}
	return n - before;
}

/* The C library's own files mention others, and are followed. */
static bool is_plain(const char *path)
{
	static const char *const names[] = { "libc.so*", "ld-linux*", "libstdc++*", "libm.so*",
					     "libgcc_s*", "ld-musl*" };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (!fnmatch(names[i], base_name(path), 0))
			return true;
	return false;
}

static void explain_maps(FILE *out, pid_t pid, const struct target_maps *maps)
{
	bool told[MAX_SIGNS] = {};
	uint64_t inode = 0;
	int n = 0;

	for (size_t i = 0; i < maps->count && n < MAX_SENTENCES; i++) {
		const struct target_mapping *mapping = &maps->items[i];
		int fd;

		if (!mapping->executable || !mapping->inode || mapping->inode == inode ||
		    is_plain(mapping->path))
			continue;
		inode = mapping->inode;
		fd = target__open_mapping(pid, mapping);
		if (fd < 0)
			continue;
		n += explain_file(out, fd, mapping->path, told, n);
		close(fd);
	}
}

static bool is_32_bit(pid_t pid)
{
	unsigned char ident[EI_NIDENT] = {};
	char path[64];
	ssize_t n = -1;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/exe", (int)target__thread(pid));
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd >= 0) {
		n = read(fd, ident, sizeof(ident));
		close(fd);
	}
	return n == sizeof(ident) && !memcmp(ident, ELFMAG, SELFMAG) &&
	       ident[EI_CLASS] == ELFCLASS32;
}

char *signs__explain(pid_t pid)
{
	struct target_maps maps;
	char *text = NULL;
	size_t size;
	FILE *out;

	if (is_32_bit(pid))
		return strdup("32-bit programs are not followed");
	if (target_maps__read(pid, &maps))
		return NULL;
	out = open_memstream(&text, &size);
	if (out)
		explain_maps(out, pid, &maps);
	target_maps__free(&maps);
	if (out && fclose(out)) {
		free(text);
		return NULL;
	}
	if (text && !*text) {
		free(text);
		return NULL;
	}
	return text;
}
