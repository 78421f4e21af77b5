/* SPDX-License-Identifier: GPL-2.0-or-later */
/* 100 blocks, 60 of which are freed; then it ends, at once. */
#include <stdlib.h>
#include <unistd.h>

int main(void)
{
	static void *blocks[100];

	for (size_t i = 0; i < 100; i++)
		blocks[i] = malloc(100 + i);
	for (size_t i = 0; i < 60; i++)
		free(blocks[i]);
	_exit(0);
}
