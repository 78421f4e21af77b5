// SPDX-License-Identifier: GPL-2.0-or-later
/* What processes map, as the kernel knows it: read through a BPF iterator. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "collect/tables.h"
#include "memtracebpf.skel.h"

#define AT_A_TIME 512

/* Only of one process where the kernel can do that (6.1), else of all. */
static struct bpf_link *open_iterator(struct bpf_program *program, pid_t pid)
{
	union bpf_iter_link_info info = { .task.pid = pid };
	LIBBPF_OPTS(bpf_iter_attach_opts, opts, .link_info = &info, .link_info_len = sizeof(info));
	struct bpf_link *link = pid ? bpf_program__attach_iter(program, &opts) : NULL;

	if (!link && (!pid || errno == E2BIG))
		link = bpf_program__attach_iter(program, NULL);
	return link;
}

static int append(struct listed_mappings *list, const struct listed_mapping *items, size_t n,
		  pid_t pid)
{
	struct listed_mapping *grown = reallocarray(list->items, list->count + n, sizeof(*items));
	uint32_t ours = getpid();

	if (!grown)
		return -ENOMEM;
	list->items = grown;
	for (size_t i = 0; i < n; i++)
		if (pid ? items[i].pid == (uint32_t)pid : items[i].pid != ours)
			grown[list->count++] = items[i];
	return 0;
}

int tables__list_mappings(const struct tables *tables, pid_t pid, struct listed_mappings *list)
{
	struct bpf_link *link = open_iterator(tables->skeleton->progs.list_mappings, pid);
	struct listed_mapping *items = calloc(AT_A_TIME, sizeof(*items));
	int fd = link ? bpf_iter_create(bpf_link__fd(link)) : -1;
	int err = fd < 0 ? -errno : items ? 0 : -ENOMEM;
	ssize_t n = 1;

	*list = (struct listed_mappings){};
	while (!err && n) {
		n = read(fd, items, AT_A_TIME * sizeof(*items));
		if (n < 0)
			err = errno == EAGAIN || errno == EINTR ? 0 : -errno;
		else if (n)
			err = append(list, items, n / sizeof(*items), pid);
	}
	if (fd >= 0)
		close(fd);
	bpf_link__destroy(link);
	free(items);
	if (err)
		listed_mappings__free(list);
	return err;
}

/* What the kernel calls a file shows in what it says of our own mapping of it. */
int tables__identify(const struct tables *tables, int fd, struct file_id *id)
{
	size_t page = sysconf(_SC_PAGESIZE);
	struct listed_mappings ours;
	void *code = mmap(NULL, page, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	int err;

	if (code == MAP_FAILED)
		return -errno;
	err = tables__list_mappings(tables, getpid(), &ours);
	if (!err) {
		err = -ENOENT;
		for (size_t i = 0; i < ours.count; i++)
			if (ours.items[i].start == (uintptr_t)code) {
				*id = ours.items[i].id;
				err = 0;
			}
		listed_mappings__free(&ours);
	}
	munmap(code, page);
	return err;
}

void listed_mappings__free(struct listed_mappings *list)
{
	free(list->items);
	*list = (struct listed_mappings){};
}
