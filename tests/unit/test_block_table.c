// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The table of live blocks, on the host: threads that put and take at random, while another moves
 * all blocks from table to table, against a model of what must be there.
 */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <linux/types.h>

/* Before and after each compare-and-swap, now and then, it is another thread's turn. */
static inline __u64 swap_shaken(__u64 *word, __u64 from, __u64 to)
{
	static __thread unsigned int n;
	__u64 seen;

	if (++n % 61 == 0)
		sched_yield();
	seen = __sync_val_compare_and_swap(word, from, to);
	if (n % 67 == 0)
		sched_yield();
	return seen;
}
#define swap_word swap_shaken

#include "../../src/collect/block_memory.c"

/* ---- what surrounds the table: loose blocks, and a wait for all that runs ---- */

#define NTHREADS 2
#define NADDRESSES 1024		/* of each process */
#define NPROCESSES 4		/* 1 and 2: the threads' addresses; 3: dead ones */
#define DEAD 3

/* Not cmocka's: its assertions jump, and that no other thread may. */
static unsigned long wrong;
#define expect(truth)                                                                              \
	do {                                                                                       \
		if (!(truth) && !__atomic_fetch_add(&wrong, 1, __ATOMIC_SEQ_CST))                  \
			fprintf(stderr, "%s:%d: %s\n", __func__, __LINE__, #truth);                \
	} while (0)

static struct block loose_block[NPROCESSES][NADDRESSES][2];
static bool loose_there[NPROCESSES][NADDRESSES][2];
static pthread_mutex_t loose_lock = PTHREAD_MUTEX_INITIALIZER;

static struct block_table tables[2];	/* as block_tables; `buckets` is read and written whole */
static __u32 version;
static __u64 sections[NTHREADS];	/* odd: the thread is in an operation */

static uint64_t address_of(uint32_t i)
{
	return 0x7f0000000000 + i * 16ULL;
}

static uint32_t index_of(uint64_t address)
{
	return (address - 0x7f0000000000) / 16;
}

static int put_loose(struct loose_blocks *base, const struct block_key *key,
		     const struct block *block)
{
	uint32_t i = index_of(key->address);

	pthread_mutex_lock(&loose_lock);
	expect(key->process == DEAD || !loose_there[key->process][i][key->moved]);
	loose_block[key->process][i][key->moved] = *block;
	loose_there[key->process][i][key->moved] = true;
	pthread_mutex_unlock(&loose_lock);
	return 0;
}

static bool take_loose(const struct block_key *key, struct block *block)
{
	uint32_t i = index_of(key->address);
	bool found;

	pthread_mutex_lock(&loose_lock);
	found = loose_there[key->process][i][key->moved];
	*block = loose_block[key->process][i][key->moved];
	loose_there[key->process][i][key->moved] = false;
	pthread_mutex_unlock(&loose_lock);
	return found;
}

static void drop_loose(struct loose_blocks *base, const struct block_key *key)
{
	struct block ignored;

	take_loose(key, &ignored);
}

static void end_last_loose(const struct block_key *key, bool moved, const struct block *last)
{
	struct block *block = &loose_block[key->process][index_of(key->address)][moved];

	pthread_mutex_lock(&loose_lock);
	if (block->site == last->site && block->time == last->time)
		block->last = 0;
	pthread_mutex_unlock(&loose_lock);
}

static struct loose_blocks loose = { put_loose, drop_loose };

/* As in bpf/blocks.h. */
static void find_tables(struct block_table *new, struct block_table *old)
{
	__u32 now = __atomic_load_n(&version, __ATOMIC_SEQ_CST);

	new->buckets = __atomic_load_n(&tables[now & 1].buckets, __ATOMIC_SEQ_CST);
	new->nbuckets = __atomic_load_n(&tables[now & 1].nbuckets, __ATOMIC_SEQ_CST);
	old->buckets = __atomic_load_n(&tables[~now & 1].buckets, __ATOMIC_SEQ_CST);
	old->nbuckets = __atomic_load_n(&tables[~now & 1].nbuckets, __ATOMIC_SEQ_CST);
	if (new->buckets)
		return;
	*new = *old;
	old->buckets = NULL;
}

static bool take(const struct block_key *key, struct block *block)
{
	struct block_key moved = *key;
	struct block_table new, old;
	__u64 id = block_id(key);

	find_tables(&new, &old);
	if (take_from_tables(&new, &old, id, block) || take_loose(key, block))
		return true;
	moved.moved = 1;
	find_tables(&new, &old);
	return !(old.buckets && taken_from_old(&old, id)) && take_loose(&moved, block);
}

static void put(const struct block_key *key, const struct block *block)
{
	struct block_table new, old;
	struct block_slot slot;
	struct bucket_pair pair;
	__u64 word, value;

	find_tables(&new, &old);
	if (!pack_block(block, block_id(key), &word, &value) ||
	    !find_buckets(&new, block_id(key), &pair) ||
	    !put_into_buckets(&pair, word, value, &slot))
		put_loose(&loose, key, block);
}

static void end_last_of(struct block_key *key, const struct block *block)
{
	struct block_table new, old;
	__u64 word, value;

	find_tables(&new, &old);
	if (!pack_block(block, block_id(key), &word, &value)) {
		end_last_loose(key, false, block);
		return;
	}
	if (end_last_in_tables(&new, &old, word, value))
		return;
	end_last_loose(key, false, block);
	end_last_loose(key, true, block);
}

/* ---- the model ---- */

struct expected {
	struct block block;
	uint64_t nth;			/* of its thread's puts */
	int thread;
};

static struct expected model[NPROCESSES][NADDRESSES];
/* Puts of a thread that have begun, and those before which the last block was ended. */
static uint64_t begun[NTHREADS], ended[NTHREADS];

/* A way for addresses from one thread to the other. */
#define QUEUE 64
static struct block_key queue[NTHREADS][QUEUE];
static uint64_t queue_head[NTHREADS], queue_tail[NTHREADS];

struct worker {
	int thread;
	uint64_t random;
	struct block_key live[NADDRESSES * 2], unused[NADDRESSES * 2];
	uint32_t nlive, nunused;
	struct block_key last;		/* address 0: none */
	struct block last_block;
};

#define OPERATIONS 1500000		/* of each thread */

static uint64_t random_number(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static void enter_or_leave(const struct worker *w)
{
	__atomic_fetch_add(&sections[w->thread], 1, __ATOMIC_SEQ_CST);
}

static struct block random_block(uint64_t *state)
{
	uint64_t r = random_number(state);
	struct block block = {
		.size = r & 0xffff,
		.site = r >> 16 & 0x3fffff,
		.time = random_number(state) & ((1 << BLOCK_TIME_BITS) - 1),
		.last = 1,
	};

	block.slack = unpack_slack(r >> 40 & 7, block.size);
	if (r >> 58 == 0)
		block.size += 0x10000;		/* fits no slot */
	return block;
}

static struct expected *model_of(const struct block_key *key)
{
	return &model[key->process][index_of(key->address)];
}

static void work_put(struct worker *w)
{
	uint32_t i = random_number(&w->random) % w->nunused;
	struct block_key key = w->unused[i];
	struct block block = random_block(&w->random);

	/* Keys tell the threads' blocks apart: else end_last() may take one for the other. */
	block.time = (block.time & ~1U) | w->thread;
	w->unused[i] = w->unused[--w->nunused];
	w->live[w->nlive++] = key;
	enter_or_leave(w);
	*model_of(&key) = (struct expected){
		block, __atomic_add_fetch(&begun[w->thread], 1, __ATOMIC_SEQ_CST), w->thread
	};
	if (w->last.address)
		end_last_of(&w->last, &w->last_block);
	__atomic_fetch_add(&ended[w->thread], 1, __ATOMIC_SEQ_CST);
	put(&key, &block);
	enter_or_leave(w);
	w->last = key;
	w->last_block = block;
}

static void work_take(struct worker *w, const struct block_key *key)
{
	const struct expected *e = model_of(key);
	uint64_t ended_before = __atomic_load_n(&ended[e->thread], __ATOMIC_SEQ_CST);
	struct block block;

	enter_or_leave(w);
	expect(take(key, &block));
	if (ended_before > e->nth)
		expect(!block.last);
	if (__atomic_load_n(&begun[e->thread], __ATOMIC_SEQ_CST) == e->nth)
		expect(block.last);
	expect(block.size == e->block.size && block.site == e->block.site &&
	       block.time == e->block.time && block.slack == e->block.slack);
	/* glibc frees what it cached for a thread a second time when that ends. */
	if (random_number(&w->random) % 4 == 0)
		expect(!take(key, &block));
	enter_or_leave(w);
	w->unused[w->nunused++] = *key;
}

static void take_queued(struct worker *w)
{
	uint64_t *tail = &queue_tail[w->thread];

	while (*tail != __atomic_load_n(&queue_head[w->thread], __ATOMIC_SEQ_CST)) {
		struct block_key key = queue[w->thread][*tail % QUEUE];

		__atomic_store_n(tail, *tail + 1, __ATOMIC_SEQ_CST);
		work_take(w, &key);
	}
}

/* True: the other thread has it now. */
static bool hand_over(struct worker *w, const struct block_key *key)
{
	int other = !w->thread;
	uint64_t head = queue_head[other];

	if (head - __atomic_load_n(&queue_tail[other], __ATOMIC_SEQ_CST) == QUEUE)
		return false;
	queue[other][head % QUEUE] = *key;
	__atomic_store_n(&queue_head[other], head + 1, __ATOMIC_SEQ_CST);
	return true;
}

static void *work(void *context)
{
	struct worker *w = context;

	for (uint64_t i = 0; i < OPERATIONS; i++) {
		/* Up to many live blocks and down to few, again and again. */
		bool up = random_number(&w->random) % 100 < (i >> 12 & 1 ? 35 : 65);

		if (w->nunused && (up || !w->nlive)) {
			work_put(w);
		} else if (w->nlive) {
			/* The one it got last as often as any. */
			uint32_t one = random_number(&w->random) & 1 ? w->nlive - 1 :
				       random_number(&w->random) % w->nlive;
			struct block_key key = w->live[one];

			w->live[one] = w->live[--w->nlive];
			if (random_number(&w->random) % 4 || !hand_over(w, &key))
				work_take(w, &key);
		}
		take_queued(w);
	}
	return NULL;
}

/* ---- who makes tables, moves blocks, and sweeps ---- */

static bool stop;
static uint64_t swept;

/* Until no thread is in an operation that began before. */
static void wait_for_threads(void)
{
	for (int i = 0; i < NTHREADS; i++) {
		uint64_t seen = __atomic_load_n(&sections[i], __ATOMIC_SEQ_CST);

		while (seen & 1 && __atomic_load_n(&sections[i], __ATOMIC_SEQ_CST) == seen)
			sched_yield();
	}
}

static void add_table(uint32_t nbuckets)
{
	struct block_bucket *buckets = calloc(nbuckets, sizeof(*buckets));
	__u32 next = version + 1;

	__atomic_store_n(&tables[next & 1].nbuckets, nbuckets, __ATOMIC_SEQ_CST);
	__atomic_store_n(&version, next, __ATOMIC_SEQ_CST);
	__atomic_store_n(&tables[next & 1].buckets, buckets, __ATOMIC_SEQ_CST);
	wait_for_threads();
}

static void remove_table(struct block_table *table)
{
	void *buckets = table->buckets;

	__atomic_store_n(&table->buckets, NULL, __ATOMIC_SEQ_CST);
	wait_for_threads();
	free(buckets);
}

/* Blocks of a process that is dead: some in slots, some loose if they find none. */
static void put_dead(uint64_t *random)
{
	for (uint32_t i = 0; i < 64; i++) {
		struct block_key key = { address_of(i), DEAD, 0 };
		struct block block = random_block(random);

		block.size &= 0xffff;
		if (!loose_there[DEAD][i][0])
			put(&key, &block);
	}
}

static bool is_of_dead(__u64 key)
{
	return (key & BLOCK_ID_MASK) >> BLOCK_PROCESS_SHIFT == DEAD;
}

static bool is_copy(__u64 key)
{
	return key & BLOCK_MOVED && key & BLOCK_ID_MASK;
}

static uint64_t count_keys(const struct block_table *table, bool (*is_one)(__u64 key))
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < table->nbuckets * BUCKET_SLOTS; i++)
		n += is_one(load_acquire(&bucket_at(table, i / BUCKET_SLOTS)->keys[i % BUCKET_SLOTS]));
	return n;
}

