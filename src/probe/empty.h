/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Programs that do nothing: what the kernel itself takes for a hit. */
#ifndef MT_PROBE_EMPTY_H
#define MT_PROBE_EMPTY_H

#include <stdint.h>

#include "probe/attach.h"

/* Of type BPF_PROG_TYPE_KPROBE; returns 0 when it is run. A file descriptor or -errno. */
int empty_program__load(uint32_t expected_attach_type);

/* Those that tracing would attach on this kernel. 0 or -errno; empty_programs__close() releases. */
int empty_programs__load(struct probe_programs *programs);
void empty_programs__close(struct probe_programs *programs);

#endif
