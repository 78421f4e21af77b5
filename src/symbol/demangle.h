/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef MT_SYMBOL_DEMANGLE_H
#define MT_SYMBOL_DEMANGLE_H

/*
 * C++ and Rust (both schemes) names as `addr2line -C` prints them, but without the " [clone .cold]"
 * of a part or copy of the function, which DWARF does not have either. As they are, those that
 * are too long or unfold into more text than anyone would read: their beginning still tells whose
 * they are. The caller frees. NULL when `mangled` is no such name.
 */
char *demangle(const char *mangled);

#endif
