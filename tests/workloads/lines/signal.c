// SPDX-License-Identifier: GPL-2.0-or-later
/* A library's function that allocates, called by a signal handler. */
#include <signal.h>
#include <stdlib.h>

void exported(void);

#ifdef LIBRARY
static void *volatile keep[50];
static int n;

void exported(void)
{
	keep[n++] = malloc(100);
}
#else
static void on_signal(int number)
{
	exported();
}

int main(void)
{
	signal(SIGUSR1, on_signal);
	for (int i = 0; i < 50; i++)
		raise(SIGUSR1);
	return 0;
}
#endif
