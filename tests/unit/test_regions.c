// SPDX-License-Identifier: GPL-2.0-or-later
/* The books of mapped memory, against a model that knows of each page who mapped it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "collect/regions.h"

#define PAGES 200	/* few, so that ranges meet */
#define CALLS 20000

struct model {
	uint32_t call_of[PAGES];	/* 0: not mapped */
	uint32_t npages[CALLS + 1];	/* by call: what is left of it */
	uint64_t size, count;		/* as the books say */
	uint64_t gone_size, gone_calls;
};

static void note_gone(void *context, uint32_t site, uint64_t size, bool last)
{
	struct model *model = context;

	assert_true(site > 0 && site <= CALLS);
	model->size -= size;
	model->count -= last;
	model->gone_size += size;
	model->gone_calls += last;
}

/* Takes the model's pages out; what must have gone, in pages and in whole calls. */
static void unmap_pages(struct model *model, uint32_t first, uint32_t end, uint32_t before,
			uint64_t *pages, uint64_t *calls)
{
	*pages = *calls = 0;
	for (uint32_t i = first; i < end; i++) {
		uint32_t call = model->call_of[i];

		if (!call || call >= before)
			continue;
		model->call_of[i] = 0;
		++*pages;
		*calls += !--model->npages[call];
	}
}

static void take(struct regions *regions, struct model *model, uint32_t first, uint32_t end,
		 uint32_t before)
{
	uint64_t pages, calls;

	model->gone_size = model->gone_calls = 0;
	assert_int_equal(regions__take(regions, first, end, before, note_gone, model), 0);
	unmap_pages(model, first, end, before, &pages, &calls);
	assert_int_equal(model->gone_size, pages);
	assert_int_equal(model->gone_calls, calls);
}

static void add(struct regions *regions, struct model *model, uint32_t first, uint32_t end,
		uint32_t call)
{
	struct region_call new = { .site = call };

	assert_int_equal(regions__add(regions, first, end, call, &new), 0);
	for (uint32_t i = first; i < end; i++)
		model->call_of[i] = call;
	model->npages[call] = end - first;
	model->size += end - first;
	model->count++;
}

static void check_pages(struct regions *regions, const struct model *model)
{
	uint64_t mapped = 0;

	for (uint32_t i = 0; i < PAGES; i++) {
		const struct region *region = regions__find(regions, i);

		assert_int_equal(region ? region->call->site : 0, model->call_of[i]);
		mapped += model->call_of[i] != 0;
	}
	assert_int_equal(model->size, mapped);
}

static void sum_up(const struct region *region, void *context)
{
	uint64_t *sum = context;

	assert_true(sum[1] <= region->start && region->start < region->end);
	sum[0] += region->end - region->start;
	sum[1] = region->end;
}

static void random_calls(void **state)
{
	struct model *model = calloc(1, sizeof(*model));
	struct regions *regions = regions__new();
	uint64_t sum[2];

	(void)state;
	srandom(7);
	for (uint32_t call = 1; call <= CALLS; call++) {
		uint32_t first = random() % PAGES, n = 1 + random() % (random() % 4 ? 12 : 80);
		uint32_t end = first + n < PAGES ? first + n : PAGES;
		/* Now and then a call that had begun before the last ones came. */
		uint32_t before = random() % 4 ? call : call - random() % (call < 50 ? call : 50);

		if (random() % 2) {
			take(regions, model, first, end, call);
			add(regions, model, first, end, call);
		} else {
			take(regions, model, first, end, before);
		}
		if (call % 16 == 0)
			check_pages(regions, model);
		sum[0] = sum[1] = 0;
		regions__each(regions, sum_up, sum);
		assert_int_equal(sum[0], model->size);
	}
	take(regions, model, 0, PAGES, CALLS + 1);
	assert_int_equal(model->size, 0);
	assert_int_equal(model->count, 0);
	regions__free(regions);
	free(model);
}

static void edges(void **state)
{
	struct model *model = calloc(1, sizeof(*model));
	struct regions *regions = regions__new();

	(void)state;
	take(regions, model, 0, PAGES, 1);	/* of nothing */
	add(regions, model, 10, 20, 1);
	add(regions, model, 20, 30, 2);
	take(regions, model, 0, 10, 9);		/* touches, no more */
	take(regions, model, 30, 40, 9);
	take(regions, model, 15, 15, 9);
	assert_int_equal(model->size, 20);
	take(regions, model, 13, 17, 9);	/* the middle: both ends are of one call */
	assert_int_equal(model->count, 2);
	take(regions, model, 10, 13, 9);
	assert_int_equal(model->count, 2);
	take(regions, model, 17, 25, 9);	/* the rest of it, and the head of the next */
	assert_int_equal(model->count, 1);
	assert_null(regions__find(regions, 24));
	assert_int_equal(regions__find(regions, 25)->call->site, 2);
	take(regions, model, 0, PAGES, 2);	/* before it came */
	assert_int_equal(model->size, 5);
	check_pages(regions, model);
	regions__free(regions);			/* with what is in it */
	free(model);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(edges),
		cmocka_unit_test(random_calls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
