// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The reader of unwind information against arbitrary bytes: a whole ELF file, or what lies in a
 * section.
 */
#include <stdlib.h>

#include "../unit/frame_image.h"
#include "base/log.h"
#include "unwind/unwind.h"

/* Nearly every input is damaged: no need to say so. */
void log__warn(const char *fmt, ...)
{
}

static void read_rows(const uint8_t *image, size_t size, const uint8_t *debug, size_t debug_size)
{
	struct unwind_rules *rules = unwind_rules__new();
	struct unwind_rows rows;
	uint32_t nrules;

	if (read_memory(image, size, debug, debug_size, "fuzz", rules, &rows))
		goto out;
	unwind_rules__table(rules, &nrules);
	for (uint32_t i = 0; i < rows.nrows; i++) {
		if (rows.rows[i].rule >= nrules ||
		    (i && (rows.rows[i].start <= rows.rows[i - 1].start ||
			   rows.rows[i].rule == rows.rows[i - 1].rule)))
			abort();
	}
	/* Every row needs an instruction that ends it: size bounds memory. */
	if (rows.nrows > 2 * (size + debug_size))
		abort();
	unwind_rows__free(&rows);
out:
	unwind_rules__free(rules);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *image, *debug;
	size_t image_size, debug_size;

	if (size >= SELFMAG && !memcmp(data, ELFMAG, SELFMAG)) {
		read_rows(data, size, NULL, 0);
		return 0;
	}
	image = frame_image(BY_SEGMENT, data, size, &image_size);
	debug = frame_image(IN_DEBUG_FRAME, data, size, &debug_size);
	read_rows(image, image_size, debug, debug_size);
	free(image);
	free(debug);
	return 0;
}
