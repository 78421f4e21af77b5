/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The dynamic linker's interface to debuggers (elf/link.h, struct r_debug). */
#ifndef MT_LINKER_H
#define MT_LINKER_H

#include <stdint.h>

struct linker_hook {
	uint64_t function;	/* file offset of _dl_debug_state; 0: this file is no linker */
	uint64_t r_debug;	/* address of _r_debug in the file's own numbering; 0: not exported */
};

/* Looks for the hook in the ELF file `fd`. 0, also where there is none; -errno. */
int linker__find_hook(int fd, struct linker_hook *hook);

#endif
