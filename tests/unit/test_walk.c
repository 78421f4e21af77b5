// SPDX-License-Identifier: GPL-2.0-or-later
/* The kernel half's walk, on the host: against libdw's unwinder on stopped processes. */
#include <alloca.h>
#include <errno.h>
#include <glob.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>

#include <cmocka.h>

#include "walk_truth.h"

/* ---- the far side: says who it is, and waits with its stack as it is ---- */

#define NOINLINE __attribute__((noinline))

static int told;	/* the pipe's end */

static NOINLINE void tell_and_wait(bool really)
{
	pid_t tid = syscall(SYS_gettid);

	if (write(told, &tid, sizeof(tid)) != sizeof(tid))
		_exit(1);
	while (really)
		pause();
}

static NOINLINE int recurse(int depth)
{
	volatile int keep = depth;

	if (depth)
		keep += recurse(depth - 1);
	else
		tell_and_wait(keep == 0);
	return keep;
}

static void scenario_plain(void)
{
	recurse(20);
}

static void scenario_deep(void)
{
	recurse(300);
}

static NOINLINE void big_frame(void)
{
	volatile char big[100000];

	big[0] = big[99999] = 1;
	recurse(2);
	big[1] = 1;
}

static void scenario_big_frame(void)
{
	big_frame();
}

static NOINLINE void variable_frame(size_t size)
{
	volatile char *some = alloca(size);
	volatile char array[size + 3];

	some[0] = array[size] = 1;
	recurse(2);
	some[0] = array[size] = 2;
}

static void scenario_alloca(void)
{
	variable_frame(1000 + told);
}

static NOINLINE void aligned_frame(size_t size, int a, int b, int c, int d, int e, int f, int g)
{
	volatile char aligned[64] __attribute__((aligned(64)));
	volatile char *some = alloca(size);

	aligned[0] = some[0] = a + g;
	recurse(2);
	aligned[0] += some[0] = b + c + d + e + f + g;
}

static void scenario_realigned(void)
{
	aligned_frame(100, 1, 2, 3, 4, 5, 6, 7);
}

static void on_signal(int number)
{
	recurse(2);
}

static void raise_with(int flags)
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = flags };

	sigaction(SIGUSR1, &action, NULL);
	raise(SIGUSR1);
}

static void scenario_signal(void)
{
	raise_with(0);
}

static void scenario_alternate_stack(void)
{
	stack_t stack = { .ss_sp = malloc(65536), .ss_size = 65536 };

	sigaltstack(&stack, NULL);
	raise_with(SA_ONSTACK);
}

/* Interrupted between two instructions of a leaf function, not in a call. */
static NOINLINE void fault(volatile int *nowhere)
{
	*nowhere = 1;
}

