// SPDX-License-Identifier: GPL-2.0-or-later
#include "process/rights.h"

#include <ctype.h>
#include <errno.h>
#include <grp.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define OVER_PERMISSIONS (1ULL << CAP_DAC_OVERRIDE | 1ULL << CAP_DAC_READ_SEARCH)
#define MAX_GROUPS 65536	/* include/uapi/linux/limits.h, NGROUPS_MAX */

void rights__release(struct rights *rights)
{
	free(rights->groups);
	*rights = (struct rights){};
}

static bool same_groups(const struct rights *a, const struct rights *b)
{
	return a->ngroups == b->ngroups &&
	       (!a->ngroups || !memcmp(a->groups, b->groups, a->ngroups * sizeof(*a->groups)));
}

bool rights__equal(const struct rights *a, const struct rights *b)
{
	return a->user == b->user && a->group == b->group && a->capabilities == b->capabilities &&
	       same_groups(a, b);
}

/* A list of numbers with blanks between them. */
static int read_groups(const char *text, struct rights *rights)
{
	size_t room = strlen(text) / 2 + 1;
	char *end;

	free(rights->groups);
	rights->ngroups = 0;
	rights->groups = calloc(room, sizeof(*rights->groups));
	if (!rights->groups)
		return -ENOMEM;
	for (gid_t group = strtoul(text, &end, 10); end != text && rights->ngroups < room;
	     group = strtoul(text, &end, 10)) {
		rights->groups[rights->ngroups++] = group;
		text = end;
	}
	return 0;
}

/* In another user namespace its capabilities are over what belongs to that. */
static bool in_our_user_namespace(pid_t pid)
{
	struct stat ours, its;
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)pid);
	return !stat("/proc/self/ns/user", &ours) && !stat(path, &its) &&
	       ours.st_dev == its.st_dev && ours.st_ino == its.st_ino;
}

int rights__of_process(pid_t pid, struct rights *rights)
{
	bool user = false, group = false, groups = false;
	char path[32], *line = NULL;
	size_t size = 0;
	FILE *status;
	int err = 0;

	*rights = (struct rights){};
	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	status = fopen(path, "re");
	if (!status)
		return -errno;
	/* The fourth of its numbers is the one for files. */
	while (!err && getline(&line, &size, status) >= 0) {
		user |= sscanf(line, "Uid: %*u %*u %*u %u", &rights->user) == 1;
		group |= sscanf(line, "Gid: %*u %*u %*u %u", &rights->group) == 1;
		sscanf(line, "CapEff: %" SCNx64, &rights->capabilities);
		if (strncmp(line, "Groups:", 7))
			continue;
		err = read_groups(line + 7, rights);
		groups = true;
	}
	fclose(status);
	free(line);
	if (!err && (!user || !group || !groups))
		err = -EPROTO;
	rights->capabilities &= in_our_user_namespace(pid) ? OVER_PERMISSIONS : 0;
	if (err)
		rights__release(rights);
	return err;
}

static bool read_id(const char *variable, unsigned int *id)
{
	const char *text = getenv(variable);
	char *end;

	if (!text || !isdigit((unsigned char)*text))
		return false;
	*id = strtoul(text, &end, 10);
	return !*end;
}

static int add_groups_of_user(struct rights *rights)
{
	const struct passwd *entry = getpwuid(rights->user);
	int n = MAX_GROUPS;

	rights->groups = entry ? calloc(n, sizeof(*rights->groups)) : NULL;
	if (!rights->groups)
		return entry ? -ENOMEM : 0;
	if (getgrouplist(entry->pw_name, rights->group, rights->groups, &n) < 0)
		n = 0;
	rights->ngroups = n;
	return 0;
}

int rights__of_caller(struct rights *rights)
{
	int err;

	/* sudo sets them itself, whatever its caller had in them (sudo(8), "ENVIRONMENT"). */
	*rights = (struct rights){};
	if (!getuid() && read_id("SUDO_UID", &rights->user) && rights->user &&
	    read_id("SUDO_GID", &rights->group))
		return add_groups_of_user(rights);
	err = rights__of_process(getpid(), rights);
	if (err)
		return err;
	/* What the file that we are run from has been given is not the caller's. */
	if (getuid())
		rights->capabilities = 0;
	rights->user = getuid();
	rights->group = getgid();
	return 0;
}

struct rights_before {
	struct rights rights;
	struct __user_cap_data_struct capabilities[_LINUX_CAPABILITY_U32S_3];
	int dumpable;
};

static int read_own(struct rights_before *before)
{
	struct __user_cap_header_struct own = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct rights *rights = &before->rights;
	int n = getgroups(0, NULL);

	if (n < 0 || syscall(SYS_capget, &own, before->capabilities))
		return -errno;
	rights->groups = calloc(n + 1, sizeof(*rights->groups));
	if (!rights->groups)
		return -ENOMEM;
	n = getgroups(n, rights->groups);
	if (n < 0)
		return -errno;
	rights->ngroups = n;
	rights->user = setfsuid(-1);
	rights->group = setfsgid(-1);
	before->dumpable = prctl(PR_GET_DUMPABLE);
	return 0;
}

/* glibc's setgroups() and libcap's functions would change all threads. */
static int become(const struct rights *rights, const struct rights *now)
{
	if (!same_groups(rights, now) && syscall(SYS_setgroups, rights->ngroups, rights->groups))
		return -errno;
	setfsgid(rights->group);
	setfsuid(rights->user);
	if ((gid_t)setfsgid(-1) != rights->group || (uid_t)setfsuid(-1) != rights->user)
		return -EPERM;
	return 0;
}

static int set_effective(const struct rights_before *before, uint64_t effective)
{
	struct __user_cap_header_struct own = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct set[_LINUX_CAPABILITY_U32S_3];

	memcpy(set, before->capabilities, sizeof(set));
	set[0].effective &= effective;
	set[1].effective &= effective >> 32;
	return syscall(SYS_capset, &own, set) ? -errno : 0;
}

struct rights_before *rights__take(const struct rights *rights)
{
	struct rights_before *before = calloc(1, sizeof(*before));
	int err;

	if (!before)
		return NULL;
	err = read_own(before);
	if (err) {
		rights__release(&before->rights);
		free(before);
		errno = -err;
		return NULL;
	}
	err = become(rights, &before->rights);
	if (!err)
		err = set_effective(before, rights->capabilities);
	if (!err)
		return before;
	rights__give_back(before);
	errno = -err;
	return NULL;
}

void rights__give_back(struct rights_before *before)
{
	struct rights now = {}, *rights = &before->rights;
	int n = getgroups(0, NULL);

	now.ngroups = n;
	now.groups = calloc(n + 1, sizeof(*now.groups));
	/* The capabilities first: the rest takes them. To go on as somebody else would be worse
	 * than to end. */
	if (!now.groups || getgroups(n, now.groups) != n || set_effective(before, ~0ULL) ||
	    become(rights, &now))
		abort();
	/* It went with the first change (kernel/cred.c, commit_creds()). */
	if (before->dumpable == 1)
		prctl(PR_SET_DUMPABLE, 1);
	free(now.groups);
	rights__release(rights);
	free(before);
}
