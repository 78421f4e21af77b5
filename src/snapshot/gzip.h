/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef MT_SNAPSHOT_GZIP_H
#define MT_SNAPSHOT_GZIP_H

#include <stddef.h>
#include <stdint.h>

/*
 * Reads a file, unpacked if it is gzip'd. The caller frees *data. -EINVAL where it is damaged or
 * cut off, -EFBIG where it unpacks to more than 1 GiB, or another -errno.
 */
int gzip__read(const char *path, uint8_t **data, size_t *size);

#endif
