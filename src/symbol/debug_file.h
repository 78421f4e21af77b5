/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where the debug file of an ELF file is, as gdb's manual has it ("Separate Debug Files"). */
#ifndef MT_SYMBOL_DEBUG_FILE_H
#define MT_SYMBOL_DEBUG_FILE_H

#include <pthread.h>
#include <stdbool.h>
#include <sys/types.h>
#include <time.h>

#include "elf/notes.h"

#define KNOWN_CHECKSUMS 32

/* Checksums of whole files that were read lately: a hundred libraries may name the same one. */
struct checksums {
	pthread_mutex_t lock;	/* files are read by one thread, names looked up by another */
	struct checksum {
		dev_t device;
		ino_t inode;
		off_t size;
		struct timespec changed;
		uint32_t crc;
	} known[KNOWN_CHECKSUMS];
	unsigned int count, next;
};

/* The directory trees to look in, first to last: the target's, then our own. O_PATH descriptors. */
struct search {
	int roots[2];
	unsigned int nroots;
	struct checksums *checksums;
};

struct debug_file {
	struct elf_file elf;	/* of a descriptor that it owns */
	char *path;		/* below the root it was found in; NULL: there is no file */
	bool of_other_build;	/* there is one by the debuglink's name, but its checksum differs */
};

/*
 * By build id, else by .gnu_debuglink with the right checksum. `path` is where `file` is below the
 * first root. 0, -ENOENT or -ENOMEM. debug_file__close() releases, on a file of zeros too.
 */
int debug_file__find(struct debug_file *found, const struct search *search, struct elf_file *file,
		     const char *path);
/* The file that dwz moved what several debug files share to, by .gnu_debugaltlink's build id. */
int debug_file__find_shared(struct debug_file *found, const struct search *search,
			    struct elf_file *file, const char *path);
void debug_file__close(struct debug_file *file);

#endif
