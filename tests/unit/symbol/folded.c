// SPDX-License-Identifier: GPL-2.0-or-later
/* Two functions of the same code, which linkers can make one. The test knows the lines. */
#include <stdlib.h>

int main(int argc, char **argv)
{
	extern void *second(int n), *third(int n);

	return second(argc) == third(argc);
}

void *second(int n)
{
	return malloc(n * 3);
}

void *third(int n)
{
	return malloc(n * 3);
}
