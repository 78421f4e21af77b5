// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The memo of stacks, on the host: threads that remember and recall, all in one entry, never come to
 * another stack's site.
 */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <linux/types.h>

#include "base/types.h"

/* ---- what surrounds it ---- */

/* The calling thread's stack, from SP on. */
#define SP 0x7ffc00001000ULL
#define NWORDS 1536		/* whole pages, more than the window has */
static __thread uint64_t *stack;
static __thread unsigned int nreads;
static __thread size_t bytes_read;

/* Now and then it is another thread's turn, in the middle of recalling. */
static int user_read(void *to, size_t size, uint64_t address)
{
	if (++nreads % 7 == 0)
		sched_yield();
	if (address < SP || address + size > SP + NWORDS * sizeof(*stack))
		return -1;
	address -= SP;
	__asm__("" : "+r"(address));	/* or the linker is asked for stack - SP: too far */
	memcpy(to, (char *)stack + address, size);
	bytes_read += size;
	return 0;
}

static const struct code_file *file_at(__u32 index)
{
	return NULL;
}

static const struct unwind_row *row_at(__u32 file, __u32 index)
{
	return NULL;
}

static const struct unwind_rule *rule_at(__u32 index)
{
	return NULL;
}

static __u64 *rule_cache_at(__u32 index)
{
	return NULL;
}

static __u64 trampoline_return(__u64 slot, __u64 pc)
{
	return 0;
}

struct walk;
static bool is_sought(struct walk *w)
{
	return false;
}

static int load_mapping(struct walk *w, __u64 address)
{
	return -1;
}

#define repeat(n, step, context)                                                                   \
	do {                                                                                       \
		for (__u32 i_ = 0; i_ < (n); i_++)                                                 \
			if (step(i_, context))                                                     \
				break;                                                             \
	} while (0)
#define __noinline __attribute__((noinline))

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wsign-compare"
#include "../../bpf/unwind.h"
#pragma GCC diagnostic pop
#include "../../bpf/memo.h"

/* ---- stacks ---- */

#define NSTACKS 64		/* they differ in nothing but the words */
#define TRAIL 40

struct walker_thread {
	struct walk walk;
	struct walk_room room;
};

/* Word i of the trail lies at i * `apart` words. */
static void put_stack(uint32_t nth, uint32_t apart)
{
	for (uint32_t i = 0; i < TRAIL; i++)
		stack[i * apart] = 0x401000 + nth * 0x1000 + i;
}

static void begin(struct walker_thread *t)
{
	t->walk = (struct walk){ .pc = 0x400123, .sp = SP, .bp = 1, .bx = 2, .books = 1,
				 .generation = 1 };
}

/* As after a walk. */
static void walk(struct walker_thread *t, uint32_t apart)
{
	struct walk *w = &t->walk;

	begin(t);
	w->origin = w->sp;
	w->first_pc = w->pc;
	w->first_bp = w->bp;
	w->first_bx = w->bx;
	for (uint32_t i = 0; i < TRAIL; i++)
		note(w, &t->room, i * apart * 8, stack[i * apart]);
}

static uint32_t recall(const struct stack_memo *memo, struct walker_thread *t)
{
	begin(t);
	return recall_site(memo, &t->walk, &t->room);
}

static uint32_t site_of_stack(uint32_t nth)
{
	return nth + 1;
}

/* ---- the tests ---- */

static void test_words(void **state)
{
	static const uint32_t aparts[] = { 1, 25, 29 };	/* to the window's end, and beyond */
	static struct walker_thread t;

	stack = calloc(NWORDS, sizeof(*stack));
	for (int i = 0; i < 3; i++) {
		static struct stack_memo memo;
		uint32_t apart = aparts[i], last = (TRAIL - 1) * apart;

		memset(&memo, 0, sizeof(memo));
		put_stack(3, apart);
		assert_int_equal(recall(&memo, &t), 0);
		walk(&t, apart);
		assert_int_equal(t.walk.ntrail, TRAIL);
		note_memo(&memo, &t.walk, &t.room, 77);
		bytes_read = 0;
		assert_int_equal(recall(&memo, &t), 77);
		/* Not a byte more than the trail's last word. */
		if (last * 8 + 8 <= WALK_WINDOW)
			assert_int_equal(bytes_read, last * 8 + 8);
		stack[last]++;
		assert_int_equal(recall(&memo, &t), 0);
		stack[last]--;
		assert_int_equal(recall(&memo, &t), 77);
		begin(&t);
		t.walk.bp = 17;		/* no matter: no frame needed it */
		assert_int_equal(recall_site(&memo, &t.walk, &t.room), 77);
		memo.bp_needed = 1;
		begin(&t);
		t.walk.bp = 17;
		assert_int_equal(recall_site(&memo, &t.walk, &t.room), 0);
		begin(&t);
		t.walk.books = 2;
		assert_int_equal(recall_site(&memo, &t.walk, &t.room), 0);
		begin(&t);
		t.walk.generation = 2;
		assert_int_equal(recall_site(&memo, &t.walk, &t.room), 0);
		begin(&t);
		t.walk.epoch = 1;
		assert_int_equal(recall_site(&memo, &t.walk, &t.room), 0);
		/* A walk that met a file which had not been read is worth nothing once more are. */
		walk(&t, apart);
		t.walk.unread = 1;
		t.walk.files_read = 5;
		note_memo(&memo, &t.walk, &t.room, 79);
		assert_int_equal(recall_site(&memo, &t.walk, &t.room), 79);
		t.walk.files_read = 6;
		assert_int_equal(recall_site(&memo, &t.walk, &t.room), 0);
		walk(&t, apart);
		note_memo(&memo, &t.walk, &t.room, 77);
		/* While somebody writes it. */
		memo.turn++;
		assert_int_equal(recall(&memo, &t), 0);
		note_memo(&memo, &t.walk, &t.room, 78);
		memo.turn--;
		assert_int_equal(recall(&memo, &t), 77);
	}
	free(stack);
}

#define ROUNDS 400000
#define NTHREADS 3

static struct stack_memo shared;
static unsigned long wrong, recalled[NTHREADS];

static void *work(void *context)
{
	unsigned long *count = context;
	uint64_t random = 88172645463325252ULL + (uintptr_t)context;
	struct walker_thread *t = calloc(1, sizeof(*t));

	stack = calloc(NWORDS, sizeof(*stack));
	for (int i = 0; i < ROUNDS; i++) {
		uint32_t nth, site;

		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		nth = random % NSTACKS;
		put_stack(nth, 1);
		/* The stack that was noted last is looked for as often as any other. */
		if (random >> 32 & 1) {
			site = __atomic_load_n(&shared.site, __ATOMIC_RELAXED);
			nth = site ? site - 1 : nth;
			put_stack(nth, 1);
		}
		site = recall(&shared, t);
		if (site && site != site_of_stack(nth))
			__atomic_fetch_add(&wrong, 1, __ATOMIC_RELAXED);
		*count += !!site;
		if (site)
			continue;
		walk(t, 1);
		note_memo(&shared, &t->walk, &t->room, site_of_stack(nth));
	}
	free(stack);
	free(t);
	return NULL;
}

static void test_threads(void **state)
{
	pthread_t threads[NTHREADS];

	for (int i = 0; i < NTHREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, work, &recalled[i]), 0);
	for (int i = 0; i < NTHREADS; i++) {
		pthread_join(threads[i], NULL);
		assert_true(recalled[i] > 0);
	}
	assert_int_equal(wrong, 0);
	assert_int_equal(shared.turn & 1, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
