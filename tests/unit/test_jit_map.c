// SPDX-License-Identifier: GPL-2.0-or-later
/* The map of code made at run time, against a model that paints one line after the other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/limits.h"
#include "collect/jit_map.h"
#include "process/root.h"
#include "process/view.h"

#define ADDRESSES 300
#define BASE 0x7f0000000000ULL

struct test {
	struct roots *roots;
	struct view *view;
	struct jit_map *map;
	char path[64];
};

static int set_up(void **state)
{
	struct test *t = calloc(1, sizeof(*t));

	*state = t;
	t->roots = roots__new();
	t->view = view__of_process(t->roots, getpid());
	t->map = jit_map__new(t->view, getpid());
	snprintf(t->path, sizeof(t->path), "/tmp/perf-%d.map", (int)getpid());
	return t->map ? 0 : -1;
}

static int tear_down(void **state)
{
	struct test *t = *state;

	unlink(t->path);
	jit_map__free(t->map);
	view__release(t->view);
	roots__free(t->roots);
	free(t);
	return 0;
}

static void write_map(struct test *t, const char *text)
{
	FILE *out = fopen(t->path, "w");

	assert_non_null(out);
	fputs(text, out);
	fclose(out);
	jit_map__rest(t->map);
}

static void assert_name(struct test *t, uint64_t address, const char *name)
{
	const char *found = jit_map__find(t->map, address);

	if (name)
		assert_string_equal(found, name);
	else
		assert_null(found);
}

static void test_lines(void **state)
{
	struct test *t = *state;

	assert_int_equal(jit_map__look(t->map), 0);
	assert_name(t, 0x10, NULL);
	write_map(t, "10 8 a b\n0x20 0x8  JS:*f /x.js:1:2\n");
	assert_name(t, 0xf, NULL);
	assert_name(t, 0x10, "a b");
	assert_name(t, 0x17, "a b");
	assert_name(t, 0x18, NULL);
	assert_name(t, 0x20, "JS:*f /x.js:1:2");
	assert_name(t, UINT64_MAX, NULL);
	/* No function is in them. */
	write_map(t, "\n\n10\n10 \n10 8\n10 8 \n10 0 f\nzz 8 f\n10 zz f\n10,8,f\n"
		     "ffffffffffffffff 8 f\n"
		     "10 8 unfinished");
	assert_name(t, 0x10, NULL);
	write_map(t, "\n");
	assert_name(t, 0x10, NULL);
	unlink(t->path);
	jit_map__rest(t->map);
	assert_int_equal(jit_map__look(t->map), 0);
}

static void test_version(void **state)
{
	struct test *t = *state;
	uint32_t version;

	write_map(t, "10 8 a\n");
	version = jit_map__look(t->map);
	assert_int_not_equal(version, 0);
	jit_map__rest(t->map);
	assert_int_equal(jit_map__look(t->map), version);
	write_map(t, "10 8 a\n18 8 b\n");
	assert_int_not_equal(jit_map__look(t->map), version);
	assert_name(t, 0x18, "b");
}

static void test_later_lines_hold(void **state)
{
	struct test *t = *state;

	srand(1);
	for (int round = 0; round < 200; round++) {
		int model[ADDRESSES] = {}, n = rand() % 60;
		FILE *out = fopen(t->path, "w");
		char name[16];

		assert_non_null(out);
		for (int line = 1; line <= n; line++) {
			int start = rand() % ADDRESSES, size = 1 + rand() % 100;

			fprintf(out, "%llx %x f%d\n", BASE + start, size, line);
			for (int i = start; i < start + size && i < ADDRESSES; i++)
				model[i] = line;
		}
		fputs("0 1 g\n", out);
		fclose(out);
		jit_map__rest(t->map);
		for (int i = 0; i < ADDRESSES; i++) {
			snprintf(name, sizeof(name), "f%d", model[i]);
			assert_name(t, BASE + i, model[i] ? name : NULL);
		}
	}
}

/* Only the end of a large file is read: what is left of a line there is none. */
static void test_large(void **state)
{
	struct test *t = *state;
	static const char rest[] = "10 8 wrong\n", end[] = "\n30 8 last\n";
	FILE *out = fopen(t->path, "w");

	assert_non_null(out);
	fprintf(out, "70000000%s", rest);
	fseek(out, MAX_JIT_MAP_SIZE + 8 - (long)strlen(end), SEEK_SET);
	fputs(end, out);
	fclose(out);
	jit_map__rest(t->map);
	assert_name(t, 0x30, "last");
	assert_name(t, 0x10, NULL);
	assert_name(t, 0x7000000010, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_lines, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_version, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_later_lines_hold, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_large, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
