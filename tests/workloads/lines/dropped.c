// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The linker drops unused(), and leaves its lines behind at address 0 and the like. It is long
 * enough, and has lines enough, to reach over the code of leak() from there.
 */
#include <stdlib.h>

volatile int sink;
static void *volatile keep[100];

__attribute__((noinline)) void leak(int i)
{
	keep[i] = malloc(1000); /* 100 blocks of 1000 bytes */
}

int main(void)
{
	for (int i = 0; i < 100; i++)
		leak(i);
	return 0;
}

void unused(int x)
{
	sink = x;
	__asm__ volatile(".rept 8192; .loc 1 1; nop; .endr");
}
