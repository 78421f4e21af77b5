/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where a probe goes: allocator functions of an ELF file -> file offset of the best instruction. */
#ifndef MT_PROBE_PROBE_H
#define MT_PROBE_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/types.h"

/* No allocator has more entry points and returns of what can throw: a bound for hostile files. */
#define MAX_PROBES 512

struct probe {
	enum call_kind kind;
	const char *symbol;	/* the function's name; static */
	uint64_t function;	/* file offset of the function's first byte */
	uint64_t offset;	/* file offset of the instruction that carries the probe; a return may
				 * lie in another function, even before this one */
	uint64_t cookie;	/* what the program there learns from it: MAKE_CALL() */
	bool emulated;		/* the kernel emulates that instruction: one trap, no single step */
	bool return_probe;	/* one, too: the call returns before anything else runs on the thread */
	char instruction[64];	/* as text, for -v and doctor */
};

/* The dynamic linker's interface to debuggers (elf/link.h, struct r_debug). */
struct linker_hook {
	uint64_t function;	/* file offset of _dl_debug_state, or of its first instruction that may
				 * be probed; 0: this file is no linker */
	uint64_t r_debug;	/* address of _r_debug in the file's own numbering; 0: not exported */
};

struct custom_allocator;

struct probes {
	struct probe *items;	/* each file offset once, aliases folded; at most MAX_PROBES */
	size_t count;		/* 0: no allocator, or one that is not followed */
	const char *allocator;	/* "glibc", "jemalloc", ..., "unknown"; static; NULL: none */
	const char *unseen;	/* a function that can return from where it is not seen; or NULL */
	const char *refused;	/* one for which none is followed; NULL: there is none */
	const char *why_refused; /* static */
	/* Where the allocator frees what it cached for a thread that ends (file offset, bytes): no
	 * frees of the program. Known where the file has its full symbol table; else size 0. */
	uint64_t cleanup, cleanup_size;
	struct linker_hook linker;
	const char *over;	/* a limit that the file is over, in words; static; NULL: none */
};

/*
 * Looks for allocators' functions in the symbol tables (.dynsym, .symtab) of the x86-64 ELF file
 * `fd`. Returns 0 with count 0 where the file defines none (a reference is not a definition; the
 * dynamic linker's own malloc is not one either) or one that is not followed, -ENOEXEC where it is
 * no such file, -errno where it cannot be read. A malloc of nobody we know is followed too: its
 * names say what it does. `custom` lists what the user describes, or is NULL; `path` is what it and
 * messages call the file; -ENOENT and a sentence: one of its functions is not there. probes__free()
 * releases.
 */
int probes__find(int fd, const char *path, struct custom_allocator *custom,
		 struct probes *probes);
void probes__free(struct probes *probes);

/* A sentence and an error: of what the user describes, a file given as a path cannot be read, or
 * one of its functions is not there. */
int probes__check(const struct custom_allocator *custom);

#endif
