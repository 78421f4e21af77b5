// SPDX-License-Identifier: GPL-2.0-or-later
#include "report/terminal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define DEFAULT_WIDTH 80
#define MIN_WIDTH 40
#define MAX_WIDTH 10000

static unsigned int read_width(int fd)
{
	const char *columns = getenv("COLUMNS");
	struct winsize size = {};
	unsigned long width = 0;

	if (!ioctl(fd, TIOCGWINSZ, &size))
		width = size.ws_col;
	if (!width && columns)
		width = strtoul(columns, NULL, 10);
	if (!width)
		width = DEFAULT_WIDTH;
	return width < MIN_WIDTH ? MIN_WIDTH : width > MAX_WIDTH ? MAX_WIDTH : width;
}

static bool has_colours(void)
{
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

	return !(no_color && *no_color) && term && *term && strcmp(term, "dumb");
}

struct terminal terminal__look(void)
{
	if (!isatty(STDOUT_FILENO))
		return (struct terminal){};
	return (struct terminal){ .width = read_width(STDOUT_FILENO), .colour = has_colours() };
}
