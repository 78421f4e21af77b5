// SPDX-License-Identifier: GPL-2.0-or-later
#include "probe/custom.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"

static const struct function *find_key(const struct function *list, const char *key)
{
	for (; list->symbol; list++)
		if (!strcmp(list->symbol, key))
			return list;
	return NULL;
}

/* "malloc=my_alloc" */
static int parse_function(char *text, struct function *function)
{
	char *symbol = strchr(text, '=');
	const struct function *known;

	if (symbol)
		*symbol++ = '\0';
	known = find_key(standard_functions, text);
	if (!known)
		known = find_key(cxx_functions, text);
	if (!known) {
		log__error("--allocator: '%s' is no function of an allocator; there are malloc, "
			   "calloc, realloc, reallocarray, reallocf, free, posix_memalign, "
			   "aligned_alloc, memalign, valloc, pvalloc, cfree, free_sized, "
			   "free_aligned_sized, new and delete", text);
		return -EINVAL;
	}
	if (!symbol || !*symbol) {
		log__error("--allocator: %s needs the name of its function: %s=my_%s", text, text,
			   text);
		return -EINVAL;
	}
	*function = (struct function){ .symbol = symbol, .call = known->call };
	return 0;
}

static int parse_functions(char *text, struct function *functions)
{
	char *rest = NULL;
	bool allocates = false;
	int err = 0;

	for (char *word = strtok_r(text, ",", &rest); word && !err;
	     word = strtok_r(NULL, ",", &rest)) {
		err = parse_function(word, functions);
		allocates |= !err && CALL_KIND(functions++->call) != CALL_FREES;
	}
	if (!err && !allocates) {
		log__error("--allocator: none of the functions returns a block, as "
			   "malloc=NAME would");
		err = -EINVAL;
	}
	return err;
}

int custom_allocators__add(struct custom_allocator **list, const char *text)
{
	struct custom_allocator *allocator = calloc(1, sizeof(*allocator));
	char *equals, *colon = NULL;

	if (!allocator)
		return -ENOMEM;
	allocator->next = *list;
	*list = allocator;
	allocator->file = strdup(text);
	/* No word of the text is shorter than two characters and a comma. */
	allocator->functions = calloc(strlen(text) / 2 + 2, sizeof(*allocator->functions));
	if (!allocator->file || !allocator->functions)
		return -ENOMEM;
	equals = strchr(allocator->file, '=');
	if (equals)
		colon = memrchr(allocator->file, ':', equals - allocator->file);
	if (!colon || colon == allocator->file) {
		log__error("--allocator needs a file and its functions, such as "
			   "libpool.so:malloc=pool_get,free=pool_put, not '%s'", text);
		return -EINVAL;
	}
	*colon = '\0';
	return parse_functions(colon + 1, allocator->functions);
}

static bool describes(const struct custom_allocator *allocator, int fd, const char *path)
{
	const char *slash = strrchr(path, '/');
	struct stat wanted, st;

	if (!strchr(allocator->file, '/'))
		return !strcmp(allocator->file, slash ? slash + 1 : path);
	return !strcmp(allocator->file, path) ||
	       (!stat(allocator->file, &wanted) && !fstat(fd, &st) &&
		wanted.st_dev == st.st_dev && wanted.st_ino == st.st_ino);
}

struct custom_allocator *custom_allocators__find(struct custom_allocator *list, int fd,
						 const char *path)
{
	while (list && !describes(list, fd, path))
		list = list->next;
	return list;
}

void custom_allocators__warn(const struct custom_allocator *list)
{
	for (; list; list = list->next)
		if (!list->met)
			log__warn("--allocator: no process that is followed maps %s", list->file);
}

void custom_allocators__free(struct custom_allocator *list)
{
	while (list) {
		struct custom_allocator *next = list->next;

		free(list->file);
		free(list->functions);
		free(list);
		list = next;
	}
}
