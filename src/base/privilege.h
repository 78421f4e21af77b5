/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef MT_BASE_PRIVILEGE_H
#define MT_BASE_PRIVILEGE_H

#define PRIVILEGE_TEXT_SIZE 128

/* Which of the capabilities that tracing needs are not ours: their names; "" where none is missing. */
void privilege__missing(char missing[PRIVILEGE_TEXT_SIZE]);

/* May we load BPF programs and look into other processes, and can the kernel describe its types?
 * 0, or -EPERM or -ENOENT after one sentence that says what is missing and what to do. */
int privilege__check(void);

#endif
