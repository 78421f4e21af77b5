/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where one block came from: tracemalloc's get_object_traceback(). */
#ifndef MT_REPORT_BLOCK_H
#define MT_REPORT_BLOCK_H

#include "report/report.h"

struct report_block {
	uint32_t pid;
	const char *comm;	/* NULL: not known */
	uint64_t address;	/* where the block begins */
	uint64_t size, age_ns;
	uint32_t stack;		/* index of names' stacks */
	struct view *view;	/* of its process; NULL: not known */
};

/* As text, or with FORMAT_JSON as JSON. Errors as report__print(). */
int report__block(FILE *out, enum report_format format, struct names *names,
		  const struct report_block *block, const struct report_opts *opts);

void write_json_block(FILE *out, const struct report_block *block, const struct statistic *item);

#endif
