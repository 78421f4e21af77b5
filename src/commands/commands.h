/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is done with files: needs no root, no BPF and no process. */
#ifndef MT_COMMANDS_COMMANDS_H
#define MT_COMMANDS_COMMANDS_H

#include "cli/cli.h"

/* COMMAND_REPORT and COMMAND_DIFF, to stdout. 0 or -errno, after one sentence on stderr. */
int commands__run(const struct options *options);

#endif
