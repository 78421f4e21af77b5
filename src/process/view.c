// SPDX-License-Identifier: GPL-2.0-or-later
#include "process/view.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include "process/path.h"
#include "process/process.h"
#include "process/rights.h"
#include "process/root.h"

struct view {
	uint32_t users;
	pid_t pid;		/* 0: ours */
	uint64_t started;	/* with the pid it tells that it is still the same process */
	struct root *root, *ours;
	struct rights rights;
};

static struct view *new_view(struct roots *roots)
{
	struct view *view = calloc(1, sizeof(*view));

	if (!view)
		return NULL;
	view->users = 1;
	view->ours = roots__open(roots, "/");
	if (!view->ours) {
		free(view);
		return NULL;
	}
	return view;
}

struct view *view__of_process(struct roots *roots, pid_t pid)
{
	struct view *view = new_view(roots);

	if (!view)
		return NULL;
	view->pid = pid;
	view->started = target__started(pid);
	view->root = roots__of_process(roots, pid);
	if (view->started && view->root && !rights__of_process(pid, &view->rights) &&
	    target__started(pid) == view->started)
		return view;
	view__release(view);
	return NULL;
}

struct view *view__of_caller(struct roots *roots)
{
	struct view *view = new_view(roots);

	if (!view)
		return NULL;
	view->root = root__use(view->ours);
	if (!rights__of_caller(&view->rights))
		return view;
	view__release(view);
	return NULL;
}

struct view *view__use(struct view *view)
{
	if (view)
		view->users++;
	return view;
}

void view__release(struct view *view)
{
	if (!view || --view->users)
		return;
	rights__release(&view->rights);
	root__release(view->root);
	root__release(view->ours);
	free(view);
}

void view__refresh(struct view *view)
{
	struct rights rights;

	if (!view->pid || rights__of_process(view->pid, &rights))
		return;
	if (target__started(view->pid) == view->started) {
		rights__release(&view->rights);
		view->rights = rights;
	} else {
		rights__release(&rights);
	}
}

bool view__equal(const struct view *a, const struct view *b)
{
	return a->root == b->root && rights__equal(&a->rights, &b->rights);
}

bool view__is_of_our_root(const struct view *view)
{
	return view->root == view->ours;
}

uid_t view__user(const struct view *view)
{
	return view->rights.user;
}

int view__open(const struct view *view, const char *path)
{
	struct rights_before *before = rights__take(&view->rights);
	int fd;

	if (!before)
		return -EACCES;
	fd = path__open_below(root__fd(view->root), path);
	rights__give_back(before);
	return fd;
}
