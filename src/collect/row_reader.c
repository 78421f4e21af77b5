// SPDX-License-Identifier: GPL-2.0-or-later
#include "collect/row_reader.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/param.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/log.h"
#include "base/progress.h"
#include "unwind/unwind.h"

struct row_reader {
	struct modules *modules;
	struct tables *tables;
	struct symbolizer *symbolizer;
	struct unwind_rules *rules;
	uint32_t nrules;	/* rules that the kernel has */
	int nice;		/* of this program */
	pthread_t thread;
	bool started;
	pthread_mutex_t lock;	/* for all below */
	pthread_cond_t changed;
	const struct module *reading;
	pid_t tid;
	bool paused, stopping;
};

/* ---- one file ---- */

static void upload_rules(struct row_reader *reader)
{
	uint32_t count;
	const struct unwind_rule *rules = unwind_rules__table(reader->rules, &count);

	memcpy(reader->tables->rules + reader->nrules, rules + reader->nrules,
	       (count - reader->nrules) * sizeof(*rules));
	reader->nrules = count;
}

/* The offset of a row: an address at a segment's end is its end. */
static bool offset_of(const struct elf_code *code, uint64_t address, uint64_t *offset)
{
	uint64_t available;

	if (elf_code__offset(code, address, offset, &available))
		return true;
	if (!elf_code__offset(code, address - 1, offset, &available))
		return false;
	++*offset;
	return true;
}

/* From addresses in the file's own numbering to offsets in the file, in place. */
static void number_by_offset(const struct module *module, struct unwind_rows *rows)
{
	uint32_t n = 0;
	uint64_t offset;

	for (uint32_t i = 0; i < rows->nrows; i++) {
		struct unwind_row row = rows->rows[i];

		if (!offset_of(&module->code, rows->base + row.start, &offset) || offset >> 32 ||
		    (n && offset < rows->rows[n - 1].start))
			continue;
		row.start = offset;
		rows->rows[n++] = row;
	}
	rows->nrows = n;
}

static int put_rows(struct row_reader *reader, struct module *module, struct unwind_rows *rows)
{
	if (tables__row_bytes(reader->tables) / sizeof(*rows->rows) + rows->nrows > MAX_ALL_ROWS) {
		module__note_over(module, reader->tables,
				  "all files together have too many unwind rows");
		rows->nrows = 0;
	}
	upload_rules(reader);
	number_by_offset(module, rows);
	return tables__set_rows(reader->tables, module->file, rows->rows, rows->nrows);
}

/* The separate debug file may have a .debug_frame where the file itself has nothing. */
static bool open_debug_file(struct row_reader *reader, const struct module *module,
			    struct elf_file *file)
{
	int fd = symbolizer__open_debug_file(reader->symbolizer, module->fd, module->path,
					     module->root);
	int err;

	*file = (struct elf_file){ .fd = fd };
	if (fd < 0)
		return false;
	err = elf_file__open(file, fd);
	if (err)
		log__warn("the debug file of %s cannot be read: %s", module->path,
			  file->over ? file->over : strerror(-err));
	return !err;
}

static void close_debug_file(struct elf_file *file)
{
	elf_file__close(file);
	if (file->fd >= 0)
		close(file->fd);
}

static int read_rows(struct row_reader *reader, struct module *module)
{
	struct unwind_rows rows = {};
	struct elf_file file, debug;
	bool has_debug;
	int err;

	err = elf_file__open(&file, module->fd);
	has_debug = !err && open_debug_file(reader, module, &debug);
	if (!err) {
		err = unwind_rows__read(&file, has_debug ? &debug : NULL, module->path,
					reader->rules, &rows);
		close_debug_file(&debug);
	}
	module__note_over(module, reader->tables, file.over);
	if (has_debug)
		module__note_over(module, reader->tables, debug.over);
	elf_file__close(&file);
	if (!err)
		err = put_rows(reader, module, &rows);
	unwind_rows__free(&rows);
	return err;
}

/* ---- the thread ---- */

