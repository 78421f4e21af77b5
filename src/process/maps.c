// SPDX-License-Identifier: GPL-2.0-or-later
/* /proc/PID/maps, as fs/proc/task_mmu.c, show_map_vma() writes it. */
#include "process/process.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define DELETED " (deleted)"

/* seq_path() writes a newline in a name as \012, and nothing else in any other way than it is. */
static void unescape(char *path)
{
	char *out = path;

	while (*path) {
		if (!strncmp(path, "\\012", 4)) {
			*out++ = '\n';
			path += 4;
		} else {
			*out++ = *path++;
		}
	}
	*out = '\0';
}

static void cut_deleted(char *path)
{
	size_t length = strlen(path);

	if (length > strlen(DELETED) && !strcmp(path + length - strlen(DELETED), DELETED))
		path[length - strlen(DELETED)] = '\0';
}

static char *parse_path(const char *text)
{
	char *path = strdup(text);

	if (!path)
		return NULL;
	cut_deleted(path);
	unescape(path);
	return path;
}

static int parse_line(char *line, struct target_mapping *mapping)
{
	unsigned int major, minor;
	char permissions[5];
	int path = 0;

	line[strcspn(line, "\n")] = '\0';
	if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %x:%x %" SCNu64 "%n",
		   &mapping->start, &mapping->end, permissions, &mapping->offset, &major, &minor,
		   &mapping->inode, &path) != 7 || strlen(permissions) != 4)
		return -EPROTO;
	mapping->device = makedev(major, minor);
	mapping->executable = permissions[2] == 'x';
	mapping->path = parse_path(line + path + strspn(line + path, " "));
	return mapping->path ? 0 : -ENOMEM;
}

static int add_line(struct target_maps *maps, char *line)
{
	/* Room for 2^n mappings: it is full when the count is a power of two. */
	if (!(maps->count & (maps->count - 1))) {
		size_t room = maps->count ? 2 * maps->count : 1;
		void *items = reallocarray(maps->items, room, sizeof(*maps->items));

		if (!items)
			return -ENOMEM;
		maps->items = items;
	}
	maps->items[maps->count] = (struct target_mapping){ 0 };
	return parse_line(line, &maps->items[maps->count++]);
}

int target_maps__read(pid_t pid, struct target_maps *maps)
{
	char *line = NULL, path[64];
	size_t size = 0;
	int err = 0;
	FILE *in;

	*maps = (struct target_maps){ 0 };
	snprintf(path, sizeof(path), "/proc/%d/maps", (int)target__thread(pid));
	in = fopen(path, "re");
	if (!in)
		return errno == ENOENT ? -ESRCH : -errno;
	while (!err && getline(&line, &size, in) >= 0)
		err = add_line(maps, line);
	if (!err && ferror(in))
		err = -errno;
	/* A process that ends loses its address space first: its maps are empty, not absent. */
	if (!err && !maps->count)
		err = -ESRCH;
	free(line);
	fclose(in);
	if (err)
		target_maps__free(maps);
	return err;
}

/* What stat(2) says of the file is compared with what is opened; it may differ from what maps say. */
int target_mapping__read(pid_t pid, struct target_mapping *mapping)
{
	char link[80], path[PATH_MAX + 1];
	struct stat st;
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/%d/map_files/%" PRIx64 "-%" PRIx64,
		 (int)target__thread(pid), mapping->start, mapping->end);
	if (stat(link, &st))
		return -errno;
	n = readlink(link, path, PATH_MAX);
	if (n < 0)
		return -errno;
	path[n] = '\0';
	cut_deleted(path);
	mapping->device = st.st_dev;
	mapping->inode = st.st_ino;
	mapping->path = strdup(path);
	return mapping->path ? 0 : -ENOMEM;
}

void target_maps__free(struct target_maps *maps)
{
	for (size_t i = 0; i < maps->count; i++)
		free(maps->items[i].path);
	free(maps->items);
	*maps = (struct target_maps){ 0 };
}
