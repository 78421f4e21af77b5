/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The fields of a protobuf message, one by one, without building the message. */
#ifndef MT_SNAPSHOT_WIRE_H
#define MT_SNAPSHOT_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct wire {
	const uint8_t *at, *end;
};

struct wire_field {
	uint32_t number;
	uint64_t value;		/* of a varint or fixed-width field */
	const uint8_t *data;	/* of a length-delimited field; else NULL */
	size_t size;
};

bool wire__varint(struct wire *wire, uint64_t *value);	/* false: none */

/* 1: a field was read; 0: the end; -EINVAL: no protobuf message. */
int wire__next(struct wire *wire, struct wire_field *field);

#endif
