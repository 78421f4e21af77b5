// SPDX-License-Identifier: GPL-2.0-or-later
#include "files/describe.h"

static int read_headers(int fd, struct file_description *description)
{
	struct elf_file file;
	int err = elf_file__open(&file, fd);

	if (!err) {
		elf__build_id(&file, description->build_id);
		description->library = elf__has_dynamic(&file, DT_SONAME);
		description->code = file.code;
	}
	description->over = file.over;
	elf_file__close(&file);
	return err;
}

int file__describe(int fd, const char *path, struct custom_allocator *custom,
		   struct file_description *description)
{
	int err;

	*description = (struct file_description){};
	err = read_headers(fd, description);
	if (err || !description->code.count)
		return err;
	err = probes__find(fd, path, custom, &description->probes);
	if (!description->over)
		description->over = description->probes.over;
	mappers__find(fd, &description->mappers);
	return err;
}

void file_description__release(struct file_description *description)
{
	probes__free(&description->probes);
}
