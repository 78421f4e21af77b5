// SPDX-License-Identifier: GPL-2.0-or-later
#include "collect/jit_map.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "process/process.h"
#include "process/view.h"

struct function {
	uint64_t start, end;
	const char *name;	/* in the text */
};

/* From its address to the next one's; the last ends nothing. */
struct piece {
	uint64_t address;
	const char *name;	/* NULL: no function */
	uint32_t next;		/* the first piece from here on that may have no name yet */
};

struct jit_map {
	struct view *view;
	char path[sizeof("/tmp/perf-.map") + 10];
	uint64_t started_ns;	/* by the wall clock: an older file is another process' */
	struct stat last;	/* of the file when it was last looked at */
	uint32_t version, versions;
	bool looked, read;
	int fd;			/* -1: there is none */
	char *text;
	struct piece *pieces;	/* in address order */
	size_t npieces;
};

struct jit_map *jit_map__new(struct view *view, pid_t pid)
{
	uint64_t ticks = target__started(pid), own = target__own_pid(pid);
	struct jit_map *map = ticks && own ? calloc(1, sizeof(*map)) : NULL;

	if (!map)
		return NULL;
	map->view = view__use(view);
	map->fd = -1;
	map->started_ns = clock_ns(CLOCK_REALTIME) - clock_ns(CLOCK_BOOTTIME) +
			  (ticks - 1) * (1000000000ULL / sysconf(_SC_CLK_TCK));
	snprintf(map->path, sizeof(map->path), "/tmp/perf-%" PRIu32 ".map", (uint32_t)own);
	return map;
}

void jit_map__rest(struct jit_map *map)
{
	if (!map)
		return;
	if (map->fd >= 0)
		close(map->fd);
	free(map->text);
	free(map->pieces);
	map->fd = -1;
	map->text = NULL;
	map->pieces = NULL;
	map->npieces = 0;
	map->looked = map->read = false;
}

void jit_map__free(struct jit_map *map)
{
	jit_map__rest(map);
	if (map)
		view__release(map->view);
	free(map);
}

const char *jit_map__path(const struct jit_map *map)
{
	return map->path;
}

/* Anybody may have a file of that name in /tmp; perf takes the same care. */
static bool is_its_own(const struct jit_map *map, const struct stat *st)
{
	uint64_t written = st->st_mtim.tv_sec * 1000000000ULL + st->st_mtim.tv_nsec;

	return written >= map->started_ns && (!st->st_uid || st->st_uid == view__user(map->view));
}

static bool is_same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

uint32_t jit_map__look(struct jit_map *map)
{
	struct stat st = {};

	if (!map || map->looked)
		return map ? map->version : 0;
	map->looked = true;
	map->fd = view__open(map->view, map->path);
	if (map->fd >= 0 && (fstat(map->fd, &st) || !is_its_own(map, &st))) {
		close(map->fd);
		map->fd = -1;
	}
	if (map->fd < 0)
		map->version = 0;
	else if (!map->version || !is_same(&st, &map->last))
		map->version = ++map->versions;
	map->last = st;
	return map->version;
}

/* The last so many bytes of the file: later lines hold where earlier ones say something else. */
static size_t read_text(struct jit_map *map)
{
	off_t size = map->last.st_size, skip = 0;
	size_t n = 0;
	ssize_t got;

	if (size > MAX_JIT_MAP_SIZE) {
		skip = size - MAX_JIT_MAP_SIZE;
		size = MAX_JIT_MAP_SIZE;
	}
	map->text = malloc(size + 1);
	while (map->text && n < (size_t)size &&
	       (got = pread(map->fd, map->text + n, size - n, skip + n)) > 0)
		n += got;
	if (skip && n)
		map->text[0] = '?';	/* the rest of a line would be another number */
	return n;
}

/* "START SIZE name", numbers in hexadecimal. */
static bool parse_line(char *line, struct function *function)
{
	char *end, *name;
	uint64_t size;

	function->start = strtoull(line, &end, 16);
	if (end == line || *end != ' ')
		return false;
	size = strtoull(end + 1, &name, 16);
	if (name == end + 1 || *name != ' ' || !size ||
	    __builtin_add_overflow(function->start, size, &function->end))
		return false;
	function->name = name + strspn(name, " ");
	return *function->name && strlen(function->name) <= MAX_NAME_SIZE;
}

/* The functions of the `size` bytes of text, the latest first. A line that is still being written
 * does not count. */
static size_t parse_text(char *text, size_t size, struct function *functions)
{
	char *end = size ? memrchr(text, '\n', size) : NULL;
	size_t n = 0;

	while (end && n < MAX_JIT_FUNCTIONS) {
		char *before = memrchr(text, '\n', end - text);

		*end = '\0';
		n += parse_line(before ? before + 1 : text, &functions[n]);
		end = before;
	}
	return n;
}

static int by_address(const void *a, const void *b)
{
	const struct piece *x = a, *y = b;

	return x->address < y->address ? -1 : x->address > y->address;
}

/* The last piece that begins at or below the address; there is one. */
static size_t piece_at(const struct jit_map *map, uint64_t address)
{
	size_t low = 0, high = map->npieces;

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (map->pieces[middle].address <= address)
			low = middle;
		else
			high = middle;
	}
	return low;
}

/* Jumps over what has its name; the way is shorter the next time. */
static uint32_t next_nameless(struct piece *pieces, uint32_t i)
{
	while (pieces[i].next != i) {
		pieces[i].next = pieces[pieces[i].next].next;
		i = pieces[i].next;
	}
	return i;
}

/* Cuts the addresses into pieces at each function's ends; the latest function of a piece has it. */
static int cut(struct jit_map *map, const struct function *functions, size_t n)
{
	struct piece *pieces = calloc(2 * n, sizeof(*pieces));
	size_t npieces = 0;

	if (!pieces)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		pieces[2 * i].address = functions[i].start;
		pieces[2 * i + 1].address = functions[i].end;
	}
	qsort(pieces, 2 * n, sizeof(*pieces), by_address);
	for (size_t i = 0; i < 2 * n; i++)
		if (!npieces || pieces[npieces - 1].address != pieces[i].address)
			pieces[npieces++] = pieces[i];
	for (size_t i = 0; i < npieces; i++)
		pieces[i].next = i;
	map->pieces = pieces;
	map->npieces = npieces;
	for (size_t i = 0; i < n; i++) {
		uint32_t p = next_nameless(pieces, piece_at(map, functions[i].start));

		for (; pieces[p].address < functions[i].end; p = next_nameless(pieces, p)) {
			pieces[p].name = functions[i].name;
			pieces[p].next = p + 1;
		}
	}
	return 0;
}

static void read_map(struct jit_map *map)
{
	struct function *functions = NULL;
	size_t size, n = 0;

	map->read = true;
	size = read_text(map);
	if (map->text)
		functions = calloc(MAX_JIT_FUNCTIONS, sizeof(*functions));
	if (functions)
		n = parse_text(map->text, size, functions);
	if (n)
		cut(map, functions, n);
	free(functions);
}

const char *jit_map__find(struct jit_map *map, uint64_t address)
{
	if (!jit_map__look(map))
		return NULL;
	if (!map->read)
		read_map(map);
	if (!map->npieces || address < map->pieces[0].address)
		return NULL;
	return map->pieces[piece_at(map, address)].name;
}
