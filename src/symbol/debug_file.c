// SPDX-License-Identifier: GPL-2.0-or-later
#include "symbol/debug_file.h"

#include <elfutils/libdwelf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "process/path.h"
#include "symbol/image.h"

#define DEBUG_DIRECTORY "/usr/lib/debug"
#define MIN_BUILD_ID 3
#define MAX_BUILD_ID 64

/* What makes a file the right one: its build id, or the checksum of all of it. */
struct identity {
	const void *build_id;
	size_t build_id_size;	/* 0: compare the checksum */
	uint32_t crc;
};

static bool checksum_is(int fd, uint32_t expected)
{
	unsigned char buffer[65536];
	uLong crc = crc32(0, NULL, 0);
	off_t offset = 0;
	ssize_t n;

	while ((n = pread(fd, buffer, sizeof(buffer), offset)) > 0) {
		crc = crc32(crc, buffer, n);
		offset += n;
	}
	return !n && crc == expected;
}

static bool matches(int fd, Elf *elf, const struct identity *identity)
{
	const void *build_id;
	ssize_t size;

	if (!identity->build_id_size)
		return checksum_is(fd, identity->crc);
	size = dwelf_elf_gnu_build_id(elf, &build_id);
	return size == (ssize_t)identity->build_id_size &&
	       !memcmp(build_id, identity->build_id, size);
}

void debug_file__close(struct debug_file *file)
{
	if (file->elf) {
		elf_end(file->elf);
		close(file->fd);
	}
	free(file->path);
	*file = (struct debug_file){};
}

/* Takes `path` (NULL: no memory) over. */
static int try_path(struct debug_file *file, const struct search *search,
		    const struct identity *identity, char *path)
{
	if (!path)
		return -ENOMEM;
	for (unsigned int i = 0; i < search->nroots; i++) {
		int fd = path__open_below(search->roots[i], path);
		Elf *elf;

		if (fd < 0)
			continue;
		elf = image__elf(fd);
		if (elf && matches(fd, elf, identity)) {
			*file = (struct debug_file){ .fd = fd, .elf = elf, .path = path };
			return 0;
		}
		file->of_other_build |= elf && !identity->build_id_size;
		elf_end(elf);
		close(fd);
	}
	free(path);
	return -ENOENT;
}

__attribute__((format(printf, 1, 2))) static char *format(const char *fmt, ...)
{
	va_list args;
	char *s;

	va_start(args, fmt);
	if (vasprintf(&s, fmt, args) < 0)
		s = NULL;
	va_end(args);
	return s;
}

static int find_by_build_id(struct debug_file *file, const struct search *search,
			    const struct identity *identity)
{
	const unsigned char *id = identity->build_id;
	char hex[2 * MAX_BUILD_ID + 1];

	if (identity->build_id_size < MIN_BUILD_ID || identity->build_id_size > MAX_BUILD_ID)
		return -ENOENT;
	for (size_t i = 0; i < identity->build_id_size; i++)
		sprintf(hex + 2 * i, "%02x", id[i]);
	return try_path(file, search, identity,
			format(DEBUG_DIRECTORY "/.build-id/%.2s/%s.debug", hex, hex + 2));
}

static int directory_length(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash - path : 0;
}

int debug_file__find(struct debug_file *file, const struct search *search, Elf *elf,
		     const char *path)
{
	static const char *const places[] = { "%.*s/%s", "%.*s/.debug/%s",
					      DEBUG_DIRECTORY "%.*s/%s" };
	struct identity identity = {};
	const char *link;
	ssize_t size;
	int err;

	size = dwelf_elf_gnu_build_id(elf, &identity.build_id);
	identity.build_id_size = size > 0 ? size : 0;
	err = find_by_build_id(file, search, &identity);
	if (err != -ENOENT)
		return err;

	link = dwelf_elf_gnu_debuglink(elf, &identity.crc);
	identity.build_id_size = 0;
	for (size_t i = 0; link && i < sizeof(places) / sizeof(places[0]); i++) {
		err = try_path(file, search, &identity,
			       format(places[i], directory_length(path), path, link));
		if (err != -ENOENT)
			return err;
	}
	return -ENOENT;
}

int debug_file__find_shared(struct debug_file *file, const struct search *search, Dwarf *dwarf,
			    const char *path)
{
	struct identity identity = {};
	const char *name;
	ssize_t size;
	int err;

	size = dwelf_dwarf_gnu_debugaltlink(dwarf, &name, &identity.build_id);
	if (size <= 0)
		return -ENOENT;
	identity.build_id_size = size;
	err = find_by_build_id(file, search, &identity);
	if (err != -ENOENT)
		return err;
	return try_path(file, search, &identity,
			name[0] == '/' ? strdup(name) :
					 format("%.*s/%s", directory_length(path), path, name));
}
