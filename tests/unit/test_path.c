// SPDX-License-Identifier: GPL-2.0-or-later
/* What is opened of all that may be at the end of a path, and what is not even touched. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "directory.h"
#include "process/path.h"
#include "process/root.h"

static int root = -1;

static int open_directory(void **state)
{
	if (make_directory(state))
		return -1;
	root = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return root < 0;
}

static int close_directory(void **state)
{
	close(root);
	return remove_directory(state);
}

static void write_file(const char *name, const char *text)
{
	int fd = openat(root, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

/* The file is opened, and says `text`. */
static void check_opens(const char *path, const char *text)
{
	int fd = path__open_below(root, path);
	char buffer[64] = "";

	assert_return_code(fd, 0);
	assert_int_equal(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY);
	assert_true(read(fd, buffer, sizeof(buffer) - 1) >= 0);
	assert_string_equal(buffer, text);
	close(fd);
}

static void test_regular(void **state)
{
	write_file("file", "text");
	check_opens("file", "text");
	check_opens("/file", "text");
	assert_int_equal(path__open_below(root, "/nothing"), -ENOENT);
	write_file("empty", "");
	assert_int_equal(path__open_below(root, "empty"), -EINVAL);
}

static void test_stays_below(void **state)
{
	write_file("outside", "inside");
	assert_int_equal(symlinkat("/outside", root, "absolute"), 0);
	check_opens("absolute", "inside");
	check_opens("../../../../outside", "inside");
	assert_int_equal(symlinkat("/etc/passwd", root, "passwd"), 0);
	assert_int_equal(path__open_below(root, "passwd"), -ENOENT);
}

static void test_no_file(void **state)
{
	static const char *const paths[] = {
		"/proc/self/environ", "/proc/kmsg", "/proc/version", "/proc/self/maps",
		"/sys/kernel/notes", "/sys/kernel/mm/transparent_hugepage/enabled",
		"/sys/fs/cgroup/cgroup.procs", "/dev", "/dev/null", "/dev/full",
	};
	int ours = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		if (!access(paths[i], F_OK))
			assert_int_equal(path__open_below(ours, paths[i]), -EINVAL);
	/* Not by a way through another process' eyes either. */
	assert_int_equal(path__open_below(ours, "/proc/self/root/etc/passwd"), -ELOOP);
	assert_int_equal(path__open_link("/proc/self/environ"), -EINVAL);
	close(ours);
}

/* Was the file opened since it was watched? A descriptor to look at it only is no opening. */
static bool was_opened(int watch)
{
	char events[4096];

	return read(watch, events, sizeof(events)) > 0;
}

static void check_untouched(const char *name)
{
	int watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	char path[128], link[128];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	assert_true(inotify_add_watch(watch, path, IN_OPEN) >= 0);
	assert_int_equal(path__open_below(root, name), -EINVAL);
	assert_int_equal(path__open_link(path), -EINVAL);
	snprintf(link, sizeof(link), "to-%s", name);
	assert_int_equal(symlinkat(name, root, link), 0);
	assert_int_equal(path__open_below(root, link), -EINVAL);
	assert_false(was_opened(watch));
	close(watch);
}

static void test_untouched(void **state)
{
	assert_int_equal(mkfifoat(root, "fifo", 0600), 0);
	check_untouched("fifo");
	if (mknodat(root, "device", S_IFCHR | 0600, makedev(1, 7)))
		print_message("no devices can be made here\n");
	else
		check_untouched("device");
}

/* Who opens a file that is leased to another waits for up to 45 s (fcntl(2), F_SETLEASE). */
static void test_lease(void **state)
{
	int fd;

	signal(SIGIO, SIG_IGN);
	write_file("leased", "text");
	fd = openat(root, "leased", O_RDWR | O_CLOEXEC);
	if (fcntl(fd, F_SETLEASE, F_WRLCK))
		skip();
	assert_int_equal(path__open_below(root, "leased"), -EAGAIN);
	close(fd);
	check_opens("leased", "text");
}

static void test_roots(void **state)
{
	struct roots *roots = roots__new();
	struct root *ours = roots__open(roots, "/"), *again, *other;
	int fd = root__fd(ours), same;

	again = roots__of_process(roots, getpid());
	assert_ptr_equal(again, ours);
	other = roots__open(roots, directory);
	assert_ptr_not_equal(other, ours);
	assert_ptr_equal(root__use(other), other);
	root__release(other);
	same = path__open_below(root__fd(other), "file");
	assert_true(same >= 0);
	close(same);
	root__release(other);
	root__release(again);
	assert_return_code(fcntl(fd, F_GETFD), 0);
	root__release(ours);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	assert_null(roots__open(roots, "/nothing"));
	assert_null(roots__of_process(roots, -1));
	root__release(NULL);
	roots__free(roots);
	roots__free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_regular),	  cmocka_unit_test(test_stays_below),
		cmocka_unit_test(test_no_file),	  cmocka_unit_test(test_untouched),
		cmocka_unit_test(test_lease),	  cmocka_unit_test(test_roots),
	};

	return cmocka_run_group_tests(tests, open_directory, close_directory);
}
