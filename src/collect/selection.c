// SPDX-License-Identifier: GPL-2.0-or-later
#include "collect/selection.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <limits.h>
#include <linux/magic.h>
#include <mntent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

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

/* A cgroup's id is the inode number of its directory (kernfs_ino()). 1: it is none. */
static int add_cgroup_directory(const struct bpf_map *map, const char *path)
{
	struct statfs fs;
	struct stat st;
	__u64 id;

	if (stat(path, &st) || statfs(path, &fs) || !S_ISDIR(st.st_mode) ||
	    (fs.f_type != CGROUP2_SUPER_MAGIC && fs.f_type != CGROUP_SUPER_MAGIC))
		return 1;
	id = st.st_ino;
	return add(map, &id);
}

/* The path as /proc/PID/cgroup has it: below the mount point of any hierarchy. */
static int add_cgroup_path(const struct bpf_map *map, const char *path)
{
	FILE *mounts = setmntent("/proc/self/mounts", "re");
	struct mntent *mount;
	char full[PATH_MAX];
	int err = 1;

	while (mounts && (mount = getmntent(mounts)) && err >= 0) {
		int added = 1;

		if ((!strcmp(mount->mnt_type, "cgroup2") || !strcmp(mount->mnt_type, "cgroup")) &&
		    snprintf(full, sizeof(full), "%s/%s", mount->mnt_dir, path) < PATH_MAX)
			added = add_cgroup_directory(map, full);
		if (added <= 0)
			err = added;
	}
	if (mounts)
		endmntent(mounts);
	return err;
}

static int add_cgroup(const struct bpf_map *map, const char *path)
{
	int err = add_cgroup_directory(map, path);

	if (err == 1)
		err = add_cgroup_path(map, path);
	if (err != 1)
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
