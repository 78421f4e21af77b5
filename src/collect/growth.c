// SPDX-License-Identifier: GPL-2.0-or-later
/* Tables whose memory follows use: the kernel half asks in good time, threads of ours answer. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/eventfd.h>

#include "base/log.h"
#include "collect/mapped.h"
#include "collect/memory.h"
#include "collect/tables.h"
#include "memtracebpf.skel.h"

#define SPARE_PIECES 7		/* beyond the one in use, and ... */
#define SPARE_PART 4		/* ... a quarter of them */

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

static void *put_pieces(void *context)
{
	struct put *put = context;
	int err = put_maps(put->table, put->indices, put->fds, put->n);

	if (err && !put->failed)
		log__warn("cannot make the tables larger: %s", strerror(-err));
	for (uint32_t i = 0; !err && i < put->n; i++)
		close(put->fds[i]);
	__atomic_store_n(&put->failed, err, __ATOMIC_RELEASE);
	return NULL;
}

static void finish_put(struct put *put)
{
	if (put->running)
		pthread_join(put->thread, NULL);
	put->running = false;
}

/* The kernel half waits for the first piece that is missing, whatever is behind it. */
static int put_again(struct tables *tables)
{
	for (uint32_t i = 0; i < MOST_PUTS; i++) {
		struct put *put = &tables->puts[i];

		if (!__atomic_load_n(&put->failed, __ATOMIC_ACQUIRE))
			continue;
		finish_put(put);
		put_pieces(put);
		if (put->failed)
			return -ENOMEM;
	}
	return 0;
}

static void finish_puts(struct tables *tables)
{
	for (uint32_t i = 0; i < MOST_PUTS; i++)
		finish_put(&tables->puts[i]);
}

/*
 * Pieces are in the table at once, but whoever puts them there has to wait until no program runs
 * that began before (kernel/bpf/syscall.c, maybe_wait_bpf_programs). On a busy machine that takes
 * tens of milliseconds, in which many more may be asked for: so a thread of its own waits.
 */
static int grow_pieces(struct tables *tables, const struct pieces *pieces)
{
	uint32_t used = (pieces->used >> pieces->shift) + 1, have = *pieces->have;
	uint32_t wanted = used + SPARE_PIECES + used / SPARE_PART;
	struct put *put = &tables->puts[tables->nputs % MOST_PUTS];
	int fd = 0;

	if (wanted > pieces->most)
		wanted = pieces->most;
	if (have >= wanted || have >= used + SPARE_PIECES + used / SPARE_PART / 2)
		return 0;
	finish_put(put);
	if (put->failed)
		return -ENOMEM;
	put->table = bpf_map__fd(pieces->map);
	for (put->n = 0; have < wanted && put->n < MOST_AT_ONCE; have++) {
		fd = make_piece(pieces->bytes, &pieces->memory[have]);
		if (fd < 0)
			break;
		put->fds[put->n] = fd;
		put->indices[put->n++] = have;
	}
	/* Before the kernel half has them: we find whatever is put there. */
	__atomic_store_n(pieces->have, have, __ATOMIC_RELEASE);
	if (put->n) {
		tables->nputs++;
		put->running = !pthread_create(&put->thread, NULL, put_pieces, put);
		if (!put->running)
			put_pieces(put);
	}
	return fd < 0 ? fd : 0;
}

