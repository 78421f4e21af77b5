// SPDX-License-Identifier: GPL-2.0-or-later
#include "symbol/files.h"

#include <errno.h>
#include <unistd.h>

#include "elf/mini.h"

static bool has_dwarf(const struct elf_file *file)
{
	return elf_file__section(file, ".debug_info") || elf_file__section(file, ".zdebug_info");
}

static int open_mini(struct symbol_files *files)
{
	int fd = elf__mini_debug(&files->elf);

	if (fd < 0)
		return fd == -ENOMEM ? fd : 0;
	if (!elf_file__open(&files->mini, fd))
		return 0;
	elf_file__close(&files->mini);
	files->mini.fd = -1;
	close(fd);
	return 0;
}

int symbol_files__open(struct symbol_files *files, int fd, const char *path,
		       const struct search *search)
{
	int err;

	*files = (struct symbol_files){ .mini.fd = -1 };
	err = elf_file__open(&files->elf, fd);
	if (err || has_dwarf(&files->elf)) {
		files->with_dwarf = err ? NULL : &files->elf;
		return err;
	}
	err = debug_file__find(&files->debug, search, &files->elf, path);
	if (!err && has_dwarf(&files->debug.elf))
		files->with_dwarf = &files->debug.elf;
	return err == -ENOENT ? open_mini(files) : err;
}

/*
 * As gdb, do without DWARF that refers to a shared file which is not there. libdw would look for
 * it on its own, and open whatever has that name.
 */
static int read_shared(struct symbol_files *files, const char *path, const struct search *search)
{
	int err = debug_file__find_shared(&files->shared, search, files->with_dwarf, path);

	if (!err)
		err = dwarf_image__open(&files->shared_dwarf, &files->shared.elf);
	if (!err && !files->shared_dwarf.dwarf)
		err = -ENOENT;
	if (err)
		dwarf_image__close(&files->dwarf);
	files->dwarf.shared = files->shared_dwarf.dwarf;
	return err ? err : dwarf_image__renew(&files->dwarf);
}

int symbol_files__read_dwarf(struct symbol_files *files, const char *path,
			     const struct search *search)
{
	int err;

	if (!files->with_dwarf)
		return 0;
	err = dwarf_image__open(&files->dwarf, files->with_dwarf);
	if (!err && elf_file__section(files->with_dwarf, ".gnu_debugaltlink"))
		err = read_shared(files, files->debug.path ? files->debug.path : path, search);
	return err == -ENOMEM ? err : 0;
}

const char *symbol_files__over(const struct symbol_files *files)
{
	const struct elf_file *all[] = { &files->elf, &files->debug.elf, &files->shared.elf,
					 &files->mini };

	for (int i = 0; i < 4; i++)
		if (all[i]->over)
			return all[i]->over;
	return NULL;
}

void symbol_files__close(struct symbol_files *files)
{
	dwarf_image__close(&files->dwarf);
	dwarf_image__close(&files->shared_dwarf);
	debug_file__close(&files->shared);
	debug_file__close(&files->debug);
	elf_file__close(&files->mini);
	if (files->mini.fd >= 0)
		close(files->mini.fd);
	elf_file__close(&files->elf);
}
