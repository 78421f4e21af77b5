// SPDX-License-Identifier: GPL-2.0-or-later
#include "collect/collect.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "collect/arrivals.h"
#include "collect/books.h"
#include "collect/ended.h"
#include "collect/killed.h"
#include "collect/machine.h"
#include "collect/modules.h"
#include "collect/processes.h"
#include "collect/selection.h"
#include "collect/tables.h"
#include "collect/words.h"
#include "memtracebpf.skel.h"
#include "process/process.h"
#include "signs/signs.h"

struct collector {
	struct collect_opts opts;
	struct names *names;
	struct tables tables;
	struct modules *modules;
	struct books *books;
	struct machine machine;
	struct arrivals *arrivals;
	struct traced **processes;	/* that the user named */
	size_t nprocesses;
	struct ended ended;
	struct killed killed;		/* since the last report */
	size_t nevents;			/* of this turn */
	struct snapshot **exited;	/* see collector__take_exited */
	size_t nexited;
	struct ring_buffer *events;
	int epoll;
	uint64_t started_ns;
	char title[64];
};

/* Not less than are in the ring at any moment: a turn ends although others are added meanwhile. */
#define EVENTS_PER_TURN (256 * 1024 / sizeof(struct event))

static int handle_event(void *context, void *data, size_t size);

static int watch(struct collector *collector, int fd)
{
	struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };

	return epoll_ctl(collector->epoll, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

static int attach_tracepoint(struct bpf_program *program, struct bpf_link **link)
{
	if (!bpf_program__autoload(program))
		return 0;
	*link = bpf_program__attach(program);	/* the skeleton keeps it and destroys it */
	if (*link)
		return 0;
	log__error("cannot attach %s to the kernel's tracepoint: %s", bpf_program__name(program),
		   strerror(errno));
	return -errno;
}

static int watch_lives(struct memtracebpf_bpf *skel)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);
	int err = bpf_prog_test_run_opts(bpf_program__fd(skel->progs.look_at_ourselves), &opts);

	if (err)
		log__error("the kernel does not say who we are: %s", strerror(-err));
	if (!err)
		err = attach_tracepoint(skel->progs.process_forked, &skel->links.process_forked);
	if (!err)
		err = attach_tracepoint(skel->progs.process_exec, &skel->links.process_exec);
	if (!err)
		err = attach_tracepoint(skel->progs.process_exit, &skel->links.process_exit);
	if (!err)
		err = attach_tracepoint(skel->progs.task_renamed, &skel->links.task_renamed);
	if (!err)
		err = attach_tracepoint(skel->progs.task_moved, &skel->links.task_moved);
	return err;
}

/* More processes than the user named may come. */
static bool may_be_many(const struct collect_opts *opts)
{
	return opts->everything || opts->follow_fork || opts->ncomms || opts->nusers ||
	       opts->ncgroups;
}

static int open_parts(struct collector *collector, struct roots *roots,
		      struct symbolizer *symbolizer)
{
	const struct collect_opts *asked = &collector->opts;
	struct tables_opts opts = {
		.max_blocks = asked->max_blocks,
		.max_stacks = asked->max_stacks,
		.nframe = asked->nframe,
		.keep_slack = asked->usable,
		.no_blocks = asked->no_blocks,
		.regions = asked->regions,
		.keep_sum = asked->nprocesses > 1 && !may_be_many(asked),
		.sample_bytes = asked->sample_bytes,
		.select_by = selection__kinds(asked),
		.whole_machine = collector->machine.whole,
		.follow_fork = asked->follow_fork,
		.each_end = asked->leaks_at_exit,
	};
	int err = tables__open(&opts, &collector->tables);

	if (err)
		return err;
	collector->modules = modules__new(&collector->tables, collector->names, roots,
					  symbolizer, asked->custom);
	collector->machine.tables = &collector->tables;
	collector->machine.modules = collector->modules;
	collector->books = books__new(&collector->tables, collector->modules, collector->names,
				      roots);
	collector->events = ring_buffer__new(bpf_map__fd(collector->tables.skeleton->maps.events),
					     handle_event, collector, NULL);
	collector->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (!collector->modules || !collector->books || !collector->events || collector->epoll < 0)
		err = -ENOMEM;
	if (!err)
		err = arrivals__start(&collector->machine, &collector->arrivals);
	if (!err)
		err = watch(collector, arrivals__fd(collector->arrivals));
	if (!err)
		err = watch(collector, ring_buffer__epoll_fd(collector->events));
	if (err) {
		log__error("cannot begin to trace: %s", strerror(-err));
		return err;
	}
	err = selection__apply(asked, &collector->tables);
	return err ? err : watch_lives(collector->tables.skeleton);
}

