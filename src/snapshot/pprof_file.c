// SPDX-License-Identifier: GPL-2.0-or-later
/* The file of a snapshot: there in whole or not at all. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "snapshot/pprof.h"

char *pprof__numbered_path(const char *path, unsigned int number)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	/* The name of a hidden file begins with a dot that is not its extension's. */
	const char *end = *name ? name + 1 + strcspn(name + 1, ".") : name;
	char *numbered;

	if (asprintf(&numbered, "%.*s.%u%s", (int)(end - path), path, number, end) < 0)
		return NULL;
	return numbered;
}

/* Passes the error on, after a sentence. */
static int fails(const char *path, int err)
{
	if (err)
		log__error("cannot write the snapshot %s: %s", path,
			   err == -EINVAL ? "not a regular file" : strerror(-err));
	return err;
}

/* A new file beside `path`, mode 0600; the caller frees its name. Its descriptor or -errno. */
static int open_temporary(const char *path, char **temporary)
{
	struct stat there;
	int fd;

	*temporary = NULL;
	if (!stat(path, &there) && !S_ISREG(there.st_mode))
		/* Renaming would put a file in the place of /dev/null. */
		return S_ISDIR(there.st_mode) ? -EISDIR : -EINVAL;
	if (asprintf(temporary, "%s.XXXXXX", path) < 0) {
		*temporary = NULL;
		return -ENOMEM;
	}
	fd = mkostemp(*temporary, O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int pprof__try(const char *path)
{
	char *temporary;
	int fd = open_temporary(path, &temporary), err = fd < 0 ? fd : 0;

	if (fd >= 0) {
		close(fd);
		unlink(temporary);
	}
	free(temporary);
	return fails(path, err);
}

int pprof__write(const struct snapshot *snapshot, const char *path)
{
	char *temporary;
	int fd = open_temporary(path, &temporary), err = fd < 0 ? fd : 0;

	if (fd < 0)
		goto out;
	err = pprof__write_fd(snapshot, fd);
	if (!err && fsync(fd))
		err = -errno;
	if (close(fd) && !err)
		err = -errno;
	if (!err && rename(temporary, path))
		err = -errno;
	if (err)
		unlink(temporary);
out:
	free(temporary);
	return fails(path, err);
}
