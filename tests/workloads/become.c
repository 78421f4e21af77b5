/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Allocates nothing and becomes another program. */
#include <unistd.h>

int main(int argc, char **argv)
{
	return argc > 1 && execv(argv[1], argv + 1);
}
