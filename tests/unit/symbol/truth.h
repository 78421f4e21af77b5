/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What other tools say about addresses, and what we say, as text that can be compared: a line
 * "function file:line" for each frame.
 */
#ifndef MT_TESTS_UNIT_SYMBOL_TRUTH_H
#define MT_TESTS_UNIT_SYMBOL_TRUTH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "process/root.h"
#include "symbol/symbol.h"

struct addresses {
	uint64_t *items;
	size_t count;
	uint64_t distance;	/* code_distance() of the file */
};

/* Runs a shell command that has to succeed. */
__attribute__((format(printf, 1, 2))) static inline void run(const char *fmt, ...)
{
	char command[4096];
	va_list args;

	va_start(args, fmt);
	assert_in_range(vsnprintf(command, sizeof(command), fmt, args), 1, sizeof(command) - 1);
	va_end(args);
	if (system(command))
		fail_msg("failed: %s", command);
}

__attribute__((format(printf, 1, 2))) static inline FILE *pipe_from(const char *fmt, ...)
{
	char command[4096];
	va_list args;
	FILE *pipe;

	va_start(args, fmt);
	assert_in_range(vsnprintf(command, sizeof(command), fmt, args), 1, sizeof(command) - 1);
	va_end(args);
	pipe = popen(command, "r");
	assert_non_null(pipe);
	return pipe;
}

static inline void add_address(struct addresses *addresses, uint64_t address)
{
	addresses->items = realloc(addresses->items, (addresses->count + 1) * sizeof(uint64_t));
	assert_non_null(addresses->items);
	addresses->items[addresses->count++] = address;
}

/* Between the address of code and its offset in the file. */
static inline uint64_t code_distance(const char *file)
{
	uint64_t offset, address;
	FILE *pipe;

	pipe = pipe_from("readelf -lW %s 2>/dev/null | awk '/LOAD.* R E /{print $2, $3}'", file);
	assert_int_equal(fscanf(pipe, "%lx %lx", &offset, &address), 2);
	pclose(pipe);
	return address - offset;
}

/* Every `step`th byte of the functions that nm knows. `options` are more of nm's. */
static inline struct addresses addresses_of(const char *file, const char *options, size_t step)
{
	struct addresses addresses = { .distance = code_distance(file) };
	uint64_t start, size;
	size_t n = 0;
	FILE *pipe;

	pipe = pipe_from("nm -S --defined-only %s %s | "
			 "awk 'NF == 4 && $3 ~ /[tTwW]/ {print $1, $2}'", options, file);
	while (fscanf(pipe, "%lx %lx", &start, &size) == 2)
		for (uint64_t i = 0; i < size; i++)
			if (n++ % step == 0)
				add_address(&addresses, start + i);
	assert_int_equal(pclose(pipe), 0);
	assert_int_not_equal(addresses.count, 0);
	return addresses;
}

static inline void free_texts(char **texts, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(texts[i]);
	free(texts);
}

static inline void append_frame(char **text, const char *function, const char *file,
				unsigned int line)
{
	char *longer;

	assert_return_code(asprintf(&longer, "%s%s %s:%u\n", *text ? *text : "",
				    function ? function : "??", file ? file : "??", line),
			   0);
	free(*text);
	*text = longer;
}

/* Takes from a function's name what only other tools put there. */
static inline void clean_function(char *function)
{
	char *end;

	if (!strncmp(function, "__GI_", 5))
		memmove(function, function + 5, strlen(function + 5) + 1);
	if ((end = strstr(function, " inlined at ")) || (end = strstr(function, " [clone ")) ||
	    (end = strstr(function, "@@")))
		*end = '\0';
}

/* "file:line", "file:line:column", "file:line (discriminator n)", "file:?" */
static inline void append_place(char **text, const char *function, char *place)
{
	char *colon, *end;
	unsigned int line;

	end = strstr(place, " (discriminator");
	if (end)
		*end = '\0';
	colon = strrchr(place, ':');
	assert_non_null(colon);
	*colon = '\0';
	line = strtoul(colon + 1, NULL, 10);
	end = strrchr(place, ':');
	if (end && end[1] && strspn(end + 1, "0123456789") == strlen(end + 1)) {
		line = strtoul(end + 1, NULL, 10);
		*end = '\0';
	}
	append_frame(text, function, line ? place : NULL, line);
}

