/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A file with code as plain data: all that is known of it before its rows and its names. The one way
 * to look at a file that a target maps. It opens nothing, is bounded (base/limits.h), and keeps no
 * pointer into anything but static text: so it could run in another process.
 */
#ifndef MT_FILES_DESCRIBE_H
#define MT_FILES_DESCRIBE_H

#include "elf/notes.h"
#include "probe/mappers.h"
#include "probe/probe.h"

struct file_description {
	char build_id[BUILD_ID_HEX];	/* "": none */
	struct elf_code code;		/* empty: it is no x86-64 ELF file */
	bool library;			/* it has a name for the dynamic linker */
	struct probes probes;
	struct mappers mappers;
	const char *over;		/* a limit that it is over, in words; static; NULL: none */
};

/*
 * `path` is what messages call the file `fd`; `custom` is the user's list, or NULL. What cannot be
 * read stays empty; 0, or the error of what stopped it: -ENOEXEC, -ENOMEM, -errno.
 * file_description__release() in any case, unless the probes were taken out.
 */
int file__describe(int fd, const char *path, struct custom_allocator *custom,
		   struct file_description *description);
void file_description__release(struct file_description *description);

#endif
