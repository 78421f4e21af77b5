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
#include "collect/books.h"
#include "collect/modules.h"
#include "collect/processes.h"
#include "collect/tables.h"
#include "memtracebpf.skel.h"

struct collector {
	struct collect_opts opts;
	struct names *names;
	struct tables tables;
	struct modules *modules;
	struct spaces *spaces;
	struct books *books;
	struct traced **processes;
	size_t nprocesses;
	struct ring_buffer *events;
	int epoll;
	uint64_t started_ns;
	char title[64];
	char note[256];
};

static int handle_event(void *context, void *data, size_t size);

static int watch(struct collector *collector, int fd)
{
	struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };

	return epoll_ctl(collector->epoll, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

/* The skeleton keeps the link and destroys it. */
static int watch_execs(struct memtracebpf_bpf *skel)
{
	skel->links.process_exec = bpf_program__attach(skel->progs.process_exec);
	if (skel->links.process_exec)
		return 0;
	log__error("cannot attach to the kernel's exec tracepoint: %s", strerror(errno));
	return -errno;
}

static int open_parts(struct collector *collector, struct symbolizer *symbolizer)
{
	struct tables_opts opts = {
		.max_blocks = collector->opts.max_blocks,
		.max_stacks = collector->opts.max_stacks,
		.nframe = collector->opts.nframe,
		.keep_slack = collector->opts.usable,
		.keep_sum = collector->opts.nprocesses > 1,
	};
	int err = tables__open(&opts, &collector->tables);

	if (err)
		return err;
	collector->modules = modules__new(&collector->tables, collector->names, symbolizer);
	collector->spaces = spaces__new(&collector->tables);
	collector->books = books__new(&collector->tables, collector->names);
	collector->events = ring_buffer__new(bpf_map__fd(collector->tables.skeleton->maps.events),
					     handle_event, collector, NULL);
	collector->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (!collector->modules || !collector->spaces || !collector->books ||
	    !collector->events || collector->epoll < 0)
		return -ENOMEM;
	err = watch(collector, ring_buffer__epoll_fd(collector->events));
	if (err)
		return err;
	return watch_execs(collector->tables.skeleton);
}

int collector__new(const struct collect_opts *opts, struct names *names,
		   struct symbolizer *symbolizer, struct collector **out)
{
	struct collector *collector = calloc(1, sizeof(*collector));
	int err;

	if (!collector)
		return -ENOMEM;
	collector->opts = *opts;
	collector->names = names;
	collector->epoll = -1;
	err = open_parts(collector, symbolizer);
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
	for (size_t i = 0; i < collector->nprocesses; i++) {
		traced__close(collector->processes[i], collector->modules);
		free(collector->processes[i]);
	}
	free(collector->processes);
	if (collector->epoll >= 0)
		close(collector->epoll);
	ring_buffer__free(collector->events);
	books__free(collector->books);
	spaces__free(collector->spaces);
	modules__free(collector->modules);
	if (collector->tables.skeleton)
		tables__close(&collector->tables);
	free(collector);
}

static int sync_process(struct collector *collector, struct traced *traced)
{
	return traced__sync(traced, collector->processes, collector->nprocesses, collector->spaces,
			    collector->modules, &collector->tables);
}

static struct traced *new_process(struct collector *collector, pid_t pid)
{
	struct traced **processes, *traced = NULL;
	int index;

	processes = reallocarray(collector->processes, collector->nprocesses + 1,
				 sizeof(*processes));
	if (processes) {
		collector->processes = processes;
		traced = calloc(1, sizeof(*traced));
	}
	if (!traced)
		return NULL;
	traced->pid = pid;
	traced->pidfd = syscall(SYS_pidfd_open, pid, 0);
	if (traced->pidfd < 0 || watch(collector, traced->pidfd))
		goto fail;
	index = tables__add_process(&collector->tables, pid);
	if (index < 0) {
		errno = -index;
		goto fail;
	}
	traced->index = index;
	target__comm(pid, traced->comm);
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

	if (other)
		log__error("process %d (%s) allocates with %s in %s, which memtracebpf does not "
			   "follow yet", traced->pid, traced->comm, other->probes.allocator,
			   other->path);
	else
		log__error("process %d (%s) maps no allocator that memtracebpf knows: no file with "
			   "glibc's or musl's malloc (a static program needs its symbol table)",
			   traced->pid, traced->comm);
	return -ENOTSUP;
}

int collector__add_process(struct collector *collector, pid_t pid)
{
	struct traced *traced = new_process(collector, pid);
	int err;

	if (!traced) {
		err = -errno;
		log__error("cannot follow process %d: %s", pid, strerror(-err));
		return err;
	}
	err = sync_process(collector, traced);
	if (err == -ESRCH)
		log__error("process %d ended before memtracebpf could attach", pid);
	else if (err && !traced->space)
		log__error("cannot follow what process %d (%s) maps: %s; does /proc/%d/maps show "
			   "it?", pid, traced->comm, strerror(-err), pid);
	if (!err && !traced__followed(traced))
		err = no_allocator(traced);
	return err;
}

int collector__add_child(struct collector *collector, pid_t pid)
{
	struct traced *traced = new_process(collector, pid);

	if (!traced)
		return -errno;
	collector->tables.processes[traced->index].hold = true;
	return 0;
}

void collector__start(struct collector *collector)
{
	collector->started_ns = clock_ns(CLOCK_MONOTONIC);
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
	if (collector->tables.processes[traced->index].hold)
		kill(traced->pid, SIGCONT);
}

static void follow_exec(struct collector *collector, struct traced *traced, uint32_t index)
{
	uint32_t old = traced->index;

	traced__exec(traced, index, collector->modules);
	if (tables__forget_blocks(&collector->tables, old))
		log__warn("the blocks of process %d's old program take up room", traced->pid);
	log__verbose("process %d runs a new program: %s; its books begin anew", traced->pid,
		     traced->comm);
}

static int handle_event(void *context, void *data, size_t size __unused)
{
	struct collector *collector = context;
	const struct event *event = data;
	struct traced *traced;
	int err = 0;

	traced = find_process(collector, event->pid);
	if (!traced)
		return 0;
	if (event->type == EVENT_EXEC)
		follow_exec(collector, traced, event->process);
	if (event->process == traced->index)
		err = sync_process(collector, traced);
	if (err && err != -ESRCH)
		log__warn("process %d: new code could not be followed: %s", traced->pid,
			  strerror(-err));
	let_go(collector, traced);
	return 0;
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

int collector__handle_events(struct collector *collector)
{
	struct epoll_event ready[16];
	int n = epoll_wait(collector->epoll, ready, 16, 0), err;

	err = ring_buffer__consume(collector->events);
	for (int i = 0; i < n; i++)
		if (ready[i].data.fd != ring_buffer__epoll_fd(collector->events))
			notice_ends(collector, ready[i].data.fd);
	return err < 0 ? err : 0;
}

bool collector__ended(const struct collector *collector)
{
	for (size_t i = 0; i < collector->nprocesses; i++)
		if (collector->processes[i]->pidfd >= 0)
			return false;
	return true;
}

const char *collector__title(struct collector *collector)
{
	if (collector->nprocesses == 1)
		snprintf(collector->title, sizeof(collector->title), "%s (%d)",
			 collector->processes[0]->comm, collector->processes[0]->pid);
	else
		snprintf(collector->title, sizeof(collector->title), "%zu processes",
			 collector->nprocesses);
	return collector->title;
}

/* What the numbers of this report cannot tell, in words; NULL: nothing. */
static const char *note(struct collector *collector)
{
	for (size_t i = 0; i < collector->nprocesses; i++) {
		const struct traced *traced = collector->processes[i];
		const struct module *other = traced__not_followed(traced);

		if (other)
			snprintf(collector->note, sizeof(collector->note),
				 "another allocator was found in %s (%d): %s in %s; blocks of its own "
				 "are not followed and are missing here", traced->comm, traced->pid,
				 other->probes.allocator, other->path);
		else if (traced->space && !traced__followed(traced))
			snprintf(collector->note, sizeof(collector->note),
				 "no known allocator was found in %s (%d): its blocks are missing "
				 "here", traced->comm, traced->pid);
		else
			continue;
		return names__string(collector->names, collector->note);
	}
	return NULL;
}

static const char *how(struct collector *collector)
{
	const char *by = collector->tables.sessions ? "uprobe.session" : "perf uprobe";
	char older[48] = "", how[128];

	if (collector->opts.min_age_ns)
		snprintf(older, sizeof(older), "; only blocks older than %g s",
			 collector->opts.min_age_ns / 1e9);
	snprintf(how, sizeof(how), "every call of the allocator, by %s%s", by, older);
	return names__string(collector->names, how);
}

int collector__clear(struct collector *collector)
{
	int err = tables__clear(&collector->tables);

	books__clear(collector->books);
	collector->started_ns = clock_ns(CLOCK_MONOTONIC);
	return err;
}

/* From 0 up again, whoever is first: the process goes on meanwhile. */
static void reset_peak(struct process *process)
{
	__u64 peak = 0, size;

	__atomic_store_n(&process->peak_size, 0, __ATOMIC_SEQ_CST);
	size = __atomic_load_n(&process->size, __ATOMIC_SEQ_CST);
	if (__atomic_compare_exchange_n(&process->peak_size, &peak, size, false, __ATOMIC_SEQ_CST,
					__ATOMIC_SEQ_CST))
		__atomic_fetch_add(&process->peak_epoch, 1, __ATOMIC_SEQ_CST);
}

void collector__reset_peak(struct collector *collector)
{
	reset_peak(&collector->tables.processes[0]);
	for (size_t i = 0; i < collector->nprocesses; i++)
		reset_peak(&collector->tables.processes[collector->processes[i]->index]);
}

int collector__find_block(struct collector *collector, uint64_t address,
			  struct collected_block *block)
{
	for (size_t i = 0; i < collector->nprocesses; i++) {
		struct traced *traced = collector->processes[i];
		struct found_block found;
		int err = tables__find_block(&collector->tables, traced->index, address, &found);

		if (err == -ENOENT)
			continue;
		if (err)
			return err;
		*block = (struct collected_block){ traced->pid, found.address, found.size,
						   found.age_ns, 0 };
		return books__stack_of_site(collector->books, traced, found.site, &block->stack);
	}
	return -ENOENT;
}

uint64_t collector__memory(const struct collector *collector)
{
	return tables__memory(&collector->tables);
}

int collector__snapshot(struct collector *collector, bool ages, struct snapshot **out)
{
	struct snapshot *snapshot = snapshot__new(collector->names);
	const struct books_opts opts = {
		.min_age_ns = collector->opts.min_age_ns,
		.ages = ages,
	};
	int err;

	if (!snapshot)
		return -ENOMEM;
	/* Code that came without the dynamic linker's knowledge is found here. */
	for (size_t i = 0; i < collector->nprocesses; i++)
		if (collector->processes[i]->pidfd >= 0)
			sync_process(collector, collector->processes[i]);
	snapshot->time_ns = clock_ns(CLOCK_REALTIME);
	snapshot->elapsed_ns = clock_ns(CLOCK_MONOTONIC) - collector->started_ns;
	snapshot->nframe = collector->opts.nframe;
	snapshot->how = how(collector);
	snapshot->note = note(collector);
	err = books__read(collector->books, collector->processes, collector->nprocesses,
			  &opts, snapshot);
	if (err) {
		snapshot__free(snapshot);
		return err;
	}
	*out = snapshot;
	return 0;
}