static int grow_sites(struct tables *tables)
{
	uint32_t most = (SITES_IN_ALL(tables->max_stacks) >> SITE_PIECE_SHIFT) + 1;

	return grow_pieces(tables, &(struct pieces){
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
	return grow_pieces(tables, &(struct pieces){
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
	return grow_pieces(tables, &(struct pieces){
		.map = tables->skeleton->maps.mapping_pieces,
		.bytes = MAPPING_PIECE_BYTES,
		.memory = (void **)tables->mappings,
		.have = &tables->nmapping_pieces,
		.used = __atomic_load_n(&tables->skeleton->data->next_mapping, __ATOMIC_ACQUIRE),
		.shift = MAPPING_PIECE_SHIFT,
		.most = MAX_MAPPING_PIECES,
	});
}

static int grow_all_pieces(struct tables *tables)
{
	int err;

	pthread_mutex_lock(&tables->growing_pieces);
	err = put_again(tables);
	if (!err)
		err = grow_sites(tables);
	if (!err)
		err = grow_frames(tables);
	if (!err)
		err = grow_mappings(tables);
	pthread_mutex_unlock(&tables->growing_pieces);
	return err;
}

static int grow_blocks(struct tables *tables)
{
	int err;

	pthread_mutex_lock(&tables->growing);
	err = tables__grow_blocks(tables);
	pthread_mutex_unlock(&tables->growing);
	return err;
}

int tables__grow(struct tables *tables)
{
	int err = grow_all_pieces(tables);

	if (!err)
		err = grow_blocks(tables);
	pthread_mutex_lock(&tables->growing_pieces);
	finish_puts(tables);
	pthread_mutex_unlock(&tables->growing_pieces);
	return err;
}

/*
 * ---- the threads: what the kernel half asks for and says must not wait for a report's end, nor
 * pieces until all blocks were moved ----
 */

static int ignore(void *context __unused, void *request __unused, size_t size __unused)
{
	return 0;
}

/* However many requests there are, they all say the same. */
static void answer(struct grower *grower)
{
	int err = ring_buffer__consume(grower->requests);

	if (err > 0)
		err = grower->grow(grower->tables);
	/* While it fails, we are asked again and again. */
	if (err && !grower->failed)
		log__warn("no memory for larger tables: %s", strerror(-err));
	grower->failed = err;
}

static void *answer_requests(void *context)
{
	struct grower *grower = context;
	struct mapped *mapped = grower->tables->mapped;
	struct pollfd fds[] = {
		{ .fd = ring_buffer__epoll_fd(grower->requests), .events = POLLIN },
		{ .fd = grower->tables->stop_growing, .events = POLLIN },
		{ .fd = grower->hears_mappings ? mapped__fd(mapped) : -1, .events = POLLIN },
	};

	while (!fds[1].revents) {
		if (poll(fds, 3, -1) <= 0)
			continue;
		if (fds[0].revents)
			answer(grower);
		if (fds[2].revents)
			mapped__drain(mapped);
	}
	return NULL;
}

static int start_grower(struct grower *grower, struct tables *tables, struct bpf_map *requests)
{
	int err;

	grower->tables = tables;
	grower->requests = ring_buffer__new(bpf_map__fd(requests), ignore, NULL, NULL);
	if (!grower->requests)
		return -errno;
	err = pthread_create(&grower->thread, NULL, answer_requests, grower);
	if (err) {
		ring_buffer__free(grower->requests);
		grower->requests = NULL;
	}
	return -err;
}

int tables__start_growing(struct tables *tables)
{
	const struct sched_param soon = { .sched_priority = 1 };
	struct memtracebpf_bpf *skel = tables->skeleton;
	int err;

	tables->stop_growing = eventfd(0, EFD_CLOEXEC);
	if (tables->stop_growing < 0)
		return -errno;
	tables->piece_grower.grow = grow_all_pieces;
	tables->piece_grower.hears_mappings = true;
	tables->block_grower.grow = grow_blocks;
	err = start_grower(&tables->piece_grower, tables, skel->maps.piece_requests);
	if (err)
		return err;
	/* What it does is little, and comes too late if it waits for its turn on a busy machine. */
	pthread_setschedparam(tables->piece_grower.thread, SCHED_RR, &soon);
	return start_grower(&tables->block_grower, tables, skel->maps.block_requests);
}

static void stop_grower(struct grower *grower)
{
	if (!grower->requests)
		return;
	pthread_join(grower->thread, NULL);
	ring_buffer__free(grower->requests);
	grower->requests = NULL;
}

void tables__stop_growing(struct tables *tables)
{
	if (tables->stop_growing <= 0)
		return;
	eventfd_write(tables->stop_growing, 1);
	stop_grower(&tables->piece_grower);
	stop_grower(&tables->block_grower);
	finish_puts(tables);
	close(tables->stop_growing);
	tables->stop_growing = 0;
}
