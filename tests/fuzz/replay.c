// SPDX-License-Identifier: GPL-2.0-or-later
/* Gives a fuzz target the files named on the command line, without libFuzzer. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void replay(const char *path)
{
	FILE *file = fopen(path, "rb");
	struct stat status;
	uint8_t *data;

	if (!file || fstat(fileno(file), &status)) {
		perror(path);
		exit(1);
	}
	data = malloc(status.st_size);	/* not a byte more, so that reading past the end is seen */
	if (fread(data, 1, status.st_size, file) != (size_t)status.st_size) {
		perror(path);
		exit(1);
	}
	LLVMFuzzerTestOneInput(data, status.st_size);
	free(data);
	fclose(file);
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		replay(argv[i]);
	printf("%d inputs replayed\n", argc - 1);
	return 0;
}