int collector__new(const struct collect_opts *opts, struct names *names, struct roots *roots,
		   struct symbolizer *symbolizer, struct collector **out)
{
	struct collector *collector = calloc(1, sizeof(*collector));
	int err;

	if (!collector)
		return -ENOMEM;
	collector->opts = *opts;
	collector->names = names;
	/* By the first thread the kernel tells whose code the probes of one process are put into. */
	collector->machine.whole = may_be_many(opts) || opts->first_thread_ended;
	collector->epoll = -1;
	err = open_parts(collector, roots, symbolizer);
	if (err) {
		collector__free(collector);
		return err;
	}
	*out = collector;
	return 0;
}

void collector__free(struct collector *collector)
{
	if (!collector)
		return;
	if (collector->tables.skeleton)
		collector->tables.skeleton->bss->counting = 0;
	arrivals__stop(collector->arrivals);
	machine__close(&collector->machine);
	for (size_t i = 0; i < collector->nprocesses; i++) {
		traced__close(collector->processes[i]);
		free(collector->processes[i]);
	}
	free(collector->processes);
	for (size_t i = 0; i < collector->nexited; i++)
		snapshot__free(collector->exited[i]);
	free(collector->exited);
	if (collector->epoll >= 0)
		close(collector->epoll);
	ring_buffer__free(collector->events);
	books__free(collector->books);
	modules__free(collector->modules);
	if (collector->tables.skeleton)
		tables__close(&collector->tables);
	free(collector);
}

static int sync_process(struct collector *collector, struct traced *traced)
{
	if (traced->index)
		books__meet(collector->books, traced->index);
	return traced__sync(traced, collector->modules, &collector->tables);
}

/* Its books; NULL: it has none yet, or never will. */
static struct process *books_of(const struct collector *collector, const struct traced *traced)
{
	return traced->index ? &collector->tables.processes[traced->index] : NULL;
}

/* Selected by other things as well: the kernel half opens the books when all of them hold. */
static bool opens_books(const struct collector *collector)
{
	return !(selection__kinds(&collector->opts) & ~SELECT_PID);
}

static int open_books(struct collector *collector, struct traced *traced, uint32_t flags)
{
	int index;

	if (!opens_books(collector))
		return selection__add_pid(&collector->tables, traced->pid);
	index = tables__add_process(&collector->tables, traced->pid, flags);
	if (index < 0)
		return index;
	traced->index = index;
	return 0;
}

static struct traced *new_process(struct collector *collector, pid_t pid, uint32_t flags)
{
	struct traced **processes, *traced = NULL;
	int err;

	processes = reallocarray(collector->processes, collector->nprocesses + 1,
				 sizeof(*processes));
	if (processes) {
		collector->processes = processes;
		traced = calloc(1, sizeof(*traced));
	}
	if (!traced)
		return NULL;
	traced->pid = traced->own.pid = pid;
	traced->attachments = collector->machine.whole ? &collector->machine.attachments :
							 &traced->own;
	traced->pidfd = syscall(SYS_pidfd_open, pid, 0);
	if (traced->pidfd < 0 || watch(collector, traced->pidfd))
		goto fail;
	err = open_books(collector, traced, flags | PROCESS_PINNED);
	if (err) {
		errno = -err;
		goto fail;
	}
	processes[collector->nprocesses++] = traced;
	return traced;

fail:
	if (traced->pidfd >= 0)
		close(traced->pidfd);
	free(traced);
	return NULL;
}

