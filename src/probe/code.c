// SPDX-License-Identifier: GPL-2.0-or-later
#include "probe/code.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static bool is_x86_64(Elf *elf)
{
	GElf_Ehdr header;

	return elf_kind(elf) == ELF_K_ELF && gelf_getehdr(elf, &header) &&
	       header.e_ident[EI_CLASS] == ELFCLASS64 &&
	       header.e_ident[EI_DATA] == ELFDATA2LSB && header.e_machine == EM_X86_64 &&
	       (header.e_type == ET_EXEC || header.e_type == ET_DYN);
}

int code__open(struct code *code, int fd)
{
	*code = (struct code){ .fd = fd };
	elf_version(EV_CURRENT);
	/* Read, not mapped: a file that is cut short meanwhile must not kill us. */
	code->elf = elf_begin(fd, ELF_C_READ, NULL);
	return code->elf && is_x86_64(code->elf) ? 0 : -ENOEXEC;
}

void code__close(struct code *code)
{
	cfi_section__release(&code->frames);
	elf_end(code->elf);
}

bool code__offset(const struct code *code, uint64_t address, uint64_t *offset,
		  uint64_t *available)
{
	size_t nphdrs;

	if (elf_getphdrnum(code->elf, &nphdrs))
		return false;
	for (size_t i = 0; i < nphdrs; i++) {
		GElf_Phdr phdr;

		if (!gelf_getphdr(code->elf, i, &phdr))
			return false;
		if (phdr.p_type != PT_LOAD || !(phdr.p_flags & PF_X) || address < phdr.p_vaddr ||
		    address - phdr.p_vaddr >= phdr.p_filesz ||
		    phdr.p_offset > (uint64_t)INT64_MAX - phdr.p_filesz)
			continue;
		*offset = phdr.p_offset + (address - phdr.p_vaddr);
		*available = phdr.p_filesz - (address - phdr.p_vaddr);
		return true;
	}
	return false;
}

ssize_t code__read(const struct code *code, uint64_t address, void *bytes, size_t size)
{
	uint64_t offset, available;
	ssize_t n;

	if (!code__offset(code, address, &offset, &available))
		return 0;
	n = pread(code->fd, bytes, size < available ? size : available, offset);
	return n < 0 ? -errno : n;
}

/* The section `name`, or of several, the first. */
static Elf_Scn *find_section(Elf *elf, const char *name, GElf_Shdr *header)
{
	Elf_Scn *section = NULL;
	size_t names;

	if (elf_getshdrstrndx(elf, &names))
		return NULL;
	while ((section = elf_nextscn(elf, section))) {
		const char *its_name;

		if (!gelf_getshdr(section, header))
			continue;
		its_name = elf_strptr(elf, names, header->sh_name);
		if (its_name && !strcmp(its_name, name))
			break;
	}
	return section;
}

static void read_frames(struct code *code)
{
	GElf_Shdr header;
	Elf_Scn *section = find_section(code->elf, ".eh_frame", &header);
	Elf_Data *data = section ? elf_rawdata(section, NULL) : NULL;

	code->has_frames = true;
	if (!data || !data->d_buf)
		return;
	code->frames.is_eh = true;
	code->frames.bytes = (struct image_bytes){
		.data = data->d_buf, .size = data->d_size, .address = header.sh_addr,
	};
	/* What of it cannot be read describes nothing. */
	cfi_section__read(&code->frames);
}

bool code__described(struct code *code, uint64_t address, uint64_t *start, uint64_t *end)
{
	if (!code->has_frames)
		read_frames(code);
	for (size_t i = 0; i < code->frames.nfdes; i++) {
		const struct cfi_fde *fde = &code->frames.fdes[i];

		if (address < fde->start || address >= fde->end)
			continue;
		*start = fde->start;
		*end = fde->end;
		return true;
	}
	return false;
}

/* The symbol's own address, if it is defined here. */
static bool symbol_address(Elf *elf, size_t table, size_t index, uint64_t *address)
{
	Elf_Scn *section = elf_getscn(elf, table);
	Elf_Data *data = section ? elf_getdata(section, NULL) : NULL;
	GElf_Sym sym;

	if (!data || !gelf_getsym(data, index, &sym) || sym.st_shndx == SHN_UNDEF)
		return false;
	*address = sym.st_value;
	return true;
}

static bool follow_relocation(Elf *elf, size_t symbols, const GElf_Rela *rela, uint64_t *target)
{
	switch (GELF_R_TYPE(rela->r_info)) {
	case R_X86_64_JUMP_SLOT:
	case R_X86_64_GLOB_DAT:
		return symbol_address(elf, symbols, GELF_R_SYM(rela->r_info), target);
	case R_X86_64_RELATIVE:
		*target = rela->r_addend;
		return true;
	default:
		return false;
	}
}

bool code__relocated(const struct code *code, uint64_t slot, uint64_t *target)
{
	Elf_Scn *section = NULL;

	while ((section = elf_nextscn(code->elf, section))) {
		GElf_Shdr header;
		GElf_Rela rela;
		Elf_Data *data;

		if (!gelf_getshdr(section, &header) || header.sh_type != SHT_RELA)
			continue;
		data = elf_getdata(section, NULL);
		for (int i = 0; data && gelf_getrela(data, i, &rela); i++)
			if (rela.r_offset == slot)
				return follow_relocation(code->elf, header.sh_link, &rela, target);
	}
	return false;
}
