/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an ELF file tells the dynamic linker. */
#ifndef MT_DYNAMIC_H
#define MT_DYNAMIC_H

#include <libelf.h>
#include <stdbool.h>
#include <stdint.h>

/* Does the dynamic section have an entry with this tag (DT_...)? A static program has no section. */
bool dynamic__has(Elf *elf, int64_t tag);

#endif
