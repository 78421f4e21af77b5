// SPDX-License-Identifier: GPL-2.0-or-later
#include "collect/arrivals.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include "memtracebpf.skel.h"

struct arrivals {
	struct machine *machine;
	struct ring_buffer *ring;
	int came, stop;		/* eventfds */
	pthread_t thread;
	bool started, stopping;
};

/* The names, the other way round. */
static void join_names(const struct arrival *arrival, char path[sizeof(arrival->names) + 1])
{
	size_t end = arrival->size, length = 0;

	path[0] = '\0';
	while (end) {
		size_t start = end - 1, size;

		while (start && arrival->names[start - 1])
			start--;
		size = end - 1 - start;
		path[length++] = '/';
		memcpy(path + length, arrival->names + start, size);
		length += size;
		end = start;
	}
	path[length] = '\0';
}

static int add_file(void *context, void *data, size_t size __unused)
{
	struct arrivals *arrivals = context;
	const struct arrival *arrival = data;
	const struct listed_mapping mapping = {
		.pid = arrival->pid, .start = arrival->start, .end = arrival->end,
		.id = arrival->id,
	};
	char path[sizeof(arrival->names) + 1];

	join_names(arrival, path);
	machine__add_file(arrivals->machine, &mapping, path);
	eventfd_write(arrivals->came, 1);
	return __atomic_load_n(&arrivals->stopping, __ATOMIC_RELAXED) ? -ECANCELED : 0;
}

static void *add_files(void *context)
{
	struct arrivals *arrivals = context;
	struct pollfd fds[] = {
		{ .fd = ring_buffer__epoll_fd(arrivals->ring), .events = POLLIN },
		{ .fd = arrivals->stop, .events = POLLIN },
	};

	/* A thread's own, on Linux. Whoever keeps all CPUs busy is not to keep us from looking. */
	setpriority(PRIO_PROCESS, 0, -20);
	while (!fds[1].revents)
		if (poll(fds, 2, -1) > 0 && fds[0].revents)
			ring_buffer__consume(arrivals->ring);
	return NULL;
}

int arrivals__start(struct machine *machine, struct arrivals **out)
{
	int map = bpf_map__fd(machine->tables->skeleton->maps.arrivals), err = -ENOMEM;
	struct arrivals *arrivals = calloc(1, sizeof(*arrivals));

	if (!arrivals)
		return -ENOMEM;
	arrivals->machine = machine;
	arrivals->came = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	arrivals->stop = eventfd(0, EFD_CLOEXEC);
	arrivals->ring = ring_buffer__new(map, add_file, arrivals, NULL);
	if (arrivals->came >= 0 && arrivals->stop >= 0 && arrivals->ring)
		err = -pthread_create(&arrivals->thread, NULL, add_files, arrivals);
	arrivals->started = !err;
	if (err)
		arrivals__stop(arrivals);
	else
		*out = arrivals;
	return err;
}

void arrivals__stop(struct arrivals *arrivals)
{
	if (!arrivals)
		return;
	if (arrivals->started) {
		__atomic_store_n(&arrivals->stopping, true, __ATOMIC_RELAXED);
		eventfd_write(arrivals->stop, 1);
		pthread_join(arrivals->thread, NULL);
	}
	ring_buffer__free(arrivals->ring);
	if (arrivals->came >= 0)
		close(arrivals->came);
	if (arrivals->stop >= 0)
		close(arrivals->stop);
	free(arrivals);
}

int arrivals__fd(const struct arrivals *arrivals)
{
	return arrivals->came;
}

void arrivals__seen(struct arrivals *arrivals)
{
	eventfd_t n;

	eventfd_read(arrivals->came, &n);
}