/* Says why there is nothing to follow in the process. */
static int no_allocator(const struct traced *traced)
{
	const struct module *other = traced__not_followed(traced);
	uint64_t left_ns = SIGNS_NS;
	char *why = signs__explain(traced->pid, &left_ns);
	char comm[16];

	target__comm(traced->pid, comm);
	if (why)
		log__error("process %d (%s) has no allocator that can be followed: %s", traced->pid,
			   comm, why);
	else if (other)
		log__error("process %d (%s) allocates with %s in %s, which memtracebpf does not "
			   "follow yet", traced->pid, comm, other->probes.allocator, other->path);
	else
		log__error("process %d (%s) maps no allocator that memtracebpf can see: no file "
			   "with a symbol malloc (a static program needs its symbol table)",
			   traced->pid, comm);
	free(why);
	return -ENOTSUP;
}

static int no_mappers(const struct traced *traced)
{
	char comm[16];

	target__comm(traced->pid, comm);
	log__error("process %d (%s) maps no C library that memtracebpf can see: no file with a symbol "
		   "mmap (a static program needs its symbol table)", traced->pid, comm);
	return -ENOTSUP;
}

int collector__add_process(struct collector *collector, pid_t pid)
{
	struct traced *traced = new_process(collector, pid, 0);
	int err;

	if (!traced) {
		err = -errno;
		log__error("cannot follow process %d: %s", pid, strerror(-err));
		return err;
	}
	err = sync_process(collector, traced);
	if (err == -ESRCH)
		log__error("process %d ended before memtracebpf could attach", pid);
	else if (err && !traced->nmodules)
		log__error("cannot follow what process %d maps: %s; does /proc/%d/maps show it?",
			   pid, strerror(-err), pid);
	if (!err && !collector->opts.no_blocks && !traced__followed(traced))
		err = no_allocator(traced);
	if (!err && collector->opts.no_blocks && !traced__has_mappers(traced))
		err = no_mappers(traced);
	return err;
}

int collector__add_child(struct collector *collector, pid_t pid)
{
	return new_process(collector, pid, PROCESS_HOLD) ? 0 : -errno;
}

int collector__add_machine(struct collector *collector)
{
	const struct collect_opts *opts = &collector->opts;
	int err = machine__add_all(&collector->machine);

	if (!err && opts->follow_fork && selection__kinds(opts)) {
		err = selection__adopt_children(&collector->tables);
		if (err)
			log__error("the kernel does not list the children of what is followed: %s",
				   strerror(-err));
	}
	return err ? err : modules__publish(collector->modules);
}

void collector__start(struct collector *collector)
{
	collector->started_ns = clock_ns(CLOCK_MONOTONIC);
	collector->tables.skeleton->bss->started = collector->started_ns;
	__atomic_store_n(&collector->tables.skeleton->bss->counting, 1, __ATOMIC_RELEASE);
}

int collector__fd(const struct collector *collector)
{
	return collector->epoll;
}

static struct traced *find_process(struct collector *collector, pid_t pid)
{
	for (size_t i = 0; i < collector->nprocesses; i++)
		if (collector->processes[i]->pid == pid)
			return collector->processes[i];
	return NULL;
}

/* A child that the kernel half stopped for us goes on. */
static void let_go(struct collector *collector, const struct traced *traced)
{
	const struct process *process = books_of(collector, traced);

	if (process && process->flags & PROCESS_HOLD)
		kill(traced->pid, SIGCONT);
}

/* A process that the user named runs a new program, or has loaded libraries. */
static void note_change(struct collector *collector, const struct event *event)
{
	struct traced *traced = find_process(collector, event->pid);

	if (!traced)
		return;
	if (event->type == EVENT_EXEC) {
		traced->index = event->process;
		traced->gone = (struct gone){};
	}
	traced->changed |= event->process == traced->index;
	traced->waits = true;
}

/* Once for all that it has told. */
static void follow_changes(struct collector *collector, struct traced *traced)
{
	int err = traced->changed ? sync_process(collector, traced) : 0;

	traced->changed = false;
	if (err && err != -ESRCH)
		log__warn("process %d: new code could not be followed: %s", traced->pid,
			  strerror(-err));
	if (traced->waits)
		let_go(collector, traced);
	traced->waits = false;
}

static int handle_event(void *context, void *data, size_t size __unused)
{
	struct collector *collector = context;
	const struct event *event = data;

	if (event->type == EVENT_KILLED)
		killed__add(&collector->killed, event);
	else if (event->type != EVENT_ENDED)
		note_change(collector, event);
	return ++collector->nevents < EVENTS_PER_TURN ? 0 : -EAGAIN;
}