/* Reports and our end do not wait for the CPU time that a low priority gets. Needs the lock. */
static void hurry(struct row_reader *reader)
{
	if (reader->reading)
		setpriority(PRIO_PROCESS, reader->tid, reader->nice);
}

static void read_one(struct row_reader *reader, struct module *module)
{
	int err;

	reader->reading = module;
	/* A thread's own, on Linux. Where it cannot be raised again, it stays. */
	setpriority(PRIO_PROCESS, 0, MAX(reader->nice, module->nice));
	pthread_mutex_unlock(&reader->lock);
	err = read_rows(reader, module);
	if (err)
		log__warn("%s: no unwind information could be read: %s", module->path,
			  strerror(-err));
	pthread_mutex_lock(&reader->lock);
	reader->reading = NULL;
	pthread_cond_broadcast(&reader->changed);
}

static void *read_all(void *context)
{
	struct row_reader *reader = context;

	pthread_mutex_lock(&reader->lock);
	reader->tid = gettid();
	while (!reader->stopping) {
		struct module *module = reader->paused ? NULL :
							 modules__take_unread(reader->modules);

		if (module)
			read_one(reader, module);
		else
			pthread_cond_wait(&reader->changed, &reader->lock);
	}
	pthread_mutex_unlock(&reader->lock);
	return NULL;
}

int row_reader__start(struct modules *modules, struct tables *tables,
		      struct symbolizer *symbolizer, struct row_reader **out)
{
	struct row_reader *reader = calloc(1, sizeof(*reader));
	int err = -ENOMEM;

	if (!reader)
		return err;
	pthread_mutex_init(&reader->lock, NULL);
	pthread_cond_init(&reader->changed, NULL);
	reader->modules = modules;
	reader->tables = tables;
	reader->symbolizer = symbolizer;
	reader->nice = getpriority(PRIO_PROCESS, 0);
	reader->rules = unwind_rules__new();
	if (reader->rules)
		err = -pthread_create(&reader->thread, NULL, read_all, reader);
	reader->started = !err;
	if (err)
		row_reader__stop(reader);
	else
		*out = reader;
	return err;
}

void row_reader__stop(struct row_reader *reader)
{
	if (!reader)
		return;
	if (reader->started) {
		pthread_mutex_lock(&reader->lock);
		reader->stopping = true;
		hurry(reader);
		pthread_cond_broadcast(&reader->changed);
		pthread_mutex_unlock(&reader->lock);
		pthread_join(reader->thread, NULL);
	}
	unwind_rules__free(reader->rules);
	pthread_cond_destroy(&reader->changed);
	pthread_mutex_destroy(&reader->lock);
	free(reader);
}

void row_reader__wake(struct row_reader *reader)
{
	pthread_mutex_lock(&reader->lock);
	pthread_cond_broadcast(&reader->changed);
	pthread_mutex_unlock(&reader->lock);
}

int row_reader__finish(struct row_reader *reader)
{
	uint32_t left, most = 0;
	struct progress progress;

	pthread_mutex_lock(&reader->lock);
	pthread_cond_broadcast(&reader->changed);
	while ((left = modules__unread(reader->modules) + !!reader->reading)) {
		if (!most)
			progress__begin(&progress, "reading how code unwinds", "files", left);
		most = MAX(most, left);
		progress__step(&progress, most - left);
		pthread_cond_wait(&reader->changed, &reader->lock);
	}
	pthread_mutex_unlock(&reader->lock);
	if (most)
		progress__end(&progress);
	return tables__finish_rows(reader->tables);
}

void row_reader__pause(struct row_reader *reader)
{
	pthread_mutex_lock(&reader->lock);
	reader->paused = true;
	hurry(reader);
	while (reader->reading)
		pthread_cond_wait(&reader->changed, &reader->lock);
	pthread_mutex_unlock(&reader->lock);
	tables__finish_rows(reader->tables);
}

void row_reader__resume(struct row_reader *reader)
{
	pthread_mutex_lock(&reader->lock);
	reader->paused = false;
	pthread_cond_broadcast(&reader->changed);
	pthread_mutex_unlock(&reader->lock);
}
