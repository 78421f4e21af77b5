/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Processes that change their names and users, share their memory, or begin many others. */
#include <pthread.h>
#include <sched.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "truth.h"

extern char **environ;

static size_t number(int argc, char **argv, int i)
{
	if (i >= argc)
		abort();
	return strtoul(argv[i], NULL, 10);
}

static FRAME void hold_blocks(size_t n)
{
	void *p;

	for (size_t i = 0; i < n; i++)
		p = malloc(1000 + i), TAKE(p, 1000 + i);
}

/* A block that the compiler leaves alone. */
static FRAME void *uncounted_block(size_t size)
{
	void *p = malloc(size);

	__asm__ volatile("" : "+r"(p));
	return p;
}

/* hold N [COMMAND...]: N blocks of 1000, 1001, ... bytes; then becomes COMMAND. */
static void hold(int argc, char **argv)
{
	hold_blocks(number(argc, argv, 0));
	if (argc < 2)
		return;
	truth_tell();
	execv(argv[1], argv + 1);
	abort();
}

/* as_user UID N: what root allocates before it becomes somebody else, it does not count. */
static void as_user(int argc, char **argv)
{
	uncounted_block(4711);
	if (setresuid(number(argc, argv, 0), number(argc, argv, 0), number(argc, argv, 0)))
		abort();
	hold_blocks(number(argc, argv, 1));
}

/* renamed NAME N: what is allocated under the program's own name is not counted. */
static void renamed(int argc, char **argv)
{
	uncounted_block(4711);
	if (prctl(PR_SET_NAME, argv[0]))
		abort();
	hold_blocks(number(argc, argv, 1));
}

/* moves N: what is allocated before it says so is not counted. */
static void moves(int argc, char **argv)
{
	uncounted_block(4711);
	truth_wait("move");
	hold_blocks(number(argc, argv, 0));
}

/* ---- a child of fork ---- */

static FRAME void inherited_blocks(void **blocks)
{
	for (size_t i = 0; i < 100; i++)
		blocks[i] = malloc(100 + i), TAKE(blocks[i], 100 + i);
}

/*
 * inherits CHILDREN: each child frees 60 blocks of its parent's, grows one of them, and holds 10 of
 * its own when it ends.
 */
static void inherits(int argc, char **argv)
{
	size_t n = number(argc, argv, 0);
	static void *blocks[100];

	inherited_blocks(blocks);
	for (size_t i = 0; i < n; i++) {
		pid_t child = fork();

		if (child < 0)
			abort();
		if (child) {
			waitpid(child, NULL, 0);
			continue;
		}
		for (int k = 0; k < 60; k++)
			free(blocks[k]);
		blocks[60] = realloc(blocks[60], 2000);
		for (int k = 0; k < 9; k++)
			blocks[k] = malloc(3000);
		_exit(0);
	}
}

/* generations N: each one holds a block more than its parent, and tells that when it is asked. */
static void generations(int argc, char **argv)
{
	size_t n = number(argc, argv, 0);
	int status = 0;

	for (size_t i = 0; i < n; i++) {
		pid_t child = fork();

		if (child < 0)
			abort();
		if (child) {
			if (waitpid(child, &status, 0) != child || status)
				_exit(4);
			if (i)
				_exit(0);
			return;
		}
		for (size_t k = 0; k <= i; k++)
			uncounted_block(500);
	}
	_exit(0);
}

/* ---- tasks that share memory ---- */

#define STACK (256 * 1024)

static FRAME void shared_blocks(void **blocks)
{
	for (size_t i = 0; i < 40; i++)
		blocks[i] = malloc(700 + i), TAKE(blocks[i], 700 + i);
}

static void *shared[80];

static int shares(void *deeper)
{
	shared_blocks(deeper ? shared : shared + 40);
	if (deeper) {
		char *stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (clone(shares, stack + STACK, CLONE_VM | CLONE_VFORK | SIGCHLD, NULL) < 0 ||
		    wait(NULL) < 0)
			_exit(1);
	}
	_exit(0);
}

/* A child, and a child of that, allocate in the parent's memory, and the parent frees a part. */
static void clones(int argc, char **argv)
{
	char *stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	shared_blocks(shared);
	for (size_t i = 0; i < 40; i++) {
		DROP(shared[i]);
		free(shared[i]);
	}
	if (clone(shares, stack + STACK, CLONE_VM | CLONE_VFORK | SIGCHLD, &stack) < 0 ||
	    wait(NULL) < 0)
		abort();
	for (size_t i = 0; i < 80; i += 2) {
		DROP(shared[i]);
		free(shared[i]);
	}
}

/* What a child of vfork takes, its parent has. */
static FRAME void vfork_once(void **block)
{
	pid_t child = vfork();

	if (child == 0) {
		*block = malloc(900), TAKE(*block, 900);
		_exit(0);
	}
	if (child < 0 || waitpid(child, NULL, 0) != child)
		abort();
}