/* What a tool of addr2line's kind says: address, then function and place in turn. */
static inline char **truth(const char *tool, const char *file, const struct addresses *addresses)
{
	char **texts = calloc(addresses->count, sizeof(*texts));
	char list[] = "/tmp/addresses-XXXXXX", function[16384] = "", line[16384];
	FILE *pipe, *in = fdopen(mkstemp(list), "w");
	bool in_frame = false;
	size_t n = 0;

	assert_non_null(texts);
	for (size_t i = 0; i < addresses->count; i++)
		fprintf(in, "0x%lx\n", addresses->items[i]);
	fclose(in);
	pipe = pipe_from("%s %s < %s", tool, file, list);
	while (fgets(line, sizeof(line), pipe)) {
		line[strcspn(line, "\n")] = '\0';
		if (!strncmp(line, "0x", 2) && !in_frame) {
			assert_in_range(++n, 1, addresses->count);
		} else if (line[0] && in_frame) {
			append_place(&texts[n - 1], function, line);
			in_frame = false;
		} else if (line[0]) {
			strcpy(function, line);
			clean_function(function);
			in_frame = true;
		}
	}
	pclose(pipe);
	unlink(list);
	assert_int_equal(n, addresses->count);
	return texts;
}

static inline char *text_of(const struct names_location *location)
{
	char *text = NULL;

	assert_int_not_equal(location->nframes, 0);
	for (uint32_t i = 0; i < location->nframes; i++) {
		const struct names_frame *frame = &location->frames[i];

		assert_int_equal(frame->inlined, i + 1 < location->nframes);
		append_frame(&text, frame->function, frame->line ? frame->file : NULL, frame->line);
	}
	return text;
}

/* What we say; every second address is asked for as a return address. */
static inline char **ours(const char *file, const char *root, const struct addresses *addresses)
{
	uint32_t *locations = calloc(addresses->count, sizeof(*locations));
	char **texts = calloc(addresses->count, sizeof(*texts));
	struct roots *roots = roots__new();
	struct symbolizer *symbolizer = symbolizer__new(roots);
	const char *path = strncmp(file, root, strlen(root)) ? file : file + strlen(root);
	struct names *names = names__new();
	int fd = open(file, O_RDONLY);
	uint32_t module;
	struct root *below = *root ? roots__open(roots, root) : NULL;

	assert_true(locations && texts && symbolizer && names && fd >= 0);
	assert_return_code(names__module(names, path, NULL, &module), 0);
	assert_return_code(symbolizer__add_module(symbolizer, module, fd, path, below), 0);
	root__release(below);
	close(fd);
	for (size_t i = 0; i < addresses->count; i++) {
		uint64_t offset = addresses->items[i] - addresses->distance;

		assert_return_code(names__location(names, module, offset + i % 2, i % 2 == 0,
						   &locations[i]), 0);
	}
	assert_return_code(symbolizer__name_all(symbolizer, names), 0);
	for (size_t i = 0; i < addresses->count; i++)
		texts[i] = text_of(names__get_location(names, locations[i]));
	free(locations);
	symbolizer__free(symbolizer);
	roots__free(roots);
	names__free(names);
	return texts;
}

/* binutils' bare name for a static inline C++ function will do. */
static inline bool same_frames(const char *ours, const char *theirs)
{
	while (*ours && *theirs) {
		size_t our_line = strcspn(ours, "\n"), their_line = strcspn(theirs, "\n");
		const char *our_place = memrchr(ours, ' ', our_line);
		const char *their_place = memrchr(theirs, ' ', their_line);
		size_t name = their_place - theirs;

		if (ours + our_line - our_place != theirs + their_line - their_place ||
		    memcmp(our_place, their_place, ours + our_line - our_place))
			return false;
		if ((our_place - ours != their_place - theirs || memcmp(ours, theirs, name)) &&
		    (memchr(theirs, '(', name) || !memmem(ours, our_place - ours, theirs, name)))
			return false;
		ours += our_line + 1;
		theirs += their_line + 1;
	}
	return *ours == *theirs;
}

/* `file` (seen below `root`) has the names that `tool` finds in `debug`. */
static inline void expect(const char *file, const char *root, const char *tool, const char *debug,
		   size_t step)
{
	struct addresses addresses = addresses_of(debug, "", step);
	char **theirs = truth(tool, debug, &addresses);
	char **texts = ours(file, root, &addresses);

	for (size_t i = 0; i < addresses.count; i++)
		if (!same_frames(texts[i], theirs[i]))
			fail_msg("%s, 0x%lx of %zu addresses:\n%sbut %s:\n%s", file,
				 addresses.items[i], addresses.count, texts[i], tool, theirs[i]);
	free_texts(texts, addresses.count);
	free_texts(theirs, addresses.count);
	free(addresses.items);
}

/* The text for one address, to be freed. */
static inline char *name_of(const char *file, const char *root, uint64_t address)
{
	struct addresses addresses = { &address, 1, code_distance(file) };
	char **texts = ours(file, root, &addresses);
	char *text = texts[0];

	free(texts);
	return text;
}

static inline uint64_t address_of(const char *file, const char *symbol)
{
	FILE *pipe = pipe_from("nm %s | awk '$3 == \"%s\" {print $1}'", file, symbol);
	uint64_t address;

	assert_int_equal(fscanf(pipe, "%lx", &address), 1);
	pclose(pipe);
	return address;
}

#endif
