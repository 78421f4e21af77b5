// SPDX-License-Identifier: GPL-2.0-or-later
#include "target/linker.h"

#include <errno.h>
#include <gelf.h>
#include <string.h>

static uint64_t file_offset(Elf *elf, uint64_t address)
{
	size_t n = 0;

	if (elf_getphdrnum(elf, &n))
		return 0;
	for (size_t i = 0; i < n; i++) {
		GElf_Phdr phdr;

		if (gelf_getphdr(elf, i, &phdr) && phdr.p_type == PT_LOAD &&
		    address >= phdr.p_vaddr && address - phdr.p_vaddr < phdr.p_filesz)
			return phdr.p_offset + (address - phdr.p_vaddr);
	}
	return 0;
}

static void look_at_symbols(Elf *elf, Elf_Scn *section, const GElf_Shdr *header,
			    struct linker_hook *hook)
{
	Elf_Data *data = elf_getdata(section, NULL);
	size_t n = data && header->sh_entsize ? data->d_size / header->sh_entsize : 0;

	for (size_t i = 0; i < n; i++) {
		GElf_Sym sym;
		const char *name;

		if (!gelf_getsym(data, i, &sym) || sym.st_shndx == SHN_UNDEF)
			continue;
		name = elf_strptr(elf, header->sh_link, sym.st_name);
		if (!name)
			continue;
		if (!strcmp(name, "_dl_debug_state"))
			hook->function = file_offset(elf, sym.st_value);
		else if (!strcmp(name, "_r_debug"))
			hook->r_debug = sym.st_value;
	}
}

int linker__find_hook(int fd, struct linker_hook *hook)
{
	Elf_Scn *section = NULL;
	Elf *elf;

	memset(hook, 0, sizeof(*hook));
	elf_version(EV_CURRENT);
	elf = elf_begin(fd, ELF_C_READ_MMAP, NULL);
	if (!elf)
		return -ENOEXEC;
	while ((section = elf_nextscn(elf, section))) {
		GElf_Shdr header;

		if (gelf_getshdr(section, &header) && header.sh_type == SHT_DYNSYM)
			look_at_symbols(elf, section, &header, hook);
	}
	elf_end(elf);
	return 0;
}
