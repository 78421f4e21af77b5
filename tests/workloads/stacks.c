/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Stacks that are hard to walk. Built without frame pointers, and in every way a file can be. */
#include <alloca.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/time.h>
#include <time.h>
#include <ucontext.h>

#include "truth.h"

/* A use of memory that the compiler cannot drop. */
#define USED(p) __asm__ volatile("" : : "r"(p) : "memory")

static FRAME void bottom(size_t size)
{
	void *p;

	p = malloc(size), TAKE(p, size);
}

/* ---- deep N: N frames of recursion ---- */

static FRAME void recurse(int n)
{
	if (n > 1)
		recurse(n - 1);
	else
		bottom(11);
	NOT_A_TAIL_CALL();
}

static void deep(int argc, char **argv)
{
	recurse(argc ? atoi(argv[0]) : 30);
	NOT_A_TAIL_CALL();
}

/* ---- tree N: 2^N stacks, one after the other, as fast as can be ---- */

static void *volatile leaf;
static int leaf_line;

static FRAME void right(unsigned int way, int n);

static FRAME void left(unsigned int way, int n)
{
	if (n)
		(way & 1 ? right : left)(way >> 1, n - 1);
	else
		leaf = malloc(17), leaf_line = __LINE__;
	NOT_A_TAIL_CALL();
}

static FRAME void right(unsigned int way, int n)
{
	left(way, n);
	NOT_A_TAIL_CALL();
}

static void tree(int argc, char **argv)
{
	int n = argc ? atoi(argv[0]) : 10;

	for (unsigned int way = 0; way < 1U << n; way++)
		left(way, n);
	truth_change(__FILE__, leaf_line, 17L << n, 1L << n);
}

/* ---- signal handlers ---- */

static void on_signal(int number)
{
	bottom(13);
	NOT_A_TAIL_CALL();
}

static void handle(int number, int flags)
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = flags };

	if (sigaction(number, &action, NULL))
		abort();
}

static void signalled(int argc, char **argv)
{
	handle(SIGUSR1, 0);
	raise(SIGUSR1);
	NOT_A_TAIL_CALL();
}

/* The interrupted instruction is the first of a function: at pc - 1 is another one. */
static FRAME void trap_first(void)
{
	__asm__ volatile("ud2");
}

static void on_trap(int number, siginfo_t *info, void *context)
{
	((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP] += 2;	/* past ud2 */
	bottom(17);
	NOT_A_TAIL_CALL();
}

static void trapped(int argc, char **argv)
{
	struct sigaction action = { .sa_sigaction = on_trap, .sa_flags = SA_SIGINFO };

	sigaction(SIGILL, &action, NULL);
	trap_first();
	NOT_A_TAIL_CALL();
}

static void alternate(int argc, char **argv)
{
	static char memory[65536];
	stack_t stack = { .ss_sp = memory, .ss_size = sizeof(memory) };

	sigaltstack(&stack, NULL);
	handle(SIGUSR2, SA_ONSTACK);
	raise(SIGUSR2);
	NOT_A_TAIL_CALL();
}

static volatile sig_atomic_t ticks_in_vdso;
static uintptr_t vdso;

/* Allocates once, at the first tick that interrupts the vDSO. */
static void on_tick(int number, siginfo_t *info, void *context)
{
	uintptr_t pc = (uintptr_t)((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];

	if (pc - vdso < 0x2000 && !ticks_in_vdso++)
		bottom(19);
	NOT_A_TAIL_CALL();
}

static void in_vdso(int argc, char **argv)
{
	struct sigaction action = { .sa_sigaction = on_tick, .sa_flags = SA_SIGINFO | SA_RESTART };
	struct itimerval period = { { 0, 1000 }, { 0, 1000 } };
	struct timespec now;

	vdso = getauxval(AT_SYSINFO_EHDR);
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &period, NULL);
	while (!ticks_in_vdso)
		clock_gettime(CLOCK_MONOTONIC, &now);
	setitimer(ITIMER_REAL, &(struct itimerval){ 0 }, NULL);
}

/* ---- frames of unusual shape ---- */

static FRAME void with_alloca(size_t n)
{
	char *room = alloca(n), array[2 * n];

	memset(room, 1, n);
	memset(array, 1, 2 * n);
	USED(room);
	USED(array);
	bottom(23);
	USED(room);
}

static FRAME void with_big_frame(void)
{
	char room[100000];

	memset(room, 1, sizeof(room));
	USED(room);
	bottom(29);
	USED(room);
}

static FRAME void with_aligned_frame(void)
{
	_Alignas(64) char room[256];

	memset(room, 1, sizeof(room));
	USED(room);
	bottom(31);
	USED(room);
}

/* Aligned and of variable size: gcc keeps the way back in a register and a DWARF expression. */
static FRAME void with_aligned_alloca(size_t n)
{
	_Alignas(128) char room[256];
	char *more = alloca(n);

	memset(room, 1, sizeof(room));
	memset(more, 1, n);
	USED(room);
	USED(more);
	bottom(37);
	USED(more);
}

static void shapes(int argc, char **argv)
{
	with_alloca(300);
	with_big_frame();
	with_aligned_frame();
	with_aligned_alloca(300);
}

/* ---- assembly without unwind information, from stacks_asm.S: calls call(arg) ---- */

void asm_with_frame_pointer(void (*call)(size_t), size_t arg);
void asm_without_frame_pointer(void (*call)(size_t), size_t arg);
void asm_blind(void (*call)(size_t), size_t arg);

static void assembly(int argc, char **argv)
{
	asm_with_frame_pointer(bottom, 41);
	NOT_A_TAIL_CALL();
}

static void frameless_assembly(int argc, char **argv)
{
	asm_without_frame_pointer(bottom, 43);
	NOT_A_TAIL_CALL();
}

static void blind_assembly(int argc, char **argv)
{
	asm_blind(bottom, 45);
	NOT_A_TAIL_CALL();
}

/* ---- other stacks ---- */

static void *in_thread(void *arg)
{
	recurse(5);
	return NULL;
}

static void threaded(int argc, char **argv)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, in_thread, NULL))
		abort();
	pthread_join(thread, NULL);
}

