/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whose rights decide which files are opened: the file-system user and groups of credentials(7), and
 * the capabilities that pass over permissions.
 */
#ifndef MT_RIGHTS_H
#define MT_RIGHTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct rights {
	uid_t user;
	gid_t group;
	gid_t *groups;		/* supplementary ones */
	size_t ngroups;
	uint64_t capabilities;	/* CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH, if it has them here */
};

/* Those of a process as it is now; the caller makes sure that it is the process that it means. 0 or
 * -errno. rights__release() releases, on rights of zeros too. */
int rights__of_process(pid_t pid, struct rights *rights);
/* Those of who runs us; under sudo of the user who called that. 0 or -errno. */
int rights__of_caller(struct rights *rights);
void rights__release(struct rights *rights);
bool rights__equal(const struct rights *a, const struct rights *b);

struct rights_before;

/* This thread opens files with these rights and no others, until they are given back. NULL: they
 * cannot be had; errno says why. */
struct rights_before *rights__take(const struct rights *rights);
void rights__give_back(struct rights_before *before);

#endif
