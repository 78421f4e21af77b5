// SPDX-License-Identifier: GPL-2.0-or-later
/* For developers: how many unwind rows files have, and how long it takes to read them. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "unwind/unwind.h"

static double now_ms(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1e3 + time.tv_nsec / 1e6;
}

static int print_file(const char *path)
{
	struct unwind_rules *rules = unwind_rules__new();
	struct unwind_rows rows = { 0 };
	uint32_t nrules = 0, kinds[CFA_MAX] = { 0 };
	const struct unwind_rule *table;
	struct stat status = { 0 };
	double start;
	void *image;
	int fd, err;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &status)) {
		perror(path);
		return 1;
	}
	image = mmap(NULL, status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	start = now_ms();
	err = image == MAP_FAILED || !rules ? -1 :
	      unwind_rows__read(image, status.st_size, NULL, 0, path, rules, &rows);
	printf("%-40s %9u %6.1f", path, rows.nrows, now_ms() - start);
	table = unwind_rules__table(rules, &nrules);
	for (uint32_t i = 0; i < rows.nrows; i++)
		kinds[table[rows.rows[i].rule].cfa]++;
	printf(" %6u %9zu ", nrules, rows.nrows * sizeof(*rows.rows));
	for (int i = 0; i < CFA_MAX; i++)
		printf(" %6u", kinds[i]);
	printf("\n");
	unwind_rows__free(&rows);
	unwind_rules__free(rules);
	if (image != MAP_FAILED)
		munmap(image, status.st_size);
	close(fd);
	return err != 0;
}

int main(int argc, char **argv)
{
	int failed = 0;

	printf("%-40s %9s %6s %6s %9s   none sp bp bx *sp *bp plt signal bottom register damaged\n",
	       "file", "rows", "ms", "rules", "bytes");
	for (int i = 1; i < argc; i++)
		failed |= print_file(argv[i]);
	return failed;
}
