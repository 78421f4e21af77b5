/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef MT_REPORT_TERMINAL_H
#define MT_REPORT_TERMINAL_H

#include <stdbool.h>

struct terminal {
	unsigned int width;	/* characters; 0: it is no terminal */
	bool colour;		/* it has colours, and NO_COLOR (no-color.org) is not set */
};

/* What standard output is now; a terminal may change its width at any time. */
struct terminal terminal__look(void);

#endif
