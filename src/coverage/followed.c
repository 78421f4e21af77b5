// SPDX-License-Identifier: GPL-2.0-or-later
#include "coverage/followed.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "process/process.h"
#include "process/usage.h"
#include "base/array.h"

#define CGROUP_MOUNT "/sys/fs/cgroup"

static bool has_comm(const struct followed *followed, pid_t pid)
{
	char comm[16];

	if (!followed->ncomms)
		return true;
	target__comm(pid, comm);
	for (size_t i = 0; i < followed->ncomms; i++)
		if (!strncmp(comm, followed->comms[i], sizeof(comm) - 1))
			return true;
	return false;
}

static bool has_user(const struct followed *followed, pid_t pid)
{
	struct process_usage usage;

	if (!followed->nusers)
		return true;
	if (process__usage(pid, &usage))
		return false;
	for (size_t i = 0; i < followed->nusers; i++)
		if (usage.user == followed->users[i])
			return true;
	return false;
}

/* Is `path` that cgroup, by its own name or by its directory? */
static bool is_cgroup(const char *path, const char *cgroup)
{
	size_t length = strlen(path), own = strlen(cgroup);

	if (!strcmp(path, cgroup))
		return true;
	return !strncmp(path, CGROUP_MOUNT, strlen(CGROUP_MOUNT)) && length > own &&
	       !strcmp(path + length - own, cgroup);
}

/* In one of them or below. */
static bool has_cgroup(const struct followed *followed, pid_t pid)
{
	char *cgroup, *slash;
	bool found = !followed->ncgroups;

	if (found)
		return true;
	cgroup = target__cgroup(pid);
	while (cgroup && *cgroup && !found) {
		for (size_t i = 0; i < followed->ncgroups && !found; i++)
			found = is_cgroup(followed->cgroups[i], cgroup);
		slash = strrchr(cgroup, '/');
		*(slash ? slash : cgroup) = '\0';
	}
	free(cgroup);
	return found;
}

static bool is_named(const pid_t *pids, size_t npids, pid_t pid)
{
	for (size_t i = 0; i < npids; i++)
		if (pids[i] == pid)
			return true;
	return false;
}

static bool is_followed(const struct followed *followed, pid_t pid)
{
	if (pid == getpid())
		return false;
	if (!followed->everything && !is_named(followed->pids, followed->npids, pid))
		return false;
	return has_comm(followed, pid) && has_user(followed, pid) && has_cgroup(followed, pid);
}

static int compare(const void *a, const void *b)
{
	return (*(const pid_t *)a > *(const pid_t *)b) - (*(const pid_t *)a < *(const pid_t *)b);
}

static int list_all(pid_t **pids, size_t *count)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	int err = 0;

	if (!proc)
		return -errno;
	while (!err && (entry = readdir(proc))) {
		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		err = array__make_room(pids, *count, sizeof(**pids));
		if (!err)
			(*pids)[(*count)++] = atoi(entry->d_name);
	}
	closedir(proc);
	if (*count)
		qsort(*pids, *count, sizeof(**pids), compare);
	return err;
}

static int copy_named(const struct followed *followed, pid_t **pids, size_t *count)
{
	*pids = calloc(followed->npids + 1, sizeof(**pids));
	if (!*pids)
		return -ENOMEM;
	for (; *count < followed->npids; ++*count)
		(*pids)[*count] = followed->pids[*count];
	qsort(*pids, *count, sizeof(**pids), compare);
	return 0;
}

/* Marks the children of those that are marked, until there are none. */
static void mark_descendants(const pid_t *pids, bool *marked, size_t count)
{
	pid_t *parents = calloc(count, sizeof(*parents));
	struct process_usage usage;
	bool more = parents;

	for (size_t i = 0; parents && i < count; i++)
		if (!marked[i] && !process__usage(pids[i], &usage))
			parents[i] = usage.parent;
	while (more) {
		more = false;
		for (size_t i = 0; i < count; i++) {
			const pid_t *parent = marked[i] ? NULL :
				bsearch(&parents[i], pids, count, sizeof(*pids), compare);

			if (!parent || !marked[parent - pids])
				continue;
			marked[i] = more = true;
		}
	}
	free(parents);
}

int followed__list(const struct followed *followed, pid_t **pids, size_t *count)
{
	size_t all = 0, kept = 0;
	bool *marked;
	int err;

	*pids = NULL;
	*count = 0;
	/* Who was named need not be looked for among all. */
	err = followed->everything || followed->follow_fork ? list_all(pids, &all) :
							      copy_named(followed, pids, &all);
	marked = err ? NULL : calloc(all + 1, sizeof(*marked));
	if (!marked) {
		free(*pids);
		*pids = NULL;
		return err ? err : -ENOMEM;
	}
	for (size_t i = 0; i < all; i++)
		marked[i] = is_followed(followed, (*pids)[i]);
	if (followed->follow_fork)
		mark_descendants(*pids, marked, all);
	for (size_t i = 0; i < all; i++)
		if (marked[i])
			(*pids)[kept++] = (*pids)[i];
	*count = kept;
	free(marked);
	return 0;
}
