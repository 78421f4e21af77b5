/* SPDX-License-Identifier: GPL-2.0-or-later */
/* include/memtracebpf.h with the user half's fixed-width types. */
#ifndef MT_BASE_TYPES_H
#define MT_BASE_TYPES_H

#include <linux/types.h>

#include "memtracebpf.h"

/* A parameter that is there for those who have a use for it. */
#define __unused __attribute__((unused))

#endif
