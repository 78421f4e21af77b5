// SPDX-License-Identifier: GPL-2.0-or-later
#include "elf/notes.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/param.h>

/* A note is some dozens of bytes; a name as long as a path. */
#define MAX_NOTES_SIZE 65536
#define MAX_LINK_SIZE 8192

static void write_hex(const uint8_t *bytes, size_t size, char hex[static BUILD_ID_HEX])
{
	hex[0] = '\0';
	for (size_t i = 0; i < size && size <= MAX_BUILD_ID; i++)
		sprintf(hex + 2 * i, "%02x", bytes[i]);
}

static size_t aligned(size_t size)
{
	return (size + 3) & ~3UL;
}

static bool find_build_id(struct elf_file *file, uint64_t offset, uint64_t size,
			  char hex[static BUILD_ID_HEX])
{
	struct elf_bytes notes;
	Elf64_Nhdr note;
	bool found = false;
	size_t at = 0;

	if (elf_file__read_bytes(file, offset, MIN(size, MAX_NOTES_SIZE), &notes))
		return false;
	while (!found && notes.size - at >= sizeof(note)) {
		uint64_t name, bytes;

		memcpy(&note, notes.data + at, sizeof(note));
		name = at + sizeof(note);
		bytes = name + aligned(note.n_namesz);
		if (note.n_namesz > notes.size || note.n_descsz > notes.size ||
		    bytes + note.n_descsz > notes.size)
			break;
		found = note.n_type == NT_GNU_BUILD_ID && note.n_namesz == sizeof(ELF_NOTE_GNU) &&
			!memcmp(notes.data + name, ELF_NOTE_GNU, sizeof(ELF_NOTE_GNU)) &&
			note.n_descsz && note.n_descsz <= MAX_BUILD_ID;
		if (found)
			write_hex(notes.data + bytes, note.n_descsz, hex);
		at = MIN(bytes + aligned(note.n_descsz), notes.size);
	}
	elf_bytes__release(&notes);
	return found;
}

bool elf__build_id(struct elf_file *file, char hex[static BUILD_ID_HEX])
{
	hex[0] = '\0';
	/* In a debug file the segments still tell of where the program had its notes. */
	for (size_t i = 0; i < file->nsections; i++)
		if (file->sections[i].sh_type == SHT_NOTE &&
		    find_build_id(file, file->sections[i].sh_offset, file->sections[i].sh_size, hex))
			return true;
	for (size_t i = 0; i < file->nsegments && !file->nsections; i++)
		if (file->segments[i].p_type == PT_NOTE &&
		    find_build_id(file, file->segments[i].p_offset, file->segments[i].p_filesz, hex))
			return true;
	return false;
}

bool elf__has_dynamic(struct elf_file *file, int64_t tag)
{
	const Elf64_Shdr *section = elf_file__section_of_type(file, SHT_DYNAMIC);
	struct elf_bytes bytes;
	bool found = false;
	Elf64_Dyn entry;

	if (!section || elf_file__read_section(file, section, &bytes))
		return false;
	for (size_t at = 0; !found && bytes.size - at >= sizeof(entry); at += sizeof(entry)) {
		memcpy(&entry, bytes.data + at, sizeof(entry));
		if (entry.d_tag == DT_NULL)
			break;
		found = entry.d_tag == tag;
	}
	elf_bytes__release(&bytes);
	return found;
}

/* The section's bytes and the name that they begin with. 0, -ENOENT or -ENOMEM. */
static int read_link(struct elf_file *file, const char *section_name, struct elf_link *link,
		     struct elf_bytes *bytes, size_t *behind)
{
	const Elf64_Shdr *section = elf_file__section(file, section_name);
	int err;

	*link = (struct elf_link){};
	*bytes = (struct elf_bytes){};
	if (!section)
		return -ENOENT;
	err = elf_file__read_bytes(file, section->sh_offset, MIN(section->sh_size, MAX_LINK_SIZE),
				   bytes);
	if (err)
		return err == -ENOMEM ? err : -ENOENT;
	*behind = strnlen((const char *)bytes->data, bytes->size) + 1;
	if (*behind == 1 || *behind > bytes->size)
		return -ENOENT;
	link->name = strdup((const char *)bytes->data);
	return link->name ? 0 : -ENOMEM;
}

int elf__debug_link(struct elf_file *file, struct elf_link *link)
{
	struct elf_bytes bytes;
	size_t behind;
	int err = read_link(file, ".gnu_debuglink", link, &bytes, &behind);

	if (!err) {
		behind = aligned(behind);
		if (behind <= bytes.size && bytes.size - behind >= sizeof(link->crc))
			memcpy(&link->crc, bytes.data + behind, sizeof(link->crc));
		else
			elf_link__release(link);
	}
	elf_bytes__release(&bytes);
	return err == -ENOENT ? 0 : err;
}

int elf__shared_link(struct elf_file *file, struct elf_link *link)
{
	struct elf_bytes bytes;
	size_t behind;
	int err = read_link(file, ".gnu_debugaltlink", link, &bytes, &behind);

	if (!err)
		write_hex(bytes.data + behind, bytes.size - behind, link->build_id);
	elf_bytes__release(&bytes);
	return err == -ENOENT ? 0 : err;
}

void elf_link__release(struct elf_link *link)
{
	free(link->name);
	*link = (struct elf_link){};
}
