/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From .eh_frame (or .debug_frame) to the rows and rules that the kernel half walks stacks with. */
#ifndef MT_UNWIND_UNWIND_H
#define MT_UNWIND_UNWIND_H

#include <stddef.h>
#include <stdint.h>

#include "base/types.h"
#include "elf/file.h"

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
 * Reads the unwind information of an ELF file, which may be hostile. `name` is for warnings. `debug` is
 * its separate debug file or NULL, used for .debug_frame where the file itself covers nothing.
 * unwind_rows__free() releases. A file without any unwind information gives 0 rows and 0. What is
 * damaged gets a CFA_DAMAGED row, with one warning naming the file; if that can hide whole entries, so
 * do the gaps. What is over a limit of base/limits.h gets no rows; the file says which. -ENOMEM.
 */
int unwind_rows__read(struct elf_file *file, struct elf_file *debug, const char *name,
		      struct unwind_rules *rules, struct unwind_rows *rows);
void unwind_rows__free(struct unwind_rows *rows);

#endif
