/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an ELF file says of itself: its build id, what the dynamic linker is to know, its debug file. */
#ifndef MT_ELF_NOTES_H
#define MT_ELF_NOTES_H

#include "elf/file.h"

#define MAX_BUILD_ID 64
#define BUILD_ID_HEX (2 * MAX_BUILD_ID + 1)

/* In hex; "": none. False: the same. */
bool elf__build_id(struct elf_file *file, char hex[static BUILD_ID_HEX]);
/* Does the dynamic section have an entry with this tag (DT_...)? A static program has no section. */
bool elf__has_dynamic(struct elf_file *file, int64_t tag);

/* Where the rest of its debug information is: a name, and what that file is known by. */
struct elf_link {
	char *name;		/* NULL: there is no link. elf_link__release() frees it. */
	uint32_t crc;		/* of .gnu_debuglink: of the whole file */
	char build_id[BUILD_ID_HEX]; /* of .gnu_debugaltlink */
};

/* 0 or -ENOMEM. */
int elf__debug_link(struct elf_file *file, struct elf_link *link);
int elf__shared_link(struct elf_file *file, struct elf_link *link);
void elf_link__release(struct elf_link *link);

#endif