static void *move_about(void *context)
{
	static const uint8_t dead[MAX_PROCESSES] = { [DEAD] = 1 };
	uint64_t random = 4711, *moves = context;

	while (!__atomic_load_n(&stop, __ATOMIC_SEQ_CST)) {
		struct block_table *old = &tables[version & 1];

		put_dead(&random);
		/* Sometimes too small for all. */
		add_table(REGIONS + random_number(&random) % 100);
		expect(!block_table__move(&tables[version & 1], old, &loose));
		remove_table(old);
		expect(!count_keys(&tables[version & 1], is_copy));
		swept += count_keys(&tables[version & 1], is_of_dead);
		block_table__sweep(&tables[version & 1], dead, NULL);
		expect(!count_keys(&tables[version & 1], is_of_dead));
		++*moves;
	}
	return NULL;
}

/* ---- the tests ---- */

static void start_worker(struct worker *w, int thread)
{
	w->thread = thread;
	w->random = 88172645463325252ULL + thread;
	for (uint32_t i = 0; i < NADDRESSES; i++)
		w->unused[w->nunused++] = (struct block_key){ address_of(i), thread + 1, 0 };
}

static void test_threads(void **state)
{
	static struct worker workers[NTHREADS];
	pthread_t threads[NTHREADS], mover;
	uint64_t moves = 0;

	add_table(64);
	assert_int_equal(pthread_create(&mover, NULL, move_about, &moves), 0);
	for (int i = 0; i < NTHREADS; i++) {
		start_worker(&workers[i], i);
		assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
	}
	for (int i = 0; i < NTHREADS; i++)
		pthread_join(threads[i], NULL);
	__atomic_store_n(&stop, true, __ATOMIC_SEQ_CST);
	pthread_join(mover, NULL);
	for (int i = 0; i < NTHREADS; i++) {
		take_queued(&workers[i]);
		while (workers[i].nlive)
			work_take(&workers[i], &workers[i].live[--workers[i].nlive]);
	}
	assert_int_equal(wrong, 0);
	assert_true(moves > 100);
	assert_true(swept > 0);
	assert_int_equal(block_table__count(&tables[version & 1], UINT32_MAX), 0);
	for (int i = 0; i < NADDRESSES; i++)
		for (int j = 0; j < 4; j++)
			assert_false(loose_there[1 + j / 2][i][j % 2]);
	remove_table(&tables[version & 1]);
}