static void scenario_fault(void)
{
	struct sigaction action = { .sa_handler = on_signal };

	sigaction(SIGSEGV, &action, NULL);
	fault(mmap(NULL, HOST_PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
}

static void *in_thread(void *arg)
{
	recurse(5);
	return NULL;
}

static void scenario_thread(void)
{
	pthread_t thread;

	pthread_create(&thread, NULL, in_thread, NULL);
	pthread_join(thread, NULL);
}

static int compare(const void *left, const void *right)
{
	recurse(3);
	return 0;
}

static void scenario_qsort(void)
{
	int some[] = { 3, 2, 1 };

	qsort(some, 3, sizeof(*some), compare);
}

static void scenario_coroutine(void)
{
	ucontext_t here, there;

	getcontext(&there);
	there.uc_stack.ss_sp = malloc(65536);
	there.uc_stack.ss_size = 65536;
	there.uc_link = &here;
	makecontext(&there, scenario_plain, 0);
	swapcontext(&here, &there);
}

/* ---- this side ---- */

static pid_t start(void (*scenario)(void), const char *const *command, pid_t *tid)
{
	int ends[2];
	pid_t pid;

	assert_int_equal(pipe(ends), 0);
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		told = ends[1];
		if (scenario)
			scenario();
		dup2(ends[1], STDOUT_FILENO);
		execv(command[0], (char **)command);
		_exit(1);
	}
	close(ends[1]);
	assert_true(read(ends[0], tid, scenario ? sizeof(*tid) : 1) > 0);
	if (!scenario)
		*tid = pid;
	close(ends[0]);
	return pid;
}

static bool next_is_exact(const struct truth *truth, uint32_t i)
{
	return i + 1 < truth->walk.nframes &&
	       truth->room.frames[i + 1] >> FRAME_TAG_SHIFT == FRAME_EXACT;
}

/* `stop`: how the walk must end. `whole`: with libdw's last frame. */
static void compare_walk(void (*scenario)(void), const char *const *command, enum stop_reason stop,
			 bool whole)
{
	struct truth truth;
	const struct walk *walk = &truth.walk;
	pid_t pid, tid;
	bool taken;

	pid = start(scenario, command, &tid);
	host = host__new(pid);
	taken = truth__take(&truth, pid, tid);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert_true(taken);
	print_message("%u frames, libdw %u, stop %u\n", walk->nframes, truth.nframes, walk->stop);
	for (uint32_t i = 0; i < walk->nframes && i < truth.nframes; i++) {
		uint64_t frame = truth.room.frames[i];
		bool exact = frame >> FRAME_TAG_SHIFT == FRAME_EXACT;

		if ((frame & FRAME_PC_MASK) != truth.frames[i])
			fail_msg("frame %u is %#lx, libdw has %#lx", i, frame, truth.frames[i]);
		/* libdw calls the code exact that a handler returns to, too. */
		if (exact != truth.exact[i] && (exact || !next_is_exact(&truth, i)))
			fail_msg("frame %u is exact or not, unlike libdw's", i);
	}
	assert_int_equal(walk->stop, stop);
	if (whole)
		assert_int_equal(walk->nframes, truth.nframes);
	else
		assert_true(walk->nframes <= truth.nframes);
	host__free(host);
}

/* ---- captured stacks ---- */

static uint8_t from_hex(const char *digits)
{
	unsigned int byte = 0;

	assert_int_equal(sscanf(digits, "%2x", &byte), 1);
	return byte;
}

/* The rows of a mapping: the rules that the walk needed, a byte of code each, and gaps. */
static void add_rule(const char *line)
{
	struct unwind_rule rule = { 0 };
	struct unwind_rows *rows;
	unsigned int cfa, bp, bx;
	int ra_slot, bp_slot, bx_slot;
	uint64_t address;
	uint32_t index;

	assert_int_equal(sscanf(line, "rule %" SCNx64 " %u %u %u %d %d %d %d %d", &address, &cfa,
				&bp, &bx, &ra_slot, &rule.cfa_offset, &bp_slot, &bx_slot,
				&rule.deref_offset), 9);
	rule.cfa = cfa;
	rule.bp = bp;
	rule.bx = bx;
	rule.ra_slot = ra_slot;
	rule.bp_slot = bp_slot;
	rule.bx_slot = bx_slot;
	assert_int_equal(unwind_rules__intern(host->rules, &rule, &index), 0);
	for (uint32_t i = 0; i < host->nmappings; i++) {
		struct mapping *m = &host->mappings[i];
		uint32_t at = 0;

		if (address < m->start || address >= m->end)
			continue;
		rows = &host->files[m->file];
		while (at < rows->nrows && rows->rows[at].start < address - m->start)
			at += 2;
		if (at < rows->nrows && rows->rows[at].start == address - m->start)
			return;
		rows->rows = realloc(rows->rows, (rows->nrows + 2) * sizeof(*rows->rows));
		memmove(rows->rows + at + 2, rows->rows + at,
			(rows->nrows - at) * sizeof(*rows->rows));
		rows->rows[at] = (struct unwind_row){ address - m->start, index };
		rows->rows[at + 1] = (struct unwind_row){ address - m->start + 1, 0 };
		rows->nrows += 2;
		m->bias = m->start;
	}
}

/* What tools/capture_stack.c wrote. */
static void read_line(const char *line, struct truth *truth, unsigned int *stop)
{
	struct user_regs_struct *r = &truth->registers;
	struct host_page *page = &host->pages[host->npages];
	uint64_t start, end;
	int at, skip;

	if (sscanf(line, "registers %llx %llx %llx %llx", &r->rip, &r->rsp, &r->rbp, &r->rbx) == 4)
		return;
	if (sscanf(line, "mapping %" SCNx64 " %" SCNx64, &start, &end) == 2) {
		host__add_mapping(start, end);
	} else if (!strncmp(line, "rule ", 5)) {
		add_rule(line);
	} else if (sscanf(line, "page %" SCNx64, &page->address) == 1) {
		assert_true(++host->npages < HOST_MAX_PAGES);
	} else if (sscanf(line, "bytes %d %n", &at, &skip) == 1) {
		for (int i = 0; i < 32; i++)
			page[-1].data[at + i] = from_hex(line + skip + 2 * i);
	} else if (sscanf(line, "frame %" SCNx64, &truth->frames[truth->nframes]) == 1) {
		assert_true(++truth->nframes < TRUTH_MAX_FRAMES);
	} else {
		assert_int_equal(sscanf(line, "stop %u", stop), 1);
	}
}

static void replay(const char *path)
{
	struct truth truth = { 0 };
	const struct walk *walk = &truth.walk;
	FILE *file = fopen(path, "re");
	unsigned int stop = STOP_MAX;
	char line[256];

	assert_non_null(file);
	host = host__new(0);
	while (fgets(line, sizeof(line), file))
		read_line(line, &truth, &stop);
	fclose(file);
	walk_from(&truth.walk, &truth.room, &truth.registers);
	for (uint32_t i = 0; i < walk->nframes && i < truth.nframes; i++)
		assert_int_equal(truth.room.frames[i] & FRAME_PC_MASK, truth.frames[i]);
	assert_int_equal(walk->stop, stop);
	if (stop == STOP_BOTTOM)
		assert_int_equal(walk->nframes, truth.nframes);
	print_message("%s: %u frames, stop %u\n", path, walk->nframes, stop);
	host__free(host);
}

/* From the project's folder, as make runs it. */
static void test_captured(void **state)
{
	glob_t found;

	assert_int_equal(glob("tests/unit/stacks/*", 0, NULL, &found), 0);
	for (size_t i = 0; i < found.gl_pathc; i++)
		replay(found.gl_pathv[i]);
	globfree(&found);
}

#define SCENARIO(name, ...)                                                                        \
	static void test_##name(void **state)                                                      \
	{                                                                                          \
		compare_walk(scenario_##name, NULL, __VA_ARGS__);                                  \
	}

SCENARIO(plain, STOP_BOTTOM, true)
SCENARIO(deep, STOP_DEPTH, false)
SCENARIO(big_frame, STOP_BOTTOM, true)
SCENARIO(alloca, STOP_BOTTOM, true)
SCENARIO(realigned, STOP_BOTTOM, true)
SCENARIO(signal, STOP_BOTTOM, true)
SCENARIO(alternate_stack, STOP_BOTTOM, true)
SCENARIO(fault, STOP_BOTTOM, true)
SCENARIO(thread, STOP_BOTTOM, true)
SCENARIO(qsort, STOP_BOTTOM, true)
/* With frame pointers about, libdw goes on from a coroutine's bottom to what is not there. */
SCENARIO(coroutine, STOP_BOTTOM, false)

static void test_python(void **state)
{
	static const char *const command[] = { "/usr/bin/python3", "-c",
		"import time\n"
		"class C:\n"
		"    def __lt__(self, other):\n"
		"        print(1, flush=True)\n"
		"        time.sleep(1000)\n"
		"sorted([C(), C()])", NULL };

	compare_walk(NULL, command, STOP_BOTTOM, true);
}

static void test_perl(void **state)
{
	static const char *const command[] = { "/usr/bin/perl", "-e",
		"$| = 1; sub f { my $n = shift; $n ? f($n - 1) : do { print 1; sleep 1000 } }"
		"print sort { f(3) } (1, 2)", NULL };

	compare_walk(NULL, command, STOP_BOTTOM, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_captured),
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_deep),
		cmocka_unit_test(test_big_frame),
		cmocka_unit_test(test_alloca),
		cmocka_unit_test(test_realigned),
		cmocka_unit_test(test_signal),
		cmocka_unit_test(test_alternate_stack),
		cmocka_unit_test(test_fault),
		cmocka_unit_test(test_thread),
		cmocka_unit_test(test_qsort),
		cmocka_unit_test(test_coroutine),
		cmocka_unit_test(test_python),
		cmocka_unit_test(test_perl),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
