/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads the little-endian numbers of DWARF out of bytes that may lie. Past the end everything
 * reads as 0 and `failed` stays set, so that callers check once, at the end.
 */
#ifndef MT_UNWIND_READER_H
#define MT_UNWIND_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct reader {
	const uint8_t *at, *end;
	bool failed;
};

static inline struct reader reader__over(const uint8_t *data, size_t size)
{
	return (struct reader){ .at = data, .end = size ? data + size : data };
}

static inline size_t reader__left(const struct reader *reader)
{
	return reader->end - reader->at;
}

static inline bool reader__fail(struct reader *reader)
{
	reader->failed = true;
	reader->at = reader->end;
	return false;
}

/* The next `size` bytes, or NULL. */
static inline const uint8_t *reader__skip(struct reader *reader, uint64_t size)
{
	const uint8_t *at = reader->at;

	if (size > reader__left(reader)) {
		reader__fail(reader);
		return NULL;
	}
	reader->at += size;
	return at;
}

#define READER_FIXED(type, name)                                                                   \
	static inline type reader__##name(struct reader *reader)                                   \
	{                                                                                          \
		const uint8_t *at = reader__skip(reader, sizeof(type));                            \
		type value = 0;                                                                    \
                                                                                                   \
		if (at)                                                                            \
			memcpy(&value, at, sizeof(value));                                         \
		return value;                                                                      \
	}

READER_FIXED(uint8_t, u8)
READER_FIXED(uint16_t, u16)
READER_FIXED(uint32_t, u32)
READER_FIXED(uint64_t, u64)

/* LEB128, DWARF 5 section 7.6; what does not fit 64 bits fails. */
static inline uint64_t reader__uleb(struct reader *reader)
{
	uint64_t value = 0;

	for (unsigned int shift = 0; shift < 64; shift += 7) {
		uint8_t byte = reader__u8(reader);

		value |= (uint64_t)(byte & 0x7f) << shift;
		if (shift == 63 && byte > 1)
			break;
		if (!(byte & 0x80))
			return value;
	}
	reader__fail(reader);
	return 0;
}

static inline int64_t reader__sleb(struct reader *reader)
{
	uint64_t value = 0;

	for (unsigned int shift = 0; shift < 64; shift += 7) {
		uint8_t byte = reader__u8(reader);

		value |= (uint64_t)(byte & 0x7f) << shift;
		if (shift == 63 && byte != 0 && byte != 0x7f)
			break;
		if (byte & 0x80)
			continue;
		if (byte & 0x40 && shift < 57)
			value |= ~0ULL << (shift + 7);
		return value;
	}
	reader__fail(reader);
	return 0;
}

/*
 * A pointer in one of the DW_EH_PE encodings (LSB Core 10.5.1). `address` says where the pointer
 * itself lies and receives the result. Encodings that need more than that fail.
 */
bool reader__pointer(struct reader *reader, uint8_t encoding, uint64_t *address);

#endif
