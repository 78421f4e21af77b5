// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/dynamic.h"

#include <gelf.h>
#include <stddef.h>

bool dynamic__has(Elf *elf, int64_t tag)
{
	Elf_Scn *section = NULL;
	GElf_Shdr header;
	GElf_Dyn entry;

	while ((section = elf_nextscn(elf, section))) {
		Elf_Data *data;

		if (!gelf_getshdr(section, &header) || header.sh_type != SHT_DYNAMIC)
			continue;
		data = elf_getdata(section, NULL);
		for (int i = 0; data && gelf_getdyn(data, i, &entry) && entry.d_tag != DT_NULL; i++)
			if (entry.d_tag == tag)
				return true;
	}
	return false;
}
