/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Programs that a test compares with and that a machine can lack. */
#ifndef MT_TESTS_UNIT_NEEDS_H
#define MT_TESTS_UNIT_NEEDS_H

#include <stdio.h>
#include <stdlib.h>

/* Skips the test where the program is not installed; with ALL_PROGRAMS in the environment it fails. */
static inline void needs(const char *program)
{
	char command[128];

	snprintf(command, sizeof(command), "command -v %s >/dev/null", program);
	if (!system(command))
		return;
	if (getenv("ALL_PROGRAMS"))
		fail_msg("needs %s", program);
	skip();
}

#endif
