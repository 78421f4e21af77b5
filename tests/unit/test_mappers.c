// SPDX-License-Identifier: GPL-2.0-or-later
/* The C library's functions that map memory; the truth is nm's. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "directory.h"
#include "probe/mappers.h"

#define LIBC "/lib/x86_64-linux-gnu/libc.so.6"

static int find_in(const char *path, struct mappers *mappers)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int err;

	assert_true(fd >= 0);
	err = mappers__find(fd, mappers);
	close(fd);
	return err;
}

static const struct mapper *get(const struct mappers *mappers, enum mapping_kind kind, size_t nth)
{
	for (size_t i = 0; i < mappers->count; i++)
		if (mappers->items[i].kind == kind && !nth--)
			return &mappers->items[i];
	return NULL;
}

/* In glibc's library an address of code is its file offset. */
static uint64_t nm(const char *symbol)
{
	unsigned long address = 0;
	char command[128];
	FILE *out;

	snprintf(command, sizeof(command), "nm -D %s | grep -m1 ' %s@@'", LIBC, symbol);
	out = popen(command, "r");
	assert_non_null(out);
	assert_int_equal(fscanf(out, "%lx", &address), 1);
	pclose(out);
	return address;
}

static void compile(const char *flags, const char *source, char path[128])
{
	char command[512];
	FILE *cc;

	snprintf(path, 128, "%s/program", directory);
	snprintf(command, sizeof(command), "gcc -x c -w -O2 -o %s %s - 2>&1", path, flags);
	cc = popen(command, "w");
	assert_non_null(cc);
	fputs(source, cc);
	assert_int_equal(pclose(cc), 0);
}

static void library(void **state)
{
	struct mappers mappers;

	(void)state;
	assert_int_equal(find_in(LIBC, &mappers), 0);
	assert_int_equal(mappers.count, 5);
	assert_int_equal(get(&mappers, MAPPING_MMAP, 0)->function, nm("mmap"));
	assert_int_equal(get(&mappers, MAPPING_MUNMAP, 0)->function, nm("munmap"));
	assert_int_equal(get(&mappers, MAPPING_MREMAP, 0)->function, nm("mremap"));
	assert_int_equal(get(&mappers, MAPPING_BREAK, 0)->function +
			 get(&mappers, MAPPING_BREAK, 1)->function, nm("brk") + nm("sbrk"));
	assert_int_equal(mappers.threads, nm("pthread_create"));
	assert_true(mappers.threads_size > 0);
	for (size_t i = 0; i < mappers.count; i++)
		assert_true(mappers.items[i].offset >= mappers.items[i].function);
}

#define CALLS "#include <sys/mman.h>\n#include <pthread.h>\n#include <unistd.h>\n" \
	"void *f(void *p) { return sbrk(8); }\n" \
	"int main() { pthread_t t; pthread_create(&t, 0, f, 0);\n" \
	"	return munmap(mmap(0, 1, 3, 34, -1, 0), 1); }\n"

static void static_programs(void **state)
{
	const char *flags[] = { "-static", "-static-pie" };
	struct mappers mappers;
	char path[128];

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		compile(flags[i], CALLS, path);
		assert_int_equal(find_in(path, &mappers), 0);
		assert_non_null(get(&mappers, MAPPING_MMAP, 0));
		assert_null(get(&mappers, MAPPING_MMAP, 1));
		assert_non_null(get(&mappers, MAPPING_MUNMAP, 0));
		assert_non_null(get(&mappers, MAPPING_BREAK, 0));
		assert_true(mappers.threads_size > 0);
	}
}

/* What a program calls is not its own; what it calls so itself is nobody's business. */
static void others(void **state)
{
	struct mappers mappers;
	char path[128];

	(void)state;
	compile("", CALLS, path);
	assert_int_equal(find_in(path, &mappers), 0);
	assert_int_equal(mappers.count, 0);
	assert_int_equal(mappers.threads_size, 0);
	compile("", "static __attribute__((noinline, noipa)) int mremap(int x) { return x + 1; }\n"
		    "int main(int argc, char **argv) { return mremap(argc); }\n", path);
	assert_int_equal(find_in(path, &mappers), 0);
	assert_int_equal(mappers.count, 0);
	assert_int_equal(find_in("/etc/passwd", &mappers), -ENOEXEC);
	assert_int_equal(mappers.count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(library),
		cmocka_unit_test(static_programs),
		cmocka_unit_test(others),
	};

	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
