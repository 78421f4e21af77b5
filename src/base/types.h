/* SPDX-License-Identifier: GPL-2.0-or-later */
/* include/memtracebpf.h with the user half's fixed-width types. */
#ifndef MT_TYPES_H
#define MT_TYPES_H

#include <linux/types.h>

#include "memtracebpf.h"

#endif
