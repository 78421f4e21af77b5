// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a hit costs on this machine: a child of ours calls small functions of our own program,
 * before and while empty programs are attached to them in the way that tracing attaches.
 */
#include "doctor/findings.h"

#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/types.h"
#include "probe/attach.h"
#include "probe/empty.h"
#include "process/process.h"

#define SPAN_NS 40000000ULL	/* of the runs from which the fastest is taken */
#define RUN_TRACED 50		/* calls: a run is short, so that some are not disturbed */
#define RUN_UNTRACED 5000	/* and long enough for the clock */

/* Which instruction a function begins with decides how the kernel goes on after a hit:
 * `push` is emulated, `test` is single-stepped. Both are the beginnings of real allocators. */
static __attribute__((naked, noinline)) void entered(void)
{
	__asm__ volatile("push %rbp; pop %rbp; ret");
}

static __attribute__((naked, noinline)) void entered_and_returned(void)
{
	__asm__ volatile("push %rbp; pop %rbp; ret");
}

static __attribute__((naked, noinline)) void stepped(void)
{
	__asm__ volatile("test %rdi,%rdi; ret");
}

static const struct {
	void (*function)(void);
	bool return_probe, emulated;
} subjects[] = {
	{ entered, false, true },
	{ entered_and_returned, true, true },
	{ stepped, false, false },
};

#define NSUBJECTS (sizeof(subjects) / sizeof(subjects[0]))

struct child {
	pid_t pid;
	int asks, answers;	/* our ends of the pipes */
};

struct question {
	unsigned int subject, ncalls;
};

static double fastest_call_ns(const struct question *question)
{
	void (*volatile function)(void) = subjects[question->subject].function;
	uint64_t begin = clock_ns(CLOCK_MONOTONIC), before, after = begin, best = UINT64_MAX;

	while (after - begin < SPAN_NS) {
		before = clock_ns(CLOCK_MONOTONIC);
		for (unsigned int i = 0; i < question->ncalls; i++)
			function();
		after = clock_ns(CLOCK_MONOTONIC);
		if (after - before < best)
			best = after - before;
	}
	return (double)best / question->ncalls;
}

/* Until nobody asks any more. */
static void answer_questions(int asked, int answers)
{
	struct question question;

	while (read(asked, &question, sizeof(question)) == sizeof(question)) {
		double ns = fastest_call_ns(&question);

		if (write(answers, &ns, sizeof(ns)) != sizeof(ns))
			break;
	}
	_exit(0);
}

static int start_child(struct child *child)
{
	int asked[2], answers[2], err;

	if (pipe(asked))
		return -errno;
	if (pipe(answers)) {
		err = -errno;
		close(asked[0]);
		close(asked[1]);
		return err;
	}
	child->pid = fork();
	if (!child->pid) {
		close(asked[1]);
		close(answers[0]);
		answer_questions(asked[0], answers[1]);
	}
	err = child->pid < 0 ? -errno : 0;
	close(asked[0]);
	close(answers[1]);
	child->asks = asked[1];
	child->answers = answers[0];
	return err;
}

static void end_child(struct child *child)
{
	close(child->asks);
	close(child->answers);
	if (child->pid > 0)
		waitpid(child->pid, NULL, 0);
}

static int ask(const struct child *child, unsigned int ncalls, double ns[NSUBJECTS])
{
	for (unsigned int i = 0; i < NSUBJECTS; i++) {
		const struct question question = { i, ncalls };

		if (write(child->asks, &question, sizeof(question)) != sizeof(question) ||
		    read(child->answers, &ns[i], sizeof(ns[i])) != sizeof(ns[i]))
			return -EIO;
	}
	return 0;
}

/* Where our functions lie in our own file. */
static int make_probes(struct probe items[NSUBJECTS])
{
	struct target_maps maps;
	int err = target_maps__read(getpid(), &maps);

	for (size_t i = 0; !err && i < NSUBJECTS; i++) {
		uint64_t address = (uintptr_t)subjects[i].function;

		items[i] = (struct probe){
			.symbol = "function",
			.emulated = subjects[i].emulated,
			.return_probe = subjects[i].return_probe,
		};
		for (size_t j = 0; j < maps.count; j++)
			if (address >= maps.items[j].start && address < maps.items[j].end)
				items[i].offset = address - maps.items[j].start +
						  maps.items[j].offset;
		items[i].function = items[i].offset;
		if (!items[i].offset)
			err = -ENOENT;
	}
	if (maps.items)
		target_maps__free(&maps);
	return err;
}

static int attach(const struct child *child, const struct probe_programs *programs,
		  struct probe_links **links)
{
	struct probe items[NSUBJECTS];
	const struct probes probes = { .items = items, .count = NSUBJECTS };
	int err = make_probes(items);

	if (err)
		return err;
	return probe__attach(programs, "/proc/self/exe", "memtracebpf", child->pid, &probes,
			     links);
}

static int compare(const struct child *child, const struct probe_programs *programs,
		   struct cost *cost)
{
	double untraced[NSUBJECTS], traced[NSUBJECTS];
	struct probe_links *links = NULL;
	int err = ask(child, RUN_UNTRACED, untraced);

	if (!err)
		err = attach(child, programs, &links);
	if (err)
		return err;
	err = ask(child, RUN_TRACED, traced);
	if (!err)
		*cost = (struct cost){
			.kind = probe_links__kind(links),
			.call_ns = untraced[0],
			.entry_ns = traced[0] - untraced[0],
			.entry_return_ns = traced[1] - untraced[1],
			.stepped_ns = traced[2] - untraced[2],
		};
	probe_links__free(links);
	return err;
}

int cost__measure(struct cost *cost)
{
	struct probe_programs programs;
	struct child child;
	int err = empty_programs__load(&programs);

	*cost = (struct cost){};
	if (err)
		return err;
	err = start_child(&child);
	if (!err) {
		err = compare(&child, &programs, cost);
		end_child(&child);
	}
	empty_programs__close(&programs);
	return err;
}
