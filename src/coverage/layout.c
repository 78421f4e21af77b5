// SPDX-License-Identifier: GPL-2.0-or-later
#include "coverage/layout.h"

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "process/process.h"

/* Anonymous memory, resident and swapped, by where it lies; kilobytes. */
struct layout {
	uint64_t mapped, nmapped;	/* in mappings of no file */
	uint64_t heap;			/* brk()'s */
};

static void read_layout(FILE *smaps, struct layout *layout)
{
	unsigned long long start, end, kilobytes;
	char *line = NULL, name[64] = "";
	bool new_mapping = false;
	size_t size = 0;

	while (getline(&line, &size, smaps) > 0) {
		if (sscanf(line, "%llx-%llx %*s %*s %*s %*s", &start, &end) == 2) {
			if (sscanf(line, "%*s %*s %*s %*s %*s %63s", name) != 1)
				*name = '\0';
			new_mapping = true;
			continue;
		}
		if (sscanf(line, "Anonymous: %llu", &kilobytes) != 1 &&
		    sscanf(line, "Swap: %llu", &kilobytes) != 1)
			continue;
		if (!strcmp(name, "[heap]"))
			layout->heap += kilobytes;
		if (*name)
			continue;
		layout->mapped += kilobytes;
		layout->nmapped += new_mapping && kilobytes;
		new_mapping = new_mapping && !kilobytes;
	}
	free(line);
}

char *layout__explain(pid_t pid, bool mmap_followed)
{
	struct layout layout = {};
	char path[64], *text = NULL;
	FILE *smaps;

	snprintf(path, sizeof(path), "/proc/%d/smaps", (int)target__thread(pid));
	smaps = fopen(path, "re");
	if (!smaps)
		return NULL;
	read_layout(smaps, &layout);
	fclose(smaps);
	if (!layout.mapped && !layout.heap)	/* it has ended */
		return NULL;
	if (layout.mapped > layout.heap && mmap_followed)
		return NULL;
	if (layout.mapped > layout.heap &&
	    asprintf(&text, "%" PRIu64 " MiB lie in %" PRIu64 " mappings of no file: what the program "
			    "maps itself is seen with --domain all",
		     layout.mapped >> 10, layout.nmapped) < 0)
		return NULL;
	if (layout.mapped <= layout.heap &&
	    asprintf(&text, "%" PRIu64 " MiB lie in the heap: allocated before tracing and filled "
			    "since, or by functions that are not followed",
		     layout.heap >> 10) < 0)
		return NULL;
	return text;
}