#ifdef __GLIBC__
static ucontext_t main_context, coroutine_context;

static void coroutine(void)
{
	recurse(3);
	swapcontext(&coroutine_context, &main_context);
	recurse(4);
}

static void coroutines(int argc, char **argv)
{
	static char stack[65536];

	getcontext(&coroutine_context);
	coroutine_context.uc_stack.ss_sp = stack;
	coroutine_context.uc_stack.ss_size = sizeof(stack);
	coroutine_context.uc_link = &main_context;
	makecontext(&coroutine_context, coroutine, 0);
	swapcontext(&main_context, &coroutine_context);
	swapcontext(&main_context, &coroutine_context);
}
#endif

/* ---- hooked: a tracer other than ours sits on the return of this function ---- */

__attribute__((visibility("default"))) FRAME void hooked_inner(void)
{
	bottom(47);
	NOT_A_TAIL_CALL();
}

__attribute__((visibility("default"))) FRAME void hooked_outer(void)
{
	hooked_inner();
	NOT_A_TAIL_CALL();
}

static void hooked(int argc, char **argv)
{
	hooked_outer();
	NOT_A_TAIL_CALL();
}

/* ---- callbacks through libc's own frames ---- */

static int compare(const void *a, const void *b)
{
	static int calls;

	if (!calls++)
		bottom(53);
	return *(const int *)a - *(const int *)b;
}

static void through_libc(int argc, char **argv)
{
	int numbers[] = { 3, 1, 2 };

	qsort(numbers, 3, sizeof(int), compare);
	USED(numbers);
}

/* ---- all that others can walk as well, gdb for one ---- */

static void everything(int argc, char **argv)
{
	deep(0, NULL);
	signalled(0, NULL);
	trapped(0, NULL);
	alternate(0, NULL);
	shapes(0, NULL);
	assembly(0, NULL);
	threaded(0, NULL);
#ifdef __GLIBC__
	coroutines(0, NULL);
#endif
	hooked(0, NULL);
	through_libc(0, NULL);
	NOT_A_TAIL_CALL();
}

const struct scenario scenarios[] = {
	{ "everything", everything },
	{ "deep", deep },
	{ "tree", tree },
	{ "signalled", signalled },
	{ "trapped", trapped },
	{ "alternate", alternate },
	{ "in_vdso", in_vdso },
	{ "shapes", shapes },
	{ "assembly", assembly },
	{ "frameless_assembly", frameless_assembly },
	{ "blind_assembly", blind_assembly },
	{ "threaded", threaded },
#ifdef __GLIBC__
	{ "coroutines", coroutines },
#endif
	{ "hooked", hooked },
	{ "through_libc", through_libc },
	{ NULL, NULL },
};
