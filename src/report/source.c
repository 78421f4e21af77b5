// SPDX-License-Identifier: GPL-2.0-or-later
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "report/format.h"

#define MAX_SOURCE_SIZE (64 << 20)

/*
 * The traced program chooses the name, and merely opening some devices does something: look at
 * what it is before it is opened.
 */
static FILE *open_regular(const char *file)
{
	char path[64];
	struct stat st;
	FILE *in = NULL;
	int fd;

	fd = open(file, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	if (!fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_size <= MAX_SOURCE_SIZE) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		in = fopen(path, "re");
	}
	close(fd);
	return in;
}

static char *strip(char *s)
{
	size_t length;

	s += strspn(s, " \t\r\n\f\v");
	length = strlen(s);
	while (length && isspace((unsigned char)s[length - 1]))
		length--;
	s[length] = '\0';
	for (char *p = s; *p; p++)
		if (*p == '\t')
			*p = ' ';
	return s;
}

char *source__line(const char *file, uint32_t line)
{
	char buffer[512], *text = NULL;
	uint32_t current = 1;
	FILE *in;

	if (!file || file[0] != '/' || !line)
		return NULL;
	in = open_regular(file);
	if (!in)
		return NULL;
	/* A line longer than the buffer comes in pieces, of which the first is enough. */
	while (current <= line && fgets(buffer, sizeof(buffer), in)) {
		if (current == line) {
			text = strdup(strip(buffer));
			break;
		}
		current += strchr(buffer, '\n') != NULL;
	}
	fclose(in);
	if (text && !*text) {
		free(text);
		text = NULL;
	}
	return text;
}
