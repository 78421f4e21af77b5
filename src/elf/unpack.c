// SPDX-License-Identifier: GPL-2.0-or-later
#include "elf/unpack.h"

#include <elf.h>
#include <errno.h>
#include <sys/param.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#define INPUT_SIZE 65536

#ifndef ELFCOMPRESS_ZSTD
#define ELFCOMPRESS_ZSTD 2	/* since glibc 2.37 */
#endif

struct input {
	int fd;
	uint64_t offset, left;
	uint8_t bytes[INPUT_SIZE];
};

/* Bytes read, 0 at the end or on an error. */
static size_t refill(struct input *input)
{
	ssize_t n = pread(input->fd, input->bytes, MIN(input->left, INPUT_SIZE), input->offset);

	if (n <= 0)
		return 0;
	input->offset += n;
	input->left -= n;
	return n;
}

static int unpack_zlib(struct input *input, uint8_t *to, size_t size)
{
	z_stream stream = {};
	size_t done = 0;
	int result = Z_OK;

	if (inflateInit(&stream) != Z_OK)
		return -ENOMEM;
	while (result == Z_OK) {
		if (!stream.avail_in) {
			stream.next_in = input->bytes;
			stream.avail_in = refill(input);
		}
		stream.next_out = to + done;
		stream.avail_out = MIN(size - done, UINT32_MAX);
		result = inflate(&stream, Z_NO_FLUSH);
		done = stream.next_out - to;
	}
	inflateEnd(&stream);
	return result == Z_STREAM_END && done == size ? 0 : -EINVAL;
}

static int unpack_zstd(struct input *input, uint8_t *to, size_t size)
{
	ZSTD_DStream *stream = ZSTD_createDStream();
	ZSTD_outBuffer out = { to, size, 0 };
	ZSTD_inBuffer in = { input->bytes, 0, 0 };
	size_t hint = 1;

	if (!stream)
		return -ENOMEM;
	while (hint && !ZSTD_isError(hint)) {
		size_t before = out.pos;

		if (in.pos == in.size)
			in = (ZSTD_inBuffer){ input->bytes, refill(input), 0 };
		hint = ZSTD_decompressStream(stream, &out, &in);
		/* No way on: the input has ended, or there is more than there should be. */
		if (out.pos == before && (!in.size || out.pos == size) && in.pos == in.size)
			break;
	}
	ZSTD_freeDStream(stream);
	return !hint && out.pos == size ? 0 : -EINVAL;
}

int elf_unpack(int fd, uint64_t offset, uint64_t packed, uint32_t type, void *to, size_t size)
{
	struct input input = { .fd = fd, .offset = offset, .left = packed };

	switch (type) {
	case ELFCOMPRESS_ZLIB:
		return unpack_zlib(&input, to, size);
	case ELFCOMPRESS_ZSTD:
		return unpack_zstd(&input, to, size);
	default:
		return -EINVAL;
	}
}