static void vforks(int argc, char **argv)
{
	for (size_t i = 0; i < 40; i++) {
		vfork_once(&shared[i]);
		if (i % 2) {
			DROP(shared[i]);
			free(shared[i]);
		}
	}
}

/* ---- threads ---- */

static bool survivor_waits;

static __attribute__((noreturn)) void *survivor(void *arg)
{
	pthread_t *first = arg;

	pthread_join(*first, NULL);
	if (survivor_waits)
		truth_wait("alone");
	hold_blocks(100);
	truth_tell();
	exit(0);
}

/* leaderless [waits]: the first thread ends, the other one goes on, when it is told to if it waits. */
static void leaderless(int argc, char **argv)
{
	static pthread_t self, thread;

	survivor_waits = argc > 0;
	self = pthread_self();
	if (pthread_create(&thread, NULL, survivor, &self))
		abort();
	pthread_exit(NULL);
}

static pthread_barrier_t all_there;

static void *one_of_many(void *arg)
{
	hold_blocks(1);
	pthread_barrier_wait(&all_there);
	hold_blocks(1);
	return NULL;
}

/* many_threads N: all at one time. */
static void many_threads(int argc, char **argv)
{
	size_t n = number(argc, argv, 0);
	pthread_t *threads = mmap(NULL, n * sizeof(*threads), PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pthread_attr_t attributes;

	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, 64 * 1024);
	pthread_barrier_init(&all_there, NULL, n);
	for (size_t i = 0; i < n; i++)
		if (pthread_create(&threads[i], &attributes, one_of_many, NULL))
			abort();
	for (size_t i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
}

/* ---- many programs ---- */

static pid_t spawn(char **argv)
{
	pid_t pid;

	if (posix_spawn(&pid, argv[0], NULL, NULL, argv, environ))
		abort();
	return pid;
}

/* spawns ROUNDS N COMMAND...: N, one after the other, and after each round a line. */
static void spawns(int argc, char **argv)
{
	size_t rounds = number(argc, argv, 0), n = number(argc, argv, 1);
	int status;

	for (size_t round = 0; round < rounds; round++) {
		for (size_t i = 0; i < n; i++)
			if (waitpid(spawn(argv + 2), &status, 0) < 0 || status)
				abort();
		truth_wait("round");
	}
}

/* spawns_of FIRST LAST PREFIX: the programs PREFIX0, PREFIX1, ..., one after the other. */
static void spawns_of(int argc, char **argv)
{
	char path[4096];
	int status;

	for (size_t i = number(argc, argv, 0); i < number(argc, argv, 1); i++) {
		snprintf(path, sizeof(path), "%s%zu", argv[2], i);
		if (waitpid(spawn((char *[]){ path, NULL }), &status, 0) < 0 || status)
			abort();
	}
}

/* Takes the pid that the next process is to have; in a pid namespace of its own. */
static pid_t clone_as(pid_t pid)
{
	struct {
		uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
		uint64_t set_tid, set_tid_size;
	} args = { .exit_signal = SIGCHLD, .set_tid = (uintptr_t)&pid, .set_tid_size = 1 };

	return syscall(SYS_clone3, &args, sizeof(args));
}

/* crowd N: N children that hold a block each, and one of our own that may find no room; when they
 * are gone, 50 more. */
static void crowd(int argc, char **argv)
{
	size_t n = number(argc, argv, 0);
	int there[2];
	char c;

	if (pipe(there))
		abort();
	for (size_t i = 0; i < n; i++) {
		if (fork())
			continue;
		uncounted_block(10);
		if (write(there[1], "x", 1) == 1)
			pause();
		_exit(0);
	}
	for (size_t i = 0; i < n; i++)
		if (read(there[0], &c, 1) != 1)
			abort();
	uncounted_block(4711);
	truth_wait("full");
	signal(SIGTERM, SIG_IGN);
	kill(0, SIGTERM);
	while (wait(NULL) > 0)
		;
	truth_wait("gone");
	hold_blocks(50);
}

/* reuses N PID COMMAND...: N processes, one after the other, all with this number. */
static void reuses(int argc, char **argv)
{
	size_t n = number(argc, argv, 0), pid = number(argc, argv, 1);
	int status;

	for (size_t i = 0; i < n; i++) {
		pid_t child = clone_as(pid);

		if (child == 0) {
			for (size_t k = 0; k < i + 1; k++)
				uncounted_block(10000);
			if (i % 2)
				execv(argv[2], argv + 2);
			_exit(0);
		}
		if (child < 0 || waitpid(child, &status, 0) < 0 || status)
			abort();
	}
}

const struct scenario scenarios[] = {
	{ "hold", hold },
	{ "as_user", as_user },
	{ "renamed", renamed },
	{ "moves", moves },
	{ "inherits", inherits },
	{ "generations", generations },
	{ "clones", clones },
	{ "vforks", vforks },
	{ "leaderless", leaderless },
	{ "many_threads", many_threads },
	{ "spawns", spawns },
	{ "spawns_of", spawns_of },
	{ "reuses", reuses },
	{ "crowd", crowd },
	{ NULL, NULL },
};
