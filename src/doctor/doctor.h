/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What works on this machine, what a hit costs here, and who carries which allocator. */
#ifndef MT_DOCTOR_DOCTOR_H
#define MT_DOCTOR_DOCTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * Looks at these processes, at all for npids 0, and prints what it found to stdout. Touches no
 * process but a child of its own. 0 when tracing can work here; -ENOTSUP when it cannot, which is
 * said in what is printed; -errno after one sentence on stderr.
 */
int doctor__run(const pid_t *pids, size_t npids, bool json);

#endif