static int read_events(struct collector *collector)
{
	int err;

	collector->nevents = 0;
	err = ring_buffer__consume(collector->events);
	for (size_t i = 0; i < collector->nprocesses; i++)
		follow_changes(collector, collector->processes[i]);
	return err < 0 && err != -EAGAIN ? err : 0;
}

/* What the numbers of this report cannot tell, in words; NULL: nothing. */
static const char *note(struct collector *collector)
{
	char words[WORDS_MAX];
	uint32_t nchildren;

	for (size_t i = 0; i < collector->nprocesses; i++) {
		const struct traced *traced = collector->processes[i];
		char note[WORDS_MAX];

		if (words__missing(&collector->opts, traced, books_of(collector, traced), note))
			return names__string(collector->names, note);
	}
	nchildren = collector->tables.skeleton->bss->children_left;
	if (!nchildren)
		return NULL;
	words__children(nchildren, words);
	return names__string(collector->names, words);
}

static int read_books(struct collector *collector, const struct books_opts *opts,
		      struct snapshot **out)
{
	struct snapshot *snapshot = snapshot__new(collector->names);
	char how[WORDS_MAX];
	int err;

	if (!snapshot)
		return -ENOMEM;
	snapshot->time_ns = clock_ns(CLOCK_REALTIME);
	snapshot->elapsed_ns = clock_ns(CLOCK_MONOTONIC) - collector->started_ns;
	snapshot->nframe = collector->opts.nframe;
	words__how(&collector->opts, collector->tables.sessions, how);
	snapshot->how = names__string(collector->names, how);
	snapshot->note = note(collector);
	snapshot->many = may_be_many(&collector->opts);
	snapshot->sample_bytes = collector->opts.sample_bytes;
	snapshot->ended = collector->ended.sum;
	snapshot->frees_inherited = collector->ended.frees_inherited;
	for (int i = 0; i < STOP_MAX && !opts->only; i++)
		snapshot->frames_cut[i] = collector->ended.frames_cut[i];
	err = books__read(collector->books, opts, snapshot);
	if (err) {
		snapshot__free(snapshot);
		return err;
	}
	*out = snapshot;
	return 0;
}

/* Keeps what the process still held for collector__take_exited(). */
static void keep_exited(void *context, uint32_t index)
{
	const struct books_opts opts = { .only = index };
	struct collector *collector = context;
	struct snapshot **exited = reallocarray(collector->exited, collector->nexited + 1,
						sizeof(*exited));

	if (!exited)
		return;
	collector->exited = exited;
	if (!read_books(collector, &opts, &exited[collector->nexited]))
		exited[collector->nexited++]->exited = true;
}

static void close_ended(struct collector *collector)
{
	ended__close(&collector->ended, &collector->tables,
		     collector->opts.leaks_at_exit ? keep_exited : NULL, collector);
}

int collector__take_exited(struct collector *collector, struct snapshot **snapshot)
{
	if (!collector->nexited)
		return 0;
	*snapshot = collector->exited[0];
	memmove(collector->exited, collector->exited + 1,
		--collector->nexited * sizeof(*collector->exited));
	return 1;
}

static void notice_ends(struct collector *collector, int pidfd)
{
	for (size_t i = 0; i < collector->nprocesses; i++) {
		struct traced *traced = collector->processes[i];

		if (traced->pidfd != pidfd)
			continue;
		close(traced->pidfd);
		traced->pidfd = -1;
	}
}

static void read_arrivals(struct collector *collector)
{
	arrivals__seen(collector->arrivals);
	machine__forget_unused(&collector->machine);
}

int collector__handle_events(struct collector *collector)
{
	struct epoll_event ready[16];
	int n = epoll_wait(collector->epoll, ready, 16, 0), err;

	err = read_events(collector);
	for (int i = 0; i < n; i++)
		if (ready[i].data.fd == arrivals__fd(collector->arrivals))
			read_arrivals(collector);
		else if (ready[i].data.fd != ring_buffer__epoll_fd(collector->events))
			notice_ends(collector, ready[i].data.fd);
	close_ended(collector);
	return err;
}

