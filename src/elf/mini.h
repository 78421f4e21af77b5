/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef MT_ELF_MINI_H
#define MT_ELF_MINI_H

#include "elf/file.h"

/*
 * .gnu_debugdata ("mini debug info"): an ELF file with a symbol table, packed with xz. A descriptor of
 * what is in it, for the caller to close; -ENOENT: there is none; -EINVAL: it is damaged; -EFBIG: over
 * a limit, which is noted; -ENOMEM; -errno.
 */
int elf__mini_debug(struct elf_file *file);

#endif
