// SPDX-License-Identifier: GPL-2.0-or-later
/* For developers: how many unwind rows files have, and how long it takes to read them. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
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
	struct elf_file file = { 0 };
	double start;
	int fd, err;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		perror(path);
		return 1;
	}
	start = now_ms();
	err = rules ? elf_file__open(&file, fd) : -ENOMEM;
	if (!err)
		err = unwind_rows__read(&file, NULL, path, rules, &rows);
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
	elf_file__close(&file);
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
