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

#include "base/clock.h"
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

static bool is_late(uint64_t until_ns)
{
	return clock_ns(CLOCK_MONOTONIC) >= until_ns;
}

/* Where there is something to read from there on; a hole has no text. */
static off_t skip_hole(int fd, off_t offset)
{
	off_t data = lseek(fd, offset, SEEK_DATA);

	if (data < 0)
		return errno == ENXIO ? MAX_FILE : offset;
	return data;
}

static int search_file(int fd, uint64_t until_ns, struct found *found)
{
	char *window = malloc(WINDOW + OVERLAP);
	off_t offset = skip_hole(fd, 0);
	size_t kept = 0;
	ssize_t n;

	if (!window)
		return -ENOMEM;
	while (offset < MAX_FILE && !is_late(until_ns) &&
	       (n = pread(fd, window + kept, WINDOW, offset)) > 0) {
		size_t size = kept + n;

		search_window(window, size, found);
		kept = size < OVERLAP ? size : OVERLAP;
		memmove(window, window + size - kept, kept);
		offset = skip_hole(fd, offset + n);
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

/* The name of the allocator that is followed in this file; NULL: there is none. */
static const char *followed_in(int fd, const char *path)
{
	const char *allocator = NULL;
	struct probes probes;

	if (probes__find(fd, path, NULL, &probes))
		return NULL;
	if (probes.count)
		allocator = probes.allocator;
	probes__free(&probes);
	return allocator;
}

/* A user chose it, and root may paste it into a shell. */
static const char *pasteable(const char *path)
{
	bool plain = !path[strspn(path, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
					"0123456789/._+-")];

	return plain ? path : "FILE";
}

static void write_sign(FILE *out, const struct sign *sign, size_t index, const struct found *found)
{
	if (sign->kind != SIGN_ALLOCATOR)
		fprintf(out, "%s: %s", base_name(found->path), sign->advice);
	else if (sign->functions && found->functions[index])
		fprintf(out, "%s in %s is not followed: --allocator %s:%s", sign->name,
			base_name(found->path), pasteable(found->path), sign->functions);
	else
		fprintf(out, "%s in %s is not followed: its functions have no names there "
			     "(stripped?); a build with symbols would be", sign->name,
			base_name(found->path));
}

/* Adds the sentences of one file. Returns how many. */
static int explain_file(FILE *out, int fd, const char *path, uint64_t until_ns,
			bool told[MAX_SIGNS], int n)
{
	struct found found = { .path = path };
	const char *followed = NULL;
	bool asked = false;
	int before = n;

	if (search_file(fd, until_ns, &found))
		return 0;
	for (size_t i = 0; signs[i].name && n < MAX_SENTENCES; i++) {
		const struct sign *sign = &signs[i];

		if (told[i] || !is_shown_by(sign, i, &found))
			continue;
		if (sign->kind == SIGN_ALLOCATOR && !asked) {
			followed = followed_in(fd, path);
			asked = true;
		}
		if (sign->kind == SIGN_ALLOCATOR && followed && !strcmp(followed, sign->name))
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

static void explain_maps(FILE *out, pid_t pid, const struct target_maps *maps, uint64_t until_ns)
{
	bool told[MAX_SIGNS] = {};
	uint64_t inode = 0;
	int n = 0;

	for (size_t i = 0; i < maps->count && n < MAX_SENTENCES && !is_late(until_ns); i++) {
		const struct target_mapping *mapping = &maps->items[i];
		int fd;

		if (!mapping->executable || !mapping->inode || mapping->inode == inode ||
		    is_plain(mapping->path))
			continue;
		inode = mapping->inode;
		fd = target__open_mapping(pid, mapping);
		if (fd < 0)
			continue;
		n += explain_file(out, fd, mapping->path, until_ns, told, n);
		close(fd);
	}
}

bool signs__is_32_bit(pid_t pid)
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

char *signs__explain(pid_t pid, uint64_t *left_ns)
{
	uint64_t start = clock_ns(CLOCK_MONOTONIC), spent;
	struct target_maps maps;
	char *text = NULL;
	size_t size;
	FILE *out;

	if (signs__is_32_bit(pid))
		return strdup("32-bit programs are not followed");
	if (target_maps__read(pid, &maps))
		return NULL;
	out = open_memstream(&text, &size);
	if (out)
		explain_maps(out, pid, &maps, start + (*left_ns < SIGNS_PROCESS_NS ?
						       *left_ns : SIGNS_PROCESS_NS));
	spent = clock_ns(CLOCK_MONOTONIC) - start;
	*left_ns -= spent < *left_ns ? spent : *left_ns;
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
