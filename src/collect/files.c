// SPDX-License-Identifier: GPL-2.0-or-later
/* What the kernel half knows of files: their indices and their unwind rows. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "collect/free_lists.h"
#include "collect/memory.h"
#include "collect/tables.h"
#include "memtracebpf.skel.h"

static const __u32 *link_of_file(const struct tables *tables, __u32 file)
{
	return &tables->files[file].next;
}

int tables__find_file(const struct tables *tables, const struct file_id *id)
{
	uint32_t index;
	int ids = bpf_map__fd(tables->skeleton->maps.file_ids);

	return bpf_map_lookup_elem(ids, id, &index) ? -errno : (int)index;
}

int tables__file_index(struct tables *tables, const struct file_id *id)
{
	struct memtracebpf_bpf *skel = tables->skeleton;
	int ids = bpf_map__fd(skel->maps.file_ids), known = tables__find_file(tables, id);
	uint32_t index;

	if (known >= 0)
		return known;
	index = take_back(&skel->bss->free_files, tables, link_of_file);
	if (!index)
		index = __atomic_fetch_add(&skel->data->next_file, 1, __ATOMIC_ACQ_REL);
	if (index >= MAX_FILES)
		return -ENOSPC;
	if (!bpf_map_update_elem(ids, id, &index, BPF_NOEXIST))
		return index;
	/* The kernel half met it at the same moment. */
	tables__reuse_file(tables, index);
	return tables__find_file(tables, id);
}

void tables__count_lost(const struct tables *tables, enum lost_reason reason)
{
	__atomic_fetch_add(&tables->skeleton->bss->lost[reason], 1, __ATOMIC_RELAXED);
}

uint64_t tables__lost(const struct tables *tables, enum lost_reason reason)
{
	return __atomic_load_n(&tables->skeleton->bss->lost[reason], __ATOMIC_RELAXED);
}

void tables__forget_file(struct tables *tables, const struct file_id *id)
{
	bpf_map_delete_elem(bpf_map__fd(tables->skeleton->maps.file_ids), id);
}

/* A table of no use takes the place of each: all at once, see put_maps(). */
static int replace_rows(int maps, const uint32_t *files, uint32_t n)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_MMAPABLE | BPF_F_INNER_MAP);
	int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "rows", 4, sizeof(struct unwind_row), 1, &opts);
	int *fds = fd < 0 ? NULL : calloc(n, sizeof(*fds)), err = -ENOMEM;

	for (uint32_t i = 0; fds && i < n; i++)
		fds[i] = fd;
	if (fds)
		err = bpf_map_update_batch(maps, files, fds, &n, NULL);
	if (fd >= 0)
		close(fd);
	free(fds);
	return err;
}

void tables__drop_files(struct tables *tables, const uint32_t *files, uint32_t n)
{
	int maps = bpf_map__fd(tables->skeleton->maps.rows_of);

	for (uint32_t i = 0; i < n; i++) {
		struct code_file *file = &tables->files[files[i]];

		__atomic_fetch_sub(&tables->row_bytes, file->nrows * sizeof(struct unwind_row),
				   __ATOMIC_RELAXED);
		memset(file, 0, sizeof(*file));
	}
	if (n && replace_rows(maps, files, n))
		for (uint32_t i = 0; i < n; i++)
			bpf_map_delete_elem(maps, &files[i]);
}

void tables__reuse_file(struct tables *tables, uint32_t file)
{
	give_back(&tables->skeleton->bss->free_files, file, &tables->files[file].next);
}

/* Says so only when the rows can be found. */
static void publish(struct tables *tables, uint32_t file, uint32_t nrows)
{
	tables->files[file].nrows = nrows;
	__atomic_fetch_or(&tables->files[file].flags, FILE_READ, __ATOMIC_ACQ_REL);
	__atomic_fetch_add(&tables->skeleton->data->files_read, 1, __ATOMIC_ACQ_REL);
}

static int put_batch(struct tables *tables, const struct row_batch *batch)
{
	int table = bpf_map__fd(tables->skeleton->maps.rows_of);
	int err = put_maps(table, batch->files, batch->maps, batch->n);

	for (uint32_t i = 0; i < batch->n; i++) {
		if (!err)
			publish(tables, batch->files[i], batch->nrows[i]);
		close(batch->maps[i]);
	}
	return err;
}

static void *put_batches(void *context)
{
	struct tables *tables = context;
	struct row_changes *changes = &tables->changes;

	pthread_mutex_lock(&changes->lock);
	while (changes->next.n) {
		struct row_batch batch = changes->next;
		int err;

		changes->next.n = 0;
		pthread_mutex_unlock(&changes->lock);
		err = put_batch(tables, &batch);
		pthread_mutex_lock(&changes->lock);
		changes->err = changes->err ?: err;
	}
	changes->nputters--;
	pthread_cond_broadcast(&changes->changed);
	pthread_mutex_unlock(&changes->lock);
	return NULL;
}

/*
 * Whoever puts a table into a table waits for a grace period (see grow_pieces()), so threads of
 * their own do. Needs the lock. False: there is no thread.
 */
static bool start_putter(struct tables *tables)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, put_batches, tables))
		return false;
	pthread_detach(thread);
	tables->changes.nputters++;
	return true;
}

static int add_change(struct tables *tables, uint32_t file, uint32_t nrows, int map)
{
	struct row_changes *changes = &tables->changes;
	struct row_batch alone = { { file }, { nrows }, { map }, 1 };
	bool taken;

	pthread_mutex_lock(&changes->lock);
	taken = changes->next.n < MAX_ROW_CHANGES &&
		(changes->nputters == MAX_ROW_PUTTERS || start_putter(tables));
	if (taken) {
		changes->next.files[changes->next.n] = file;
		changes->next.nrows[changes->next.n] = nrows;
		changes->next.maps[changes->next.n++] = map;
	}
	pthread_mutex_unlock(&changes->lock);
	return taken ? 0 : put_batch(tables, &alone);
}

int tables__set_rows(struct tables *tables, uint32_t file, const struct unwind_row *rows,
		     uint32_t nrows)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_MMAPABLE | BPF_F_INNER_MAP);
	void *memory;
	int fd;

	if (!nrows) {
		publish(tables, file, 0);
		return 0;
	}
	fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "rows", 4, sizeof(*rows), nrows, &opts);
	if (fd < 0)
		return -errno;
	memory = map_array(fd, nrows, sizeof(*rows));
	if (!memory) {
		close(fd);
		return -ENOMEM;
	}
	memcpy(memory, rows, nrows * sizeof(*rows));
	unmap_array(memory, nrows, sizeof(*rows));
	__atomic_fetch_add(&tables->row_bytes, nrows * sizeof(*rows), __ATOMIC_RELAXED);
	return add_change(tables, file, nrows, fd);
}

int tables__finish_rows(struct tables *tables)
{
	struct row_changes *changes = &tables->changes;
	int err;

	pthread_mutex_lock(&changes->lock);
	while (changes->nputters)
		pthread_cond_wait(&changes->changed, &changes->lock);
	err = changes->err;
	changes->err = 0;
	pthread_mutex_unlock(&changes->lock);
	return err;
}

uint64_t tables__row_bytes(const struct tables *tables)
{
	return __atomic_load_n(&tables->row_bytes, __ATOMIC_RELAXED);
}
