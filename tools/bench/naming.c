// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * naming FILE ADDRESSES: gives that many places of the code of FILE their names, once, as an
 * interval of memtracebpf with that many new addresses does, and prints as JSON what it took.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "elf/file.h"
#include "process/root.h"
#include "snapshot/snapshot.h"
#include "symbol/symbol.h"

static long resident_kib(void)
{
	long size, resident = 0;
	FILE *statm = fopen("/proc/self/statm", "re");

	if (!statm || fscanf(statm, "%ld %ld", &size, &resident) != 2)
		exit(1);
	fclose(statm);
	return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

/* Evenly over the largest executable segment. */
static int add_locations(struct names *names, uint32_t module, int fd, long count)
{
	const struct elf_code_segment *largest;
	struct elf_file file;
	uint32_t location;

	if (elf_file__open(&file, fd) || !file.code.count)
		return -1;
	largest = &file.code.segments[0];
	for (uint32_t i = 1; i < file.code.count; i++)
		if (file.code.segments[i].size > largest->size)
			largest = &file.code.segments[i];
	for (long i = 0; i < count; i++)
		if (names__location(names, module, largest->offset + largest->size / count * i,
				    true, &location))
			return -1;
	elf_file__close(&file);
	return 0;
}

static long count_named(const struct names *names)
{
	long named = 0;

	for (uint32_t i = 1; i < names__nlocations(names); i++)
		named += names__get_location(names, i)->frames[0].line > 0;
	return named;
}

int main(int argc, char **argv)
{
	struct roots *roots = roots__new();
	struct symbolizer *symbolizer = symbolizer__new(roots);
	struct names *names = names__new();
	struct rusage usage;
	uint64_t cpu_ns;
	uint32_t module;
	long before;
	int fd;

	if (argc < 3 || !symbolizer || !names)
		return 2;
	fd = open(argv[1], O_RDONLY | O_CLOEXEC);
	if (fd < 0 || names__module(names, argv[1], NULL, &module) ||
	    symbolizer__add_module(symbolizer, module, fd, argv[1], NULL) ||
	    add_locations(names, module, fd, atol(argv[2])))
		return 1;
	before = resident_kib();
	cpu_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	if (symbolizer__name_all(symbolizer, names))
		return 1;
	cpu_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu_ns;
	getrusage(RUSAGE_SELF, &usage);
	printf("{\"cpu_s\": %.3f, \"with_line\": %ld, \"rss_before_kib\": %ld, "
	       "\"rss_peak_kib\": %ld, \"rss_after_kib\": %ld}\n", cpu_ns / 1e9,
	       count_named(names), before, usage.ru_maxrss, resident_kib());
	symbolizer__free(symbolizer);
	roots__free(roots);
	names__free(names);
	return 0;
}
