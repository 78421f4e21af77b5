// SPDX-License-Identifier: GPL-2.0-or-later
#include "collect/identical.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "elf/file.h"
#include "elf/notes.h"

#define MAX_COMPARED (512LL << 20)	/* bytes */
#define PIECE 65536

/* Neither may end before its size. */
static bool same_bytes(int a, int b, off_t size)
{
	char ours[PIECE], theirs[PIECE];
	ssize_t n = 0;

	for (off_t at = 0; at < size; at += n) {
		size_t piece = size - at < PIECE ? size - at : PIECE;

		n = pread(a, ours, piece, at);
		if (n <= 0 || pread(b, theirs, n, at) != n || memcmp(ours, theirs, n))
			return false;
	}
	return true;
}

static bool same_content(int a, int b)
{
	struct stat ours, theirs;

	if (fstat(a, &ours) || fstat(b, &theirs))
		return false;
	if (ours.st_dev == theirs.st_dev && ours.st_ino == theirs.st_ino)
		return true;
	return ours.st_uid == theirs.st_uid && ours.st_size == theirs.st_size &&
	       ours.st_size <= MAX_COMPARED && same_bytes(a, b, ours.st_size);
}

/* dwz moves what several files share to one that is found below the root directory. */
static bool has_shared_names(int fd)
{
	struct elf_file file;
	struct elf_link link = {};
	bool has = elf_file__open(&file, fd) || elf__shared_link(&file, &link) || link.name;

	elf_link__release(&link);
	elf_file__close(&file);
	return has;
}

/* What is read of them besides themselves is the same, too. */
static bool same_names(struct symbolizer *symbolizer, const struct module *a,
		       const struct module *b)
{
	int ours, theirs;
	bool same;

	if (a->root == b->root && !strcmp(a->path, b->path))
		return true;
	ours = symbolizer__open_debug_file(symbolizer, a->fd, a->path, a->root);
	theirs = symbolizer__open_debug_file(symbolizer, b->fd, b->path, b->root);
	same = ours < 0 || theirs < 0 ? ours < 0 && theirs < 0 : same_content(ours, theirs);
	if (a->root != b->root)
		same = same && !has_shared_names(ours >= 0 ? ours : a->fd);
	if (ours >= 0)
		close(ours);
	if (theirs >= 0)
		close(theirs);
	return same;
}

bool module__is_identical(struct symbolizer *symbolizer, const struct module *a,
			  const struct module *b)
{
	return a->fd >= 0 && b->fd >= 0 && same_content(a->fd, b->fd) &&
	       same_names(symbolizer, a, b);
}
