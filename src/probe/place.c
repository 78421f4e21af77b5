// SPDX-License-Identifier: GPL-2.0-or-later
#include "probe/place.h"

#include <errno.h>
#include <stdlib.h>

/* Longer functions are not read to their end, and so only probed at their first instruction. */
#define MAX_FUNCTION_SIZE (1 << 20)
/* Of functions whose size nobody wrote down: as much as one instruction can have. */
#define MAX_INSTRUCTION_SIZE 15

int place__choose(struct code *code, uint64_t address, uint64_t size, unsigned int nargs,
		  struct instruction *chosen)
{
	struct function_code function = { .address = address, .nargs = nargs };
	uint64_t start, end;
	uint8_t *bytes;
	ssize_t n;

	if (!size && code__described(code, address, &start, &end) && start == address)
		size = end - start;
	function.whole = size && size <= MAX_FUNCTION_SIZE;
	if (!function.whole)
		size = MAX_INSTRUCTION_SIZE;
	bytes = malloc(size);
	if (!bytes)
		return -ENOMEM;
	n = code__read(code, address, bytes, size);
	if (n > 0) {
		function.bytes = bytes;
		function.size = n;
		function.whole = function.whole && function.size == size;
		instruction__choose(&function, chosen);
	}
	free(bytes);
	if (n < 0)
		return (int)n;
	return n ? 0 : -ENOEXEC;
}
