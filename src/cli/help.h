/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef MT_CLI_HELP_H
#define MT_CLI_HELP_H

extern const char help_text[];
extern const char help_usage[];

#endif
