// SPDX-License-Identifier: GPL-2.0-or-later
#include "report/source.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/array.h"
#include "base/clock.h"
#include "base/log.h"
#include "process/view.h"
#include "snapshot/hash.h"

#define MAX_FILE (16U << 20)		/* bytes; sqlite3.c has 9 MB */
#define MAX_KEPT (64U << 20)		/* bytes of all files at one time */
#define MAX_NS 2000000000ULL		/* for all of a report */
#define LINE_SIZE 512			/* what is longer is cut off */
#define BLOCK_SIZE 65536

struct key {
	const char *name;	/* interned */
	uint64_t viewer;
};

struct file {
	UT_hash_handle hh;
	struct key key;
	char *text;		/* NULL: cannot be read */
	size_t size;
	uint32_t *newlines;	/* before each block */
};

/* A view that was met in this report, as the first of those that are equal. */
struct met {
	UT_hash_handle hh;
	struct view *view;
	uint64_t viewer;	/* index */
};

struct sources {
	struct view *others;
	struct met *met;
	struct view **viewers;
	size_t nviewers;
	struct file *files;
	size_t kept;		/* bytes */
	uint64_t spent_ns;
	char line[LINE_SIZE];
};

struct sources *sources__new(struct view *others)
{
	struct sources *sources = calloc(1, sizeof(*sources));

	if (sources)
		sources->others = view__use(others);
	return sources;
}

static void forget_files(struct sources *sources)
{
	struct file *file, *next;

	HASH_ITER(hh, sources->files, file, next) {
		HASH_DEL(sources->files, file);
		free(file->newlines);
		free(file->text);
		free(file);
	}
	sources->kept = 0;
}

void sources__forget(struct sources *sources)
{
	struct met *met, *next;

	if (!sources)
		return;
	forget_files(sources);
	HASH_ITER(hh, sources->met, met, next) {
		HASH_DEL(sources->met, met);
		view__release(met->view);
		free(met);
	}
	free(sources->viewers);
	sources->viewers = NULL;
	sources->nviewers = 0;
	sources->spent_ns = 0;
}

void sources__free(struct sources *sources)
{
	if (!sources)
		return;
	sources__forget(sources);
	view__release(sources->others);
	free(sources);
}

static int add_viewer(struct sources *sources, struct view *view, uint64_t *viewer)
{
	view__refresh(view);
	for (*viewer = 0; *viewer < sources->nviewers; ++*viewer)
		if (view__equal(sources->viewers[*viewer], view))
			return 0;
	if (array__make_room(&sources->viewers, sources->nviewers, sizeof(*sources->viewers)))
		return -1;
	sources->viewers[sources->nviewers++] = view;
	return 0;
}

static bool find_viewer(struct sources *sources, struct view *view, uint64_t *viewer)
{
	struct met *met;

	HASH_FIND_PTR(sources->met, &view, met);
	if (!met) {
		met = calloc(1, sizeof(*met));
		if (!met || add_viewer(sources, view, &met->viewer)) {
			free(met);
			return false;
		}
		met->view = view;
		HASH_ADD_PTR(sources->met, view, met);
		if (!HASH_ADDED(met)) {
			free(met);
			return false;
		}
		view__use(view);
	}
	*viewer = met->viewer;
	return true;
}

static bool count_newlines(struct file *file)
{
	uint32_t n = 0;

	file->newlines = calloc(file->size / BLOCK_SIZE + 1, sizeof(*file->newlines));
	if (!file->newlines)
		return false;
	for (size_t i = 0; i < file->size; i++) {
		if (i % BLOCK_SIZE == 0)
			file->newlines[i / BLOCK_SIZE] = n;
		n += file->text[i] == '\n';
	}
	return true;
}

/* As much as there is of what it was long when it was opened. */
static bool read_text(struct sources *sources, struct file *file, int fd)
{
	uint64_t start = clock_ns(CLOCK_MONOTONIC);
	struct stat st;
	ssize_t n = 1;

	if (fstat(fd, &st) || st.st_size > MAX_FILE)
		return false;
	file->text = malloc(st.st_size + 1);
	while (file->text && n > 0 && file->size < (size_t)st.st_size &&
	       sources->spent_ns + clock_ns(CLOCK_MONOTONIC) - start < MAX_NS) {
		n = pread(fd, file->text + file->size, st.st_size - file->size < BLOCK_SIZE ?
			  st.st_size - file->size : BLOCK_SIZE, file->size);
		file->size += n > 0 ? n : 0;
	}
	return file->text && n >= 0 && count_newlines(file);
}

