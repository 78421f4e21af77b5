// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "symbol/debug_file.h"
#include "symbol/image.h"
#include "symbol/symbol.h"

int symbol__open_debug_file(int fd, const char *path, const char *root)
{
	struct search search = { .nroots = 0 };
	struct debug_file file = {};
	Elf *elf = image__elf(fd);
	int err = -ENOENT, opened;

	if (!elf)
		return -ENOEXEC;
	for (int i = 0; i < 2; i++) {
		opened = open(i || !*root ? "/" : root, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (opened >= 0)
			search.roots[search.nroots++] = opened;
	}
	if (search.nroots)
		err = debug_file__find(&file, &search, elf, path);
	if (!err)
		err = fcntl(file.fd, F_DUPFD_CLOEXEC, 0);
	debug_file__close(&file);
	for (unsigned int i = 0; i < search.nroots; i++)
		close(search.roots[i]);
	elf_end(elf);
	return err;
}
