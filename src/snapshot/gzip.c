// SPDX-License-Identifier: GPL-2.0-or-later
#include "snapshot/gzip.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/limits.h"

static int inflate_all(gzFile in, uint8_t **data, size_t *size)
{
	size_t room = 0;

	for (;;) {
		int n;

		if (*size == room) {
			uint8_t *larger;

			room = room ? 2 * room : 1 << 20;
			if (room > MAX_SNAPSHOT_SIZE)
				return -EFBIG;
			larger = realloc(*data, room);
			if (!larger)
				return -ENOMEM;
			*data = larger;
		}
		errno = 0;
		n = gzread(in, *data + *size, room - *size);
		if (n < 0)
			return errno ? -errno : -EINVAL;
		if (!n)
			break;
		*size += n;
	}
	/* A file that was cut off ends quietly for gzread; gzclose_r tells. */
	return 0;
}

int gzip__read(const char *path, uint8_t **data, size_t *size)
{
	int fd, err, closed;
	struct stat st;
	gzFile in;

	*data = NULL;
	*size = 0;
	fd = strcmp(path, "-") ? open(path, O_RDONLY | O_CLOEXEC)
			       : fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (!fstat(fd, &st) && S_ISDIR(st.st_mode)) {
		close(fd);
		return -EISDIR;
	}
	in = gzdopen(fd, "rb");
	if (!in) {
		close(fd);
		return -ENOMEM;
	}
	gzbuffer(in, 256 << 10);
	err = inflate_all(in, data, size);
	closed = gzclose_r(in);
	if (!err && closed != Z_OK)
		err = -EINVAL;
	if (err) {
		free(*data);
		*data = NULL;
	}
	return err;
}