static void read_file(struct sources *sources, struct file *file)
{
	int fd = view__open(sources->viewers[file->key.viewer], file->key.name);

	if (fd < 0)
		return;
	if (!read_text(sources, file, fd)) {
		free(file->text);
		file->text = NULL;
		file->size = 0;
	}
	close(fd);
}

static struct file *add_file(struct sources *sources, const struct key *key)
{
	uint64_t start = clock_ns(CLOCK_MONOTONIC);
	struct file *file;

	if (sources->spent_ns >= MAX_NS)
		return NULL;
	if (sources->kept + MAX_FILE > MAX_KEPT)
		forget_files(sources);
	file = calloc(1, sizeof(*file));
	if (!file)
		return NULL;
	file->key = *key;
	HASH_ADD(hh, sources->files, key, sizeof(file->key), file);
	if (!HASH_ADDED(file)) {
		free(file);
		return NULL;
	}
	read_file(sources, file);
	sources->kept += file->size;
	sources->spent_ns += clock_ns(CLOCK_MONOTONIC) - start;
	if (sources->spent_ns >= MAX_NS)
		log__warn("the text of some source lines is left out: to read what there is took "
			  "longer than %llu s", MAX_NS / 1000000000);
	return file;
}

/* Where the line begins; the size of the text where there is none. */
static size_t find_line(const struct file *file, uint32_t line)
{
	size_t block = 0, nblocks = (file->size + BLOCK_SIZE - 1) / BLOCK_SIZE, at;
	uint32_t newlines;

	if (line > file->size)
		return file->size;
	while (block + 1 < nblocks && file->newlines[block + 1] < line - 1)
		block++;
	at = block * BLOCK_SIZE;
	newlines = file->newlines[block];
	while (at < file->size && newlines < line - 1)
		newlines += file->text[at++] == '\n';
	return at;
}

/* Without white space around it; "": there is nothing. */
static void copy_line(const struct file *file, size_t at, char line[LINE_SIZE])
{
	size_t n = 0;

	while (at < file->size && file->text[at] != '\n' && isspace((unsigned char)file->text[at]))
		at++;
	while (at < file->size && file->text[at] && file->text[at] != '\n' && n < LINE_SIZE - 1) {
		line[n++] = file->text[at] == '\t' ? ' ' : file->text[at];
		at++;
	}
	while (n && isspace((unsigned char)line[n - 1]))
		n--;
	line[n] = '\0';
}

static bool read_line(struct sources *sources, struct view *view, const struct stat_frame *frame,
		      char line[LINE_SIZE])
{
	struct key key = { .name = frame->file };
	struct file *file;

	if (!find_viewer(sources, view, &key.viewer))
		return false;
	HASH_FIND(hh, sources->files, &key, sizeof(key), file);
	if (!file)
		file = add_file(sources, &key);
	if (!file || !file->text)
		return false;
	copy_line(file, find_line(file, frame->line), line);
	return *line;
}

static struct view *view_of(const struct sources *sources, const struct snapshot_process *process)
{
	if (process->view || process->elsewhere)
		return process->view;
	return sources->others;
}

const char *sources__line(struct sources *sources, const struct statistic *item,
			  const struct stat_frame *frame)
{
	char line[LINE_SIZE];

	if (!sources || !frame->file || frame->file[0] != '/' || !frame->line)
		return NULL;
	if (!item->nprocesses)
		return sources->others && read_line(sources, sources->others, frame, sources->line) ?
			       sources->line : NULL;
	for (size_t i = 0; i < item->nprocesses; i++) {
		struct view *view = view_of(sources, item->processes[i]->process);

		if (!view || !read_line(sources, view, frame, i ? line : sources->line) ||
		    (i && strcmp(line, sources->line)))
			return NULL;
	}
	return sources->line;
}
