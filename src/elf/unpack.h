/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef MT_ELF_UNPACK_H
#define MT_ELF_UNPACK_H

#include <stddef.h>
#include <stdint.h>

/*
 * Unpacks a compressed section (ELFCOMPRESS_ZLIB, ELFCOMPRESS_ZSTD) that lies in [offset, offset +
 * packed) of the file, a little at a time, into exactly `size` bytes. 0, -EINVAL or -ENOMEM.
 */
int elf_unpack(int fd, uint64_t offset, uint64_t packed, uint32_t type, void *to, size_t size);

#endif
