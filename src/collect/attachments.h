/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel half's programs at a file's allocator, at what maps memory and at the linker's hook. */
#ifndef MT_COLLECT_ATTACHMENTS_H
#define MT_COLLECT_ATTACHMENTS_H

#include "collect/modules.h"
#include "probe/attach.h"

struct attachment {
	uint32_t file;		/* the module's */
	struct probe_links *allocator, *linker, *mappers;	/* NULL: none */
};

/* What is attached to, in one process or in all. */
struct attachments {
	pid_t pid;		/* 0: in all */
	struct attachment *items;
	size_t count;
};

/* Attaches to what the module has and is not attached to yet. 0 or, after a sentence, -errno. */
int attachments__add(struct attachments *attachments, const struct module *module,
		     const struct tables *tables);
/* Is anything attached to the file? Its allocator, its functions that map memory? */
bool attachments__has(const struct attachments *attachments, uint32_t file);
bool attachments__has_allocator(const struct attachments *attachments, uint32_t file);
bool attachments__has_mappers(const struct attachments *attachments, uint32_t file);
/* Hands what is attached to the file on to `to`. 0 or -ENOMEM. */
int attachments__move(struct attachments *attachments, uint32_t file, struct attachments *to);
/* Detaches from everything. */
void attachments__clear(struct attachments *attachments);

#endif
