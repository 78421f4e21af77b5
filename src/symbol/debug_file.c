// SPDX-License-Identifier: GPL-2.0-or-later
#include "symbol/debug_file.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "process/path.h"

#define DEBUG_DIRECTORY "/usr/lib/debug"
#define MIN_BUILD_ID 3

/* What makes a file the right one: its build id, or the checksum of all of it. */
struct identity {
	const char *build_id;	/* hex; "": compare the checksum */
	uint32_t crc;
};

/* What the disk does not hold is not read: the checksum of a hole takes as long as that of bytes. */
static bool read_checksum(struct elf_file *file, uint32_t *crc)
{
	unsigned char buffer[65536];
	uint64_t offset = 0;
	ssize_t n = 0;

	*crc = crc32(0, NULL, 0);
	if (!elf_file__is_plausible(file))
		return false;
	while (!elf_file__is_late(file) &&
	       (n = elf_file__pread(file, buffer, sizeof(buffer), offset)) > 0) {
		*crc = crc32(*crc, buffer, n);
		offset += n;
	}
	return !n;
}

static bool is_known(struct checksums *checksums, const struct stat *st, uint32_t *crc)
{
	bool found = false;

	pthread_mutex_lock(&checksums->lock);
	for (unsigned int i = 0; i < checksums->count && !found; i++) {
		const struct checksum *known = &checksums->known[i];

		found = known->device == st->st_dev && known->inode == st->st_ino &&
			known->size == st->st_size &&
			known->changed.tv_sec == st->st_ctim.tv_sec &&
			known->changed.tv_nsec == st->st_ctim.tv_nsec;
		*crc = known->crc;
	}
	pthread_mutex_unlock(&checksums->lock);
	return found;
}

static void keep_checksum(struct checksums *checksums, const struct stat *st, uint32_t crc)
{
	pthread_mutex_lock(&checksums->lock);
	checksums->known[checksums->next] =
		(struct checksum){ st->st_dev, st->st_ino, st->st_size, st->st_ctim, crc };
	checksums->next = (checksums->next + 1) % KNOWN_CHECKSUMS;
	if (checksums->count < KNOWN_CHECKSUMS)
		checksums->count++;
	pthread_mutex_unlock(&checksums->lock);
}

static bool checksum_is(struct elf_file *file, struct checksums *checksums, uint32_t expected)
{
	struct stat st;
	uint32_t crc;

	if (fstat(file->fd, &st))
		return false;
	if (is_known(checksums, &st, &crc))
		return crc == expected;
	if (!read_checksum(file, &crc))
		return false;
	keep_checksum(checksums, &st, crc);
	return crc == expected;
}

static bool matches(struct elf_file *file, const struct search *search,
		    const struct identity *identity)
{
	char build_id[BUILD_ID_HEX];

	if (!identity->build_id[0])
		return checksum_is(file, search->checksums, identity->crc);
	return elf__build_id(file, build_id) && !strcmp(build_id, identity->build_id);
}

void debug_file__close(struct debug_file *file)
{
	if (file->path) {
		elf_file__close(&file->elf);
		close(file->elf.fd);
	}
	free(file->path);
	*file = (struct debug_file){};
}

/* Takes `path` (NULL: no memory) over; of what is over a limit `file` is told. */
static int try_path(struct debug_file *found, const struct search *search,
		    const struct identity *identity, char *path, struct elf_file *file)
{
	if (!path)
		return -ENOMEM;
	for (unsigned int i = 0; i < search->nroots; i++) {
		int fd = path__open_below(search->roots[i], path);

		if (fd < 0)
			continue;
		if (!elf_file__open(&found->elf, fd)) {
			if (matches(&found->elf, search, identity)) {
				found->path = path;
				return 0;
			}
			found->of_other_build |= !identity->build_id[0] && !found->elf.over;
		}
		if (found->elf.over)
			elf_file__exceed(file, "a debug file that it names is over a limit");
		elf_file__close(&found->elf);
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

static int find_by_build_id(struct debug_file *found, const struct search *search,
			    const struct identity *identity, struct elf_file *file)
{
	const char *hex = identity->build_id;

	if (strlen(hex) < 2 * MIN_BUILD_ID)
		return -ENOENT;
	return try_path(found, search, identity,
			format(DEBUG_DIRECTORY "/.build-id/%.2s/%s.debug", hex, hex + 2), file);
}

static int directory_length(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash - path : 0;
}

int debug_file__find(struct debug_file *found, const struct search *search, struct elf_file *file,
		     const char *path)
{
	static const char *const places[] = { "%.*s/%s", "%.*s/.debug/%s",
					      DEBUG_DIRECTORY "%.*s/%s" };
	char build_id[BUILD_ID_HEX];
	struct identity identity = { .build_id = build_id };
	struct elf_link link;
	int err;

	*found = (struct debug_file){};
	elf__build_id(file, build_id);
	err = find_by_build_id(found, search, &identity, file);
	if (err != -ENOENT)
		return err;

	err = elf__debug_link(file, &link);
	if (err)
		return err;
	identity = (struct identity){ "", link.crc };
	err = -ENOENT;
	for (size_t i = 0; link.name && err == -ENOENT && i < sizeof(places) / sizeof(places[0]); i++)
		err = try_path(found, search, &identity,
			       format(places[i], directory_length(path), path, link.name), file);
	elf_link__release(&link);
	return err;
}

int debug_file__find_shared(struct debug_file *found, const struct search *search,
			    struct elf_file *file, const char *path)
{
	struct identity identity;
	struct elf_link link;
	int err;

	*found = (struct debug_file){};
	err = elf__shared_link(file, &link);
	if (err)
		return err;
	if (!link.name || !link.build_id[0]) {
		elf_link__release(&link);
		return -ENOENT;
	}
	identity = (struct identity){ .build_id = link.build_id };
	err = find_by_build_id(found, search, &identity, file);
	if (err == -ENOENT)
		err = try_path(found, search, &identity,
			       link.name[0] == '/' ? strdup(link.name) :
						     format("%.*s/%s", directory_length(path), path,
							    link.name), file);
	elf_link__release(&link);
	return err;
}
