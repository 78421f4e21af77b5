// SPDX-License-Identifier: GPL-2.0-or-later
/* Tables whose memory follows use: the kernel half asks in good time, a thread of ours answers. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>

#include "base/log.h"
#include "collect/mapped.h"
#include "collect/memory.h"
#include "collect/tables.h"
#include "memtracebpf.skel.h"

#define SPARE_PIECES 7		/* beyond the one in use, and ... */
#define SPARE_PART 4		/* ... a quarter of them */
#define MOST_AT_ONCE 256

/* Makes a piece and maps it. Its fd or -errno. */
static int make_piece(size_t bytes, void **memory)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_MMAPABLE);
	int err, fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "piece", 4, bytes, 1, &opts);

	if (fd < 0)
		return -errno;
	*memory = map_array(fd, 1, bytes);
	if (*memory)
		return fd;
	err = -errno;
	close(fd);
	return err;
}

/* A table of `used` entries out of `most` pieces of 2^shift, `have` of which are there. */
struct pieces {
	struct bpf_map *map;
	size_t bytes;		/* a piece */
	void **memory;		/* by piece */
	uint32_t *have;
	uint32_t used, shift, most;
};

/* The table of pieces holds them from now on. */
static int put_pieces(int table, const uint32_t *indices, int *fds, uint32_t n)
{
	uint32_t done = n;
	int err = 0;

	/* One wait for all, where tables of maps have batches (5.19): see tables__commit_rows(). */
	if (bpf_map_update_batch(table, indices, fds, &done, NULL))
		for (uint32_t i = 0; i < n && !err; i++)
			err = bpf_map_update_elem(table, &indices[i], &fds[i], 0);
	for (uint32_t i = 0; i < n; i++)
		close(fds[i]);
	return err;
}

static int grow_pieces(const struct pieces *pieces)
{
	uint32_t used = (pieces->used >> pieces->shift) + 1, have = *pieces->have, n = 0;
	uint32_t wanted = used + SPARE_PIECES + used / SPARE_PART;
	uint32_t indices[MOST_AT_ONCE];
	int fds[MOST_AT_ONCE], err = 0;

	if (have >= used + SPARE_PIECES + used / SPARE_PART / 2)
		return 0;
	if (wanted > pieces->most)
		wanted = pieces->most;
	for (; have + n < wanted && n < MOST_AT_ONCE && !err; n += !err) {
		fds[n] = make_piece(pieces->bytes, &pieces->memory[have + n]);
		indices[n] = have + n;
		err = fds[n] < 0 ? fds[n] : 0;
	}
	if (n && put_pieces(bpf_map__fd(pieces->map), indices, fds, n))
		return -errno;
	__atomic_store_n(pieces->have, have + n, __ATOMIC_RELEASE);
	return err;
}

static int grow_sites(struct tables *tables)
{
	uint32_t most = (tables->max_stacks >> SITE_PIECE_SHIFT) + 1;

	return grow_pieces(&(struct pieces){
		.map = tables->skeleton->maps.site_pieces,
		.bytes = SITE_PIECE_BYTES,
		.memory = (void **)tables->sites,
		.have = &tables->nsite_pieces,
		.used = tables__nsites(tables),
		.shift = SITE_PIECE_SHIFT,
		.most = most < MAX_SITE_PIECES ? most : MAX_SITE_PIECES,
	});
}

static int grow_frames(struct tables *tables)
{
	return grow_pieces(&(struct pieces){
		.map = tables->skeleton->maps.frame_pieces,
		.bytes = FRAME_PIECE_BYTES,
		.memory = (void **)tables->frames,
		.have = &tables->nframe_pieces,
		.used = __atomic_load_n(&tables->skeleton->data->next_frame, __ATOMIC_ACQUIRE),
		.shift = FRAME_PIECE_SHIFT,
		.most = MAX_FRAME_PIECES,
	});
}

static int grow_mappings(struct tables *tables)
{
	return grow_pieces(&(struct pieces){
		.map = tables->skeleton->maps.mapping_pieces,
		.bytes = MAPPING_PIECE_BYTES,
		.memory = (void **)tables->mappings,
		.have = &tables->nmapping_pieces,
		.used = __atomic_load_n(&tables->skeleton->data->next_mapping, __ATOMIC_ACQUIRE),
		.shift = MAPPING_PIECE_SHIFT,
		.most = MAX_MAPPING_PIECES,
	});
}

int tables__grow_pieces(struct tables *tables)
{
	int err = grow_sites(tables);

	if (!err)
		err = grow_frames(tables);
	return err ? err : grow_mappings(tables);
}

int tables__grow(struct tables *tables)
{
	int err;

	pthread_mutex_lock(&tables->growing);
	err = tables__grow_pieces(tables);
	if (!err)
		err = tables__grow_blocks(tables);
	pthread_mutex_unlock(&tables->growing);
	return err;
}

/* ---- the thread: what the kernel half asks for and says must not wait for a report's end ---- */

static int ignore(void *context __unused, void *request __unused, size_t size __unused)
{
	return 0;
}

/* However many requests there are, they all say the same. */
static void answer(struct tables *tables)
{
	int err = ring_buffer__consume(tables->requests);

	if (err > 0)
		err = tables__grow(tables);
	if (err)
		log__warn("no memory for larger tables: %s", strerror(-err));
}

static void *answer_requests(void *context)
{
	struct tables *tables = context;
	struct pollfd fds[] = {
		{ .fd = ring_buffer__epoll_fd(tables->requests), .events = POLLIN },
		{ .fd = tables->stop_growing, .events = POLLIN },
		{ .fd = mapped__fd(tables->mapped), .events = POLLIN },
	};

	while (!fds[1].revents) {
		if (poll(fds, 3, -1) <= 0)
			continue;
		if (fds[0].revents)
			answer(tables);
		if (fds[2].revents)
			mapped__drain(tables->mapped);
	}
	return NULL;
}

int tables__start_growing(struct tables *tables)
{
	int fd = bpf_map__fd(tables->skeleton->maps.growth), err;

	tables->stop_growing = eventfd(0, EFD_CLOEXEC);
	if (tables->stop_growing < 0)
		return -errno;
	tables->requests = ring_buffer__new(fd, ignore, NULL, NULL);
	err = tables->requests ? pthread_create(&tables->grower, NULL, answer_requests, tables) :
				 errno;
	if (err) {
		ring_buffer__free(tables->requests);
		tables->requests = NULL;
		close(tables->stop_growing);
	}
	return -err;
}

void tables__stop_growing(struct tables *tables)
{
	uint64_t one = 1;

	if (!tables->requests)
		return;
	if (write(tables->stop_growing, &one, sizeof(one)) == sizeof(one))
		pthread_join(tables->grower, NULL);
	ring_buffer__free(tables->requests);
	tables->requests = NULL;
	close(tables->stop_growing);
}
