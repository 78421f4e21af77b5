/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <malloc.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "truth.h"

#define MAX_LINES 1024
#define SIZE_CLASSES 65
#define MAX_BLOCKS (1U << 22)	/* live at one time; a power of two, twice what is used */

struct line {
	char file[32];			/* a copy: the library that it comes from may be unloaded */
	int line;			/* 0: free slot */
	size_t size, count;		/* outstanding */
	size_t alloc_size, alloc_count;	/* ever */
	size_t peak_size, peak_count;	/* outstanding when all lines together held the most */
	size_t usable_size;		/* outstanding, as the allocator gave it */
	size_t temporary;
	int mapped;			/* no blocks */
	size_t classes[SIZE_CLASSES];	/* outstanding blocks by size_class() */
};

struct block {
	uintptr_t p;			/* 0: free slot */
	size_t size, usable_size;
	struct line *line;
};

static struct line lines[MAX_LINES];
static struct line total;
static size_t peak_size, in_use_before;
static struct block *blocks;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static struct line *line_of(const char *file, int number)
{
	const char *slash = strrchr(file, '/');
	struct line *line = lines;

	if (slash)
		file = slash + 1;
	while (line->line && (line->line != number || strcmp(line->file, file)))
		line++;
	if (line == lines + MAX_LINES - 1)
		abort();
	snprintf(line->file, sizeof(line->file), "%s", file);
	line->line = number;
	return line;
}

/* Home slot of an address: Fibonacci hashing. */
static uint32_t slot_of(uintptr_t p)
{
	return (uint32_t)(p * 0x9e3779b97f4a7c15ULL >> 42) % MAX_BLOCKS;
}

static struct block *find(uintptr_t p)
{
	uint32_t i = slot_of(p);

	while (blocks[i].p && blocks[i].p != p)
		i = (i + 1) % MAX_BLOCKS;
	return &blocks[i];
}

/* Bits of the number: 0 for 0, n for 2^(n-1) to 2^n - 1. */
static int size_class(size_t size)
{
	return size ? 64 - __builtin_clzl(size) : 0;
}

static void add(struct line *line, const struct block *block)
{
	line->size += block->size;
	line->count++;
	line->alloc_size += block->size;
	line->alloc_count++;
	line->usable_size += block->usable_size;
	line->classes[size_class(block->size)]++;
}

static void subtract(struct line *line, const struct block *block)
{
	line->size -= block->size;
	line->count--;
	line->usable_size -= block->usable_size;
	line->classes[size_class(block->size)]--;
}

static void note_peak(void)
{
	if (total.size <= peak_size)
		return;
	peak_size = total.size;
	for (struct line *line = lines; line->line; line++) {
		line->peak_size = line->size;
		line->peak_count = line->count;
	}
}

void truth_take(const char *file, int number, uintptr_t p, size_t size)
{
	struct block *block;

	if (!p)
		return;
	pthread_mutex_lock(&lock);
	block = find(p);
	if (block->p)	/* two live blocks at one address: the workload forgot a DROP */
		abort();
	*block = (struct block){ .p = p, .size = size, .line = line_of(file, number),
				 .usable_size = malloc_usable_size((void *)p) };
	add(block->line, block);
	add(&total, block);
	note_peak();
	pthread_mutex_unlock(&lock);
}

/* Closes the gap at `hole`, so that every block is found from its home slot without one between. */
static void close_gap(uint32_t hole)
{
	uint32_t i, home;

	for (i = (hole + 1) % MAX_BLOCKS; blocks[i].p; i = (i + 1) % MAX_BLOCKS) {
		home = slot_of(blocks[i].p);
		if ((i - home) % MAX_BLOCKS < (i - hole) % MAX_BLOCKS)
			continue;
		blocks[hole] = blocks[i];
		hole = i;
	}
	blocks[hole].p = 0;
}

void truth_drop(uintptr_t p)
{
	struct block *block;

	if (!p)
		return;
	pthread_mutex_lock(&lock);
	block = find(p);
	if (!block->p)
		abort();
	subtract(block->line, block);
	subtract(&total, block);
	close_gap((uint32_t)(block - blocks));
	pthread_mutex_unlock(&lock);
}

