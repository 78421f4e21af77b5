// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "process/root.h"
#include "symbol/debug_file.h"
#include "symbol/image.h"
#include "symbol/symbol.h"

int symbol__open_debug_file(int fd, const char *path, const struct root *root)
{
	int ours = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC), err = -ENOENT;
	struct search search = { .nroots = 0 };
	struct debug_file file = {};
	Elf *elf = image__elf(fd);

	if (root)
		search.roots[search.nroots++] = root__fd(root);
	if (ours >= 0)
		search.roots[search.nroots++] = ours;
	if (!elf)
		err = -ENOEXEC;
	else if (search.nroots)
		err = debug_file__find(&file, &search, elf, path);
	if (!err)
		err = fcntl(file.fd, F_DUPFD_CLOEXEC, 0);
	debug_file__close(&file);
	if (ours >= 0)
		close(ours);
	elf_end(elf);
	return err;
}
