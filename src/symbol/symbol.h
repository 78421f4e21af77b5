/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From a place in an ELF file to functions, lines, inlined frames. elfutils does the work. */
#ifndef MT_SYMBOL_SYMBOL_H
#define MT_SYMBOL_SYMBOL_H

#include "snapshot/snapshot.h"

struct root;
struct roots;
struct symbolizer;

struct symbolizer *symbolizer__new(struct roots *roots);	/* which outlive it; NULL: no memory */
void symbolizer__free(struct symbolizer *symbolizer);	/* takes NULL */

/*
 * Makes an ELF image known under the module index of `names`. `fd` stays the caller's; it is
 * duplicated, so that the names can be had after the file or the process is gone. `root` is where
 * separate debug files are looked for, before our own; NULL: only there.
 */
int symbolizer__add_module(struct symbolizer *symbolizer, uint32_t module, int fd,
			   const char *path, struct root *root);

/* Called once for each time that the module was added: there may be several files of it. After the
 * last time nobody asks for names in it; it can be added again. */
void symbolizer__drop_module(struct symbolizer *symbolizer, uint32_t module);

/* The separate debug file of the ELF file `fd`, by build id or debuglink, looked for under `root`
 * (NULL: ours) and under our own /. A descriptor for the caller to close; -ENOENT: none, -errno. */
int symbolizer__open_debug_file(struct symbolizer *symbolizer, int fd, const char *path,
				const struct root *root);

/* Gives every location of `names` that has none its frames. Locations in unknown modules and in
 * files without names get one unknown frame. 0 or -errno. */
int symbolizer__name_all(struct symbolizer *symbolizer, struct names *names);

/* Of how many files were names left out: over a limit (base/limits.h). */
uint64_t symbolizer__cut(const struct symbolizer *symbolizer);

#endif
