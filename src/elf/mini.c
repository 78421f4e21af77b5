// SPDX-License-Identifier: GPL-2.0-or-later
#include "elf/mini.h"

#include <errno.h>
#include <lzma.h>
#include <sys/mman.h>
#include <sys/param.h>
#include <unistd.h>

#define CHUNK 65536
#define MAX_DICTIONARY (64UL << 20)	/* xz -9 takes as much */

struct unpacking {
	struct elf_file *file;
	uint64_t offset, left;
	int to;
	lzma_stream stream;
	uint8_t in[CHUNK], out[CHUNK];
};

static int write_out(struct unpacking *unpacking)
{
	size_t size = CHUNK - unpacking->stream.avail_out;

	if (!elf_file__take(unpacking->file, size))
		return -EFBIG;
	if (write(unpacking->to, unpacking->out, size) != (ssize_t)size)
		return -ENOMEM;
	unpacking->stream.next_out = unpacking->out;
	unpacking->stream.avail_out = CHUNK;
	return 0;
}

static void refill(struct unpacking *unpacking)
{
	ssize_t n = elf_file__pread(unpacking->file, unpacking->in, MIN(unpacking->left, CHUNK),
				    unpacking->offset);

	unpacking->stream.next_in = unpacking->in;
	unpacking->stream.avail_in = n > 0 ? n : 0;
	unpacking->offset += unpacking->stream.avail_in;
	unpacking->left -= unpacking->stream.avail_in;
}

static int unpack(struct unpacking *unpacking)
{
	lzma_stream *stream = &unpacking->stream;
	lzma_ret result = LZMA_OK;
	int err = 0;

	stream->next_out = unpacking->out;
	stream->avail_out = CHUNK;
	while (!err && result == LZMA_OK) {
		if (elf_file__is_late(unpacking->file))
			return -EFBIG;
		if (!stream->avail_in)
			refill(unpacking);
		result = lzma_code(stream, unpacking->left ? LZMA_RUN : LZMA_FINISH);
		if (result != LZMA_OK || !stream->avail_out)
			err = write_out(unpacking);
	}
	if (err)
		return err;
	return result == LZMA_STREAM_END ? 0 : result == LZMA_MEM_ERROR ? -ENOMEM : -EINVAL;
}

int elf__mini_debug(struct elf_file *file)
{
	const Elf64_Shdr *section = elf_file__section(file, ".gnu_debugdata");
	struct unpacking unpacking = { .file = file, .stream = LZMA_STREAM_INIT };
	int err;

	if (!section)
		return -ENOENT;
	unpacking.offset = section->sh_offset;
	unpacking.left = section->sh_size;
	unpacking.to = memfd_create("gnu_debugdata", MFD_CLOEXEC);
	if (unpacking.to < 0)
		return -errno;
	err = lzma_stream_decoder(&unpacking.stream, MAX_DICTIONARY, 0) == LZMA_OK ?
		      unpack(&unpacking) : -ENOMEM;
	lzma_end(&unpacking.stream);
	if (!err)
		return unpacking.to;
	close(unpacking.to);
	return err;
}
