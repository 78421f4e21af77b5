/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A directory for a test program's files: setup and teardown of its group. */
#ifndef MT_TESTS_UNIT_DIRECTORY_H
#define MT_TESTS_UNIT_DIRECTORY_H

#include <stdio.h>
#include <stdlib.h>

static char directory[] = "/tmp/memtracebpf_test.XXXXXX";

static int make_directory(void **state)
{
	return mkdtemp(directory) ? 0 : -1;
}

static int remove_directory(void **state)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", directory);
	return system(command);
}

#endif