/* Of a sample, what is swept is counted out. */
static void test_sweep_counts(void **state)
{
	static const uint8_t dead[MAX_PROCESSES] = { [DEAD] = 1 };
	static uint32_t recorded[LOOSE_COUNTS];
	struct block block = { .size = 8, .site = 1 };
	uint32_t left = 0;

	add_table(REGIONS);
	for (uint32_t i = 0; i < 100; i++) {
		struct block_key key = { address_of(i), i % 4 ? DEAD : 1, 0 };

		put(&key, &block);
		recorded[loose_hash(&key)]++;
	}
	block_table__sweep(&tables[version & 1], dead, recorded);
	assert_int_equal(block_table__count(&tables[version & 1], UINT32_MAX), 25);
	for (uint32_t i = 0; i < LOOSE_COUNTS; i++)
		left += recorded[i];
	assert_int_equal(left, 25);
	for (uint32_t i = 0; i < 100; i += 4) {
		struct block_key key = { address_of(i), 1, 0 };

		assert_true(recorded[loose_hash(&key)] > 0);
		assert_true(take(&key, &block));
	}
	remove_table(&tables[version & 1]);
}

/* What a slot cannot hold is refused; what it can comes back as it was. */
static void test_words(void **state)
{
	static const uint64_t sizes[] = { 0, 1, 7, 8, 9, 24, 4095, 65535, 65536, 3ULL << 30 };
	struct block_key key = { 0x7ffffffffff8, MAX_PROCESSES - 1, 0 }, same_key;
	struct block block = { .site = (1 << BLOCK_SIZE_SHIFT) - 1 }, same;
	__u64 word = 0, value = 0;

	block.time = (1U << BLOCK_TIME_BITS) - 1;
	for (uint32_t i = 0; i < 10 * 100 * 2; i++) {
		block.size = sizes[i % 10];
		block.slack = i / 10 % 100;
		block.last = i / 1000;
		if (!pack_block(&block, block_id(&key), &word, &value)) {
			assert_true(block.size > 65535 || block.slack > 48 ||
				    (block.size + block.slack) % 8);
			continue;
		}
		assert_in_range(block.size, 0, 65535);
		unpack_key(word, &same_key);
		memset(&same, 0, sizeof(same));
		unpack_block(word, value, &same);
		assert_memory_equal(&key, &same_key, sizeof(key));
		assert_memory_equal(&block, &same, sizeof(block));
	}
	key.address = 0x7ffffffffff9;
	assert_true(!block_id(&key));
	key.address = 1ULL << 47;
	assert_true(!block_id(&key));
}

/* glibc's own: malloc(n) has so many bytes more. */
static void test_slack_of_malloc(void **state)
{
	struct block block = {}, same;
	__u64 word = 0, value = 0;

	for (block.size = 0; block.size < 2000; block.size++) {
		uint64_t chunk = block.size + 8 < 32 ? 32 : (block.size + 8 + 15) & ~15ULL;

		for (int rest = 0; rest < 2; rest++) {	/* too little to be a chunk of its own */
			block.slack = chunk - 8 + rest * 16 - block.size;
			assert_true(pack_block(&block, 8, &word, &value));
			unpack_block(word, value, &same);
			assert_int_equal(same.slack, block.slack);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_slack_of_malloc),
		cmocka_unit_test(test_sweep_counts),
		cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
