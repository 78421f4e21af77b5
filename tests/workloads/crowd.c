/* SPDX-License-Identifier: GPL-2.0-or-later */
/* crowd N PROGRAM ...: when a line comes, has N children, one after the other, that end at once, and
 * becomes the program. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	int n = argc > 2 ? atoi(argv[1]) : 0;
	char c = 0;

	puts("ready");
	fflush(stdout);
	while (c != '\n' && read(STDIN_FILENO, &c, 1) == 1)
		;
	for (int i = 0; i < n; i++) {
		pid_t pid = vfork();

		if (!pid)
			_exit(0);
		if (pid < 0 || waitpid(pid, NULL, 0) < 0)
			return 1;
	}
	return argc > 2 && execv(argv[2], argv + 2);
}
