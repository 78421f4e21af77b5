// SPDX-License-Identifier: GPL-2.0-or-later
/* protobuf.dev/programming-guides/encoding */
#include "snapshot/wire.h"

#include <errno.h>

enum wire_type {
	WIRE_VARINT = 0,
	WIRE_FIXED64 = 1,
	WIRE_BYTES = 2,
	WIRE_FIXED32 = 5,
};

bool wire__varint(struct wire *wire, uint64_t *value)
{
	*value = 0;
	for (int shift = 0; shift < 64 && wire->at < wire->end; shift += 7) {
		uint8_t byte = *wire->at++;

		*value |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			return true;
	}
	return false;
}

static bool read_fixed(struct wire *wire, size_t size, uint64_t *value)
{
	*value = 0;
	if ((size_t)(wire->end - wire->at) < size)
		return false;
	for (size_t i = 0; i < size; i++)
		*value |= (uint64_t)*wire->at++ << (8 * i);
	return true;
}

int wire__next(struct wire *wire, struct wire_field *field)
{
	uint64_t tag, size;
	bool good = false;

	if (wire->at == wire->end)
		return 0;
	*field = (struct wire_field){};
	if (!wire__varint(wire, &tag) || tag >> 3 == 0 || tag >> 3 > UINT32_MAX >> 3)
		return -EINVAL;
	field->number = tag >> 3;
	switch (tag & 7) {
	case WIRE_VARINT:
		good = wire__varint(wire, &field->value);
		break;
	case WIRE_FIXED64:
		good = read_fixed(wire, 8, &field->value);
		break;
	case WIRE_FIXED32:
		good = read_fixed(wire, 4, &field->value);
		break;
	case WIRE_BYTES:
		good = wire__varint(wire, &size) && size <= (size_t)(wire->end - wire->at);
		if (good) {
			field->data = wire->at;
			field->size = size;
			wire->at += size;
		}
		break;
	}
	return good ? 1 : -EINVAL;
}
