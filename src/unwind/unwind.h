/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From .eh_frame (or .debug_frame) to the rows and rules that the kernel half walks stacks with. */
#ifndef MT_UNWIND_H
#define MT_UNWIND_H

#include <stddef.h>
#include <stdint.h>

#include "base/types.h"

/* The distinct rules of all files; index 0 is the CFA_NONE rule. */
struct unwind_rules;

struct unwind_rules *unwind_rules__new(void);		/* NULL: no memory */
void unwind_rules__free(struct unwind_rules *rules);	/* takes NULL */
/* Index of the rule, added if new; -ENOSPC beyond MAX_RULES. */
int unwind_rules__intern(struct unwind_rules *rules, const struct unwind_rule *rule,
			 uint32_t *index);
const struct unwind_rule *unwind_rules__table(const struct unwind_rules *rules, uint32_t *count);

/* Rows of one file, sorted by start, neighbours with equal rules merged. */
struct unwind_rows {
	struct unwind_row *rows;
	uint32_t nrows;
	uint64_t base;		/* row.start = p_vaddr-space address - base */
};

/*
 * Reads the unwind information of the ELF image `image` (`size` bytes, mapped or read; may be
 * hostile). `name` is for warnings. `debug` is a separate debug file's image or NULL, used for
 * .debug_frame where the image itself covers nothing. rows->rows is the caller's to free() with
 * unwind_rows__free(). A file without any unwind information gives 0 rows and 0. What is damaged
 * gets a CFA_DAMAGED row, with one warning naming the file; if that can hide whole entries, so do
 * the gaps. -EINVAL: `image` is no x86-64 ELF file; -ENOMEM.
 */
int unwind_rows__read(const void *image, size_t size, const void *debug, size_t debug_size,
		      const char *name, struct unwind_rules *rules, struct unwind_rows *rows);
void unwind_rows__free(struct unwind_rows *rows);

#endif
