// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "collect/free_lists.h"

#define ENTRIES 5

struct list {
	struct tables tables;
	struct code_file files[ENTRIES];	/* 0 is none */
	__u64 head;
	__u32 hidden;		/* nobody sees this entry */
	bool disturbed;		/* somebody is to come in between */
};

static const __u32 *link_of(const struct tables *tables, __u32 index)
{
	const struct list *list = (const struct list *)tables;

	return index < ENTRIES && index != list->hidden ? &list->files[index].next : NULL;
}

static __u32 take(struct list *list)
{
	return take_back(&list->head, &list->tables, link_of);
}

static void give(struct list *list, __u32 index)
{
	give_back(&list->head, index, &list->files[index].next);
}

static void fill(struct list *list)
{
	for (__u32 i = 1; i < ENTRIES; i++)
		give(list, i);
}

static void test_last_in_first_out(void **state)
{
	struct list list = {};

	assert_int_equal(take(&list), 0);
	fill(&list);
	for (__u32 i = ENTRIES - 1; i; i--)
		assert_int_equal(take(&list), i);
	assert_int_equal(take(&list), 0);
}

static void test_what_we_cannot_see_yet(void **state)
{
	struct list list = { .hidden = ENTRIES - 1 };

	fill(&list);
	assert_int_equal(take(&list), 0);
	list.hidden = 0;
	assert_int_equal(take(&list), ENTRIES - 1);
}

/* When the first entry and the one after it are known, others take both and give the first back. */
static const __u32 *disturbed_link_of(const struct tables *tables, __u32 index)
{
	struct list *list = (struct list *)tables;
	static __u32 old;

	if (!list->disturbed)
		return link_of(tables, index);
	list->disturbed = false;
	old = list->files[index].next;
	assert_int_equal(take(list), index);
	assert_int_equal(take(list), old);
	give(list, index);
	return &old;
}

static void test_the_same_head_again(void **state)
{
	struct list list = { .disturbed = true };

	fill(&list);
	assert_int_equal(take_back(&list.head, &list.tables, disturbed_link_of), ENTRIES - 1);
	/* Not the one that others have. */
	assert_int_equal(take(&list), ENTRIES - 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_last_in_first_out),
		cmocka_unit_test(test_what_we_cannot_see_yet),
		cmocka_unit_test(test_the_same_head_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
