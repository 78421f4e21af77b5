/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where the debug file of an ELF file is, as gdb's manual has it ("Separate Debug Files"). */
#ifndef MT_SYMBOL_DEBUG_FILE_H
#define MT_SYMBOL_DEBUG_FILE_H

#include <elfutils/libdw.h>
#include <stdbool.h>

/* The directory trees to look in, first to last: the target's, then our own. O_PATH descriptors. */
struct search {
	int roots[2];
	unsigned int nroots;
};

struct debug_file {
	int fd;
	Elf *elf;	/* NULL: none */
	char *path;	/* below the root it was found in */
	bool of_other_build;	/* there is one by the debuglink's name, but its checksum differs */
};

/*
 * By build id, else by .gnu_debuglink with the right checksum. `path` is where `elf` is below the
 * first root. 0, -ENOENT or -ENOMEM. debug_file__close() releases, on a file of zeros too.
 */
int debug_file__find(struct debug_file *file, const struct search *search, Elf *elf,
		     const char *path);
/* The file that dwz moved what several debug files share to, by .gnu_debugaltlink's build id. */
int debug_file__find_shared(struct debug_file *file, const struct search *search, Dwarf *dwarf,
			    const char *path);
void debug_file__close(struct debug_file *file);

#endif