bool collector__ended(const struct collector *collector)
{
	if (collector->opts.everything)
		return false;
	for (size_t i = 0; i < collector->nprocesses; i++)
		if (collector->processes[i]->pidfd >= 0)
			return false;
	for (uint32_t i = 1; i < tables__nprocesses(&collector->tables); i++)
		if (collector->tables.processes[i].state == PROCESS_LIVE)
			return false;
	return !selection__has_children(&collector->tables);
}

pid_t collector__first(const struct collector *collector, char comm[16])
{
	for (uint32_t i = 1; i < tables__nprocesses(&collector->tables); i++) {
		const struct process *process = &collector->tables.processes[i];

		if (__atomic_load_n(&process->state, __ATOMIC_ACQUIRE) == PROCESS_NONE)
			continue;
		memcpy(comm, process->comm, 16);
		target__clean_comm(comm);
		return process->pid;
	}
	return 0;
}

const char *collector__title(struct collector *collector)
{
	char comm[16];

	if (collector->opts.everything) {
		snprintf(collector->title, sizeof(collector->title), "%s",
			 selection__kinds(&collector->opts) ? "the selected processes" :
							      "all processes");
	} else if (collector->nprocesses == 1) {
		target__comm(collector->processes[0]->pid, comm);
		snprintf(collector->title, sizeof(collector->title), "%s (%d)", comm,
			 collector->processes[0]->pid);
	} else {
		snprintf(collector->title, sizeof(collector->title), "%zu processes",
			 collector->nprocesses);
	}
	return collector->title;
}

int collector__clear(struct collector *collector)
{
	int err = tables__clear(&collector->tables);

	books__clear(collector->books);
	ended__clear(&collector->ended);
	collector->tables.skeleton->bss->children_left = 0;
	collector->started_ns = clock_ns(CLOCK_MONOTONIC);
	return err;
}

void collector__forget_killed(struct collector *collector)
{
	collector->killed = (struct killed){};
}

void collector__reset_peak(struct collector *collector)
{
	tables__reset_peak(&collector->tables, 0);
	for (uint32_t i = 1; i < tables__nprocesses(&collector->tables); i++)
		tables__reset_peak(&collector->tables, i);
}

int collector__find_block(struct collector *collector, uint64_t address,
			  struct collected_block *block)
{
	for (uint32_t i = 1; i < tables__nprocesses(&collector->tables); i++) {
		const struct process *process = &collector->tables.processes[i];
		struct found_block found;
		int err;

		if (process->state != PROCESS_LIVE && process->state != PROCESS_ENDED)
			continue;
		err = tables__find_block(&collector->tables, i, address, &found);
		if (err == -ENOENT)
			continue;
		if (err)
			return err;
		books__meet(collector->books, i);
		*block = (struct collected_block){
			.pid = process->pid, .address = found.address, .size = found.size,
			.age_ns = found.age_ns, .view = books__view(collector->books, i),
		};
		return books__stack_of_site(collector->books, found.site, &block->stack);
	}
	return -ENOENT;
}

uint64_t collector__size_at_fork(const struct collector *collector, pid_t pid)
{
	return selection__size_at_fork(&collector->tables, pid);
}

uint64_t collector__memory(const struct collector *collector)
{
	return tables__memory(&collector->tables);
}

/* Of programs that have come and gone. */
static void forget_names(struct collector *collector)
{
	if (!names__are_many(collector->names))
		return;
	names__begin_forgetting(collector->names);
	books__use_names(collector->books);
	modules__use_names(collector->modules);
	names__end_forgetting(collector->names);
}

int collector__snapshot(struct collector *collector, bool ages, struct snapshot **snapshot)
{
	const struct books_opts opts = {
		.min_age_ns = collector->opts.min_age_ns,
		.ages = ages,
	};
	int err;

	/* Code that came without the dynamic linker's knowledge is found here. */
	for (size_t i = 0; i < collector->nprocesses; i++)
		if (collector->processes[i]->pidfd >= 0)
			sync_process(collector, collector->processes[i]);
	close_ended(collector);
	machine__catch_up(&collector->machine);
	forget_names(collector);
	err = read_books(collector, &opts, snapshot);
	if (!err)
		killed__report(&collector->killed, *snapshot);
	return err;
}
