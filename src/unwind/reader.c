// SPDX-License-Identifier: GPL-2.0-or-later
#include "unwind/reader.h"

#include <dwarf.h>

bool reader__pointer(struct reader *reader, uint8_t encoding, uint64_t *address)
{
	uint64_t value;

	switch (encoding & 0x0f) {
	case DW_EH_PE_absptr:
	case DW_EH_PE_udata8:
	case DW_EH_PE_sdata8:
		value = reader__u64(reader);
		break;
	case DW_EH_PE_uleb128:
		value = reader__uleb(reader);
		break;
	case DW_EH_PE_sleb128:
		value = reader__sleb(reader);
		break;
	case DW_EH_PE_udata2:
		value = reader__u16(reader);
		break;
	case DW_EH_PE_sdata2:
		value = (int16_t)reader__u16(reader);
		break;
	case DW_EH_PE_udata4:
		value = reader__u32(reader);
		break;
	case DW_EH_PE_sdata4:
		value = (int32_t)reader__u32(reader);
		break;
	default:
		return reader__fail(reader);
	}
	switch (encoding & 0xf0) {
	case DW_EH_PE_absptr:
		break;
	case DW_EH_PE_pcrel:
		value += *address;
		break;
	default:
		return reader__fail(reader);
	}
	*address = value;
	return !reader->failed;
}
