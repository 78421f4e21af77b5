// SPDX-License-Identifier: GPL-2.0-or-later
#include "collect/selection.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <limits.h>
#include <mntent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "memtracebpf.skel.h"

uint32_t selection__kinds(const struct collect_opts *opts)
{
	return (opts->everything ? 0 : SELECT_PID) | (opts->ncomms ? SELECT_COMM : 0) |
	       (opts->nusers ? SELECT_USER : 0) | (opts->ncgroups ? SELECT_CGROUP : 0);
}

static int add(const struct bpf_map *map, const void *key)
{
	uint8_t yes = 1;

	return bpf_map_update_elem(bpf_map__fd(map), key, &yes, BPF_ANY) ? -errno : 0;
}

/* The kernel keeps, and compares, 15 characters. */
static int add_comm(const struct bpf_map *map, const char *name)
{
	char comm[16] = {};

	snprintf(comm, sizeof(comm), "%s", name);
	return add(map, comm);
}

/* The number that /proc/self/cgroup has for the mounted hierarchy; 0: the unified one. */
static uint32_t hierarchy_of(const struct mntent *mount)
{
	FILE *cgroups = fopen("/proc/self/cgroup", "re");
	char *line = NULL, *controllers;
	uint32_t found = 0;
	size_t size = 0;

	while (cgroups && !found && getline(&line, &size, cgroups) >= 0) {
		controllers = strchr(line, ':');
		if (!controllers)
			continue;
		controllers++;
		/* The first of "cpu,cpuacct", or "name=systemd". */
		controllers[strcspn(controllers, ",:")] = '\0';
		if (*controllers && hasmntopt(mount, controllers))
			found = strtoul(line, NULL, 10);
	}
	free(line);
	if (cgroups)
		fclose(cgroups);
	return found;
}

/* The directory, if it is one of the mounted hierarchy (kernfs_ino()). 1: it is none. */
static int add_cgroup_directory(const struct bpf_map *map, const char *path,
				const struct mntent *mount)
{
	struct cgroup_id id = {};
	struct stat st, root;

	if (stat(path, &st) || stat(mount->mnt_dir, &root) || !S_ISDIR(st.st_mode) ||
	    st.st_dev != root.st_dev)
		return 1;
	id.id = st.st_ino;
	id.hierarchy = hierarchy_of(mount);
	return add(map, &id);
}

static bool is_cgroup(const struct mntent *mount)
{
	return !strcmp(mount->mnt_type, "cgroup2") || !strcmp(mount->mnt_type, "cgroup");
}

/* A directory, or a path as /proc/PID/cgroup has it: below the mount point of any hierarchy. */
static int add_cgroup(const struct bpf_map *map, const char *path)
{
	FILE *mounts = setmntent("/proc/self/mounts", "re");
	bool found = false;
	struct mntent *mount;
	char full[PATH_MAX];
	int added, err = 0;

	while (mounts && !err && (mount = getmntent(mounts))) {
		if (!is_cgroup(mount))
			continue;
		added = add_cgroup_directory(map, path, mount);
		if (added == 1 &&
		    snprintf(full, sizeof(full), "%s/%s", mount->mnt_dir, path) < PATH_MAX)
			added = add_cgroup_directory(map, full, mount);
		found |= added == 0;
		err = added < 0 ? added : 0;
	}
	if (mounts)
		endmntent(mounts);
	if (err || found)
		return err;
	log__error("there is no cgroup %s: give its directory below /sys/fs/cgroup, or its path as "
		   "/proc/PID/cgroup shows it", path);
	return -ENOENT;
}

int selection__apply(const struct collect_opts *opts, struct tables *tables)
{
	const struct memtracebpf_bpf *skel = tables->skeleton;
	int err = 0;

	for (size_t i = 0; !err && i < opts->ncomms; i++)
		err = add_comm(skel->maps.selected_comms, opts->comms[i]);
	for (size_t i = 0; !err && i < opts->nusers; i++)
		err = add(skel->maps.selected_users, &opts->users[i]);
	for (size_t i = 0; !err && i < opts->ncgroups; i++)
		err = add_cgroup(skel->maps.selected_cgroups, opts->cgroups[i]);
	if (err && err != -ENOENT)
		log__error("cannot select the processes: %s", strerror(-err));
	return err;
}

int selection__add_pid(struct tables *tables, pid_t pid)
{
	uint32_t key = pid, none = 0;

	return bpf_map_update_elem(bpf_map__fd(tables->skeleton->maps.selected_pids), &key, &none,
				   BPF_ANY) ? -errno : 0;
}

/* The kernel half sees each task once, in the order of pids. */
static int look_at_tasks(const struct bpf_program *program)
{
	struct bpf_link *link = bpf_program__attach_iter(program, NULL);
	int fd = link ? bpf_iter_create(bpf_link__fd(link)) : -1;
	int err = fd < 0 ? -errno : 0;
	char nothing[8];
	ssize_t n = 1;

	while (!err && n) {
		n = read(fd, nothing, sizeof(nothing));
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			err = -errno;
	}
	if (fd >= 0)
		close(fd);
	bpf_link__destroy(link);
	return err;
}

int selection__adopt_children(struct tables *tables)
{
	const struct memtracebpf_bpf *skel = tables->skeleton;
	uint32_t before;
	int err;

	/* Children of a child with a higher number are found in the next turn. */
	do {
		before = skel->bss->children_adopted;
		err = look_at_tasks(skel->progs.adopt_children);
	} while (!err && skel->bss->children_adopted != before);
	return err;
}

bool selection__has_children(const struct tables *tables)
{
	uint32_t tgid;

	return !bpf_map_get_next_key(bpf_map__fd(tables->skeleton->maps.children), NULL, &tgid);
}

uint64_t selection__size_at_fork(const struct tables *tables, pid_t pid)
{
	uint32_t key = pid;
	uint64_t bytes;

	return bpf_map_lookup_elem(bpf_map__fd(tables->skeleton->maps.sizes_at_fork), &key,
				   &bytes) ? 0 : bytes;
}
