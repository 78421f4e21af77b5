// SPDX-License-Identifier: GPL-2.0-or-later
#include "process/root.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "process/process.h"

/* Told apart as the kernel does: the mount counts, too. */
struct root {
	struct roots *roots;
	struct root *next;
	uint32_t users;
	int fd;
	uint64_t mount, inode;
	uint32_t major, minor;
};

struct roots {
	pthread_mutex_t lock;
	struct root *first;
};

struct roots *roots__new(void)
{
	struct roots *roots = calloc(1, sizeof(*roots));

	if (roots)
		pthread_mutex_init(&roots->lock, NULL);
	return roots;
}

void roots__free(struct roots *roots)
{
	if (!roots)
		return;
	pthread_mutex_destroy(&roots->lock);
	free(roots);
}

static int open_root(const char *directory, struct root *root)
{
	struct statx st;

	root->fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root->fd < 0)
		return -errno;
	if (statx(root->fd, "", AT_EMPTY_PATH, STATX_INO | STATX_MNT_ID, &st)) {
		int err = -errno;

		close(root->fd);
		return err;
	}
	root->mount = st.stx_mnt_id;
	root->inode = st.stx_ino;
	root->major = st.stx_dev_major;
	root->minor = st.stx_dev_minor;
	return 0;
}

static bool same_root(const struct root *a, const struct root *b)
{
	return a->mount == b->mount && a->inode == b->inode && a->major == b->major &&
	       a->minor == b->minor;
}

/* With the lock. Takes what is in `opened` over; NULL: no memory. */
static struct root *share(struct roots *roots, const struct root *opened)
{
	struct root *root = roots->first;

	while (root && !same_root(root, opened))
		root = root->next;
	if (!root && (root = malloc(sizeof(*root)))) {
		*root = *opened;
		root->roots = roots;
		root->next = roots->first;
		roots->first = root;
	} else {
		close(opened->fd);
	}
	if (root)
		root->users++;
	return root;
}

struct root *roots__open(struct roots *roots, const char *directory)
{
	struct root opened = {}, *root;
	int err = open_root(directory, &opened);

	if (err) {
		errno = -err;
		return NULL;
	}
	pthread_mutex_lock(&roots->lock);
	root = share(roots, &opened);
	pthread_mutex_unlock(&roots->lock);
	return root;
}

struct root *roots__of_process(struct roots *roots, pid_t pid)
{
	char link[32];

	snprintf(link, sizeof(link), "/proc/%d/root", (int)target__thread(pid));
	return roots__open(roots, link);
}

struct root *root__use(struct root *root)
{
	if (!root)
		return NULL;
	pthread_mutex_lock(&root->roots->lock);
	root->users++;
	pthread_mutex_unlock(&root->roots->lock);
	return root;
}

void root__release(struct root *root)
{
	struct roots *roots = root ? root->roots : NULL;

	if (!roots)
		return;
	pthread_mutex_lock(&roots->lock);
	if (!--root->users) {
		struct root **at = &roots->first;

		while (*at != root)
			at = &(*at)->next;
		*at = root->next;
		close(root->fd);
		free(root);
	}
	pthread_mutex_unlock(&roots->lock);
}

int root__fd(const struct root *root)
{
	return root->fd;
}
