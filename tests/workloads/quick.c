/* SPDX-License-Identifier: GPL-2.0-or-later */
/* 100 blocks, 60 of which are freed; then it ends, at once. With an argument it waits for a line. */
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	static void *blocks[100];
	char c;

	if (argc > 1 && read(STDIN_FILENO, &c, 1) < 0)
		return 1;

	for (size_t i = 0; i < 100; i++)
		blocks[i] = malloc(100 + i);
	for (size_t i = 0; i < 60; i++)
		free(blocks[i]);
	_exit(0);
}