void truth_temporary(uintptr_t p)
{
	pthread_mutex_lock(&lock);
	find(p)->line->temporary++;
	pthread_mutex_unlock(&lock);
}

static void change(struct line *line, long size, long count)
{
	line->size += size;
	line->count += count;
	line->alloc_size += size > 0 ? size : 0;
	line->alloc_count += count > 0 ? count : 0;
}

void truth_change(const char *file, int number, long size, long count)
{
	pthread_mutex_lock(&lock);
	line_of(file, number)->mapped = 1;
	change(line_of(file, number), size, count);
	change(&total, size, count);
	note_peak();
	pthread_mutex_unlock(&lock);
}

/* stdio would allocate a buffer. */
static void say_text(const char *text)
{
	for (size_t left = strlen(text); left;) {
		ssize_t n = write(STDOUT_FILENO, text, left);

		if (n <= 0)
			_exit(3);
		text += n;
		left -= (size_t)n;
	}
}

static void say(const char *fmt, ...)
{
	char text[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	say_text(text);
}

void truth_wait(const char *word)
{
	char c = 0;

	say_text(word);
	say_text("\n");
	while (c != '\n' && read(STDIN_FILENO, &c, 1) == 1)
		;
}

/* What glibc says is in use: with its caches off, the sum of the chunks of live blocks. */
static size_t bytes_in_use(void)
{
#ifdef __GLIBC__
	struct mallinfo2 info = mallinfo2();

	return info.uordblks + info.hblkhd;
#else
	return 0;
#endif
}

/* It allocates for itself when it is first called. */
static void set_up_allocator(void)
{
	void *p = malloc(1);

	__asm__ volatile("" : "+r"(p));	/* or the compiler leaves both calls out */
	free(p);
}

static void say_line(const struct line *line)
{
	say("\"size\":%zu,\"count\":%zu,\"alloc_size\":%zu,\"alloc_count\":%zu",
	    line->size, line->count, line->alloc_size, line->alloc_count);
}

static void say_details(const struct line *line)
{
	const char *comma = "";

	say(",\"peak_size\":%zu,\"peak_count\":%zu,\"usable_size\":%zu,\"temporary\":%zu,"
	    "\"mapped\":%s,\"classes\":{", line->peak_size, line->peak_count, line->usable_size,
	    line->temporary, line->mapped ? "true" : "false");
	for (int i = 0; i < SIZE_CLASSES; i++) {
		if (!line->classes[i])
			continue;
		say("%s\"%d\":%zu", comma, i, line->classes[i]);
		comma = ",";
	}
	say("}");
}

void truth_tell(void)
{
	const char *comma = "";

	pthread_mutex_lock(&lock);
	say("{");
	say_line(&total);
	say(",\"peak_size\":%zu,\"in_use\":%zu,\"lines\":[", peak_size,
	    bytes_in_use() - in_use_before);
	for (const struct line *line = lines; line->line; line++) {
		say("%s{\"file\":\"%s\",\"line\":%d,", comma, line->file, line->line);
		say_line(line);
		say_details(line);
		say("}");
		comma = ",";
	}
	pthread_mutex_unlock(&lock);
	truth_wait("]}");
}

int main(int argc, char **argv)
{
	blocks = mmap(NULL, MAX_BLOCKS * sizeof(*blocks), PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (blocks == MAP_FAILED)
		return 3;
	for (const struct scenario *s = scenarios; s->name; s++) {
		if (argc < 2 || strcmp(s->name, argv[1]))
			continue;
		set_up_allocator();
		in_use_before = bytes_in_use();
		truth_wait("ready");
		s->run(argc - 2, argv + 2);
		truth_tell();
		return 0;
	}
	say("usage: %s SCENARIO [ARGUMENT...], where SCENARIO is one of\n", argv[0]);
	for (const struct scenario *s = scenarios; s->name; s++)
		say("  %s\n", s->name);
	return 2;
}
