// SPDX-License-Identifier: GPL-2.0-or-later
/* The entries of a section: CIEs, and the FDEs that refer to them. */
#include <dwarf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "unwind/cfi.h"
#include "unwind/reader.h"

#define RA_COLUMN 16	/* psABI 3.7, figure 3.36 */

/* One entry, behind its length field. */
struct entry {
	struct reader body;
	uint64_t offset;	/* of its length field in the section */
	uint64_t id_offset;	/* of its id field */
	uint64_t id;
	bool is_64;
};

static uint64_t offset_of(const struct cfi_section *section, const uint8_t *at)
{
	return at - section->bytes.data;
}

static uint64_t address_of(const struct cfi_section *section, const uint8_t *at)
{
	return section->bytes.address + offset_of(section, at);
}

static int append(void **array, size_t count, size_t size)
{
	void *grown;

	/* Grows at the powers of two. */
	if (count & (count - 1))
		return 0;
	grown = realloc(*array, (count ? 2 * count : 1) * size);
	if (!grown)
		return -ENOMEM;
	*array = grown;
	return 0;
}

/* The letters behind 'z' say what the augmentation data holds. */
static bool read_augmentation(const struct cfi_section *section, struct cfi_cie *cie,
			      const char *letters, struct reader *data)
{
	for (; *letters; letters++) {
		uint64_t address = address_of(section, data->at);
		uint8_t encoding;

		switch (*letters) {
		case 'L':
			reader__u8(data);
			break;
		case 'P':
			encoding = reader__u8(data);
			address++;
			/* Only its length matters; DW_EH_PE_indirect does not change that. */
			reader__pointer(data, encoding & 0x0f, &address);
			break;
		case 'R':
			cie->encoding = reader__u8(data);
			break;
		case 'S':
			cie->signal_frame = true;
			break;
		default:
			return false;
		}
	}
	return !data->failed;
}

static bool fill_cie(const struct cfi_section *section, struct reader *body, struct cfi_cie *cie)
{
	uint8_t version = reader__u8(body);
	const char *letters = (const char *)body->at;
	uint64_t column;

	if ((version != 1 && version != 3 && version != 4) ||
	    !memchr(letters, '\0', reader__left(body)))
		return false;
	reader__skip(body, strlen(letters) + 1);
	if (version == 4 && (reader__u8(body) != 8 || reader__u8(body) != 0))
		return false;	/* sizes of an address and of a segment selector */
	if (!strcmp(letters, "eh"))
		reader__u64(body);	/* gcc 2: a pointer to exception tables */
	cie->code_align = reader__uleb(body);
	cie->data_align = reader__sleb(body);
	column = version == 1 ? reader__u8(body) : reader__uleb(body);
	if (column != RA_COLUMN)
		return false;
	if (letters[0] == 'z') {
		uint64_t size = reader__uleb(body);
		const uint8_t *data = reader__skip(body, size);
		struct reader augmentation;

		if (!data)
			return false;
		augmentation = reader__over(data, size);
		cie->has_size = true;
		if (!read_augmentation(section, cie, letters + 1, &augmentation))
			return false;
	} else if (letters[0] && strcmp(letters, "eh")) {
		return false;
	}
	return !body->failed && cfi__run_initial(cie, body->at, reader__left(body));
}

static int add_cie(struct cfi_section *section, struct entry *entry)
{
	struct cfi_cie *cie;

	if (append((void **)&section->cies, section->ncies, sizeof(*section->cies)))
		return -ENOMEM;
	cie = calloc(1, sizeof(*cie));
	if (!cie)
		return -ENOMEM;
	cie->offset = entry->offset;
	cie->usable = fill_cie(section, &entry->body, cie);
	section->damaged |= !cie->usable;
	section->cies[section->ncies++] = cie;
	return 0;
}

/* Only a CIE that the section's own order led to counts: a pointer to elsewhere is damage. */
static const struct cfi_cie *find_cie(const struct cfi_section *section, uint64_t offset)
{
	size_t low = 0, high = section->ncies;

	if (high && section->cies[high - 1]->offset == offset)
		return section->cies[high - 1];
	while (low < high) {
		size_t middle = (low + high) / 2;

		if (section->cies[middle]->offset < offset)
			low = middle + 1;
		else
			high = middle;
	}
	if (low < section->ncies && section->cies[low]->offset == offset)
		return section->cies[low];
	return NULL;
}

static int add_fde(struct cfi_section *section, struct entry *entry)
{
	uint64_t cie_offset = section->is_eh ? entry->id_offset - entry->id : entry->id;
	const struct cfi_cie *cie = find_cie(section, cie_offset);
	struct reader *body = &entry->body;
	struct cfi_fde fde = { .cie = cie };
	uint64_t size = 0;

	if (!cie || !cie->usable)
		goto damaged;
	fde.start = address_of(section, body->at);
	reader__pointer(body, cie->encoding, &fde.start);
	reader__pointer(body, cie->encoding & 0x0f, &size);
	if (cie->has_size)
		reader__skip(body, reader__uleb(body));
	if (body->failed || __builtin_add_overflow(fde.start, size, &fde.end))
		goto damaged;
	fde.program = body->at;
	fde.size = reader__left(body);
	fde.program_address = address_of(section, body->at);
	if (!size)
		return 0;
	if (append((void **)&section->fdes, section->nfdes, sizeof(fde)))
		return -ENOMEM;
	section->fdes[section->nfdes++] = fde;
	return 0;

damaged:
	section->damaged = true;
	return 0;
}

/* False: the section ends here, or what follows cannot be found. */
static bool next_entry(struct cfi_section *section, struct reader *reader, struct entry *entry)
{
	const uint8_t *body;
	uint64_t length;

	do {
		entry->offset = offset_of(section, reader->at);
		if (!reader__left(reader))
			return false;
		length = reader__u32(reader);
		/* A terminator. More may follow only if we know that this is still .eh_frame. */
		if (!reader->failed && !length && section->to_segment_end)
			return false;
	} while (!reader->failed && !length);

	entry->is_64 = length == 0xffffffff;
	if (entry->is_64)
		length = reader__u64(reader);
	body = reader__skip(reader, length);
	if (!body) {
		section->damaged = true;
		return false;
	}
	entry->body = reader__over(body, length);
	entry->id_offset = offset_of(section, body);
	/* .eh_frame keeps ids at 4 bytes even in 64-bit entries (LSB Core 10.6.1.1). */
	entry->id = entry->is_64 && !section->is_eh ? reader__u64(&entry->body) :
						      reader__u32(&entry->body);
	return true;
}

static bool is_cie(const struct cfi_section *section, const struct entry *entry)
{
	if (section->is_eh)
		return entry->id == 0;
	return entry->id == (entry->is_64 ? ~0ULL : 0xffffffffULL);
}

int cfi_section__read(struct cfi_section *section)
{
	struct reader reader = reader__over(section->bytes.data, section->bytes.size);
	struct entry entry;
	int err;

	while (next_entry(section, &reader, &entry)) {
		if (entry.body.failed) {
			section->damaged = true;
			continue;
		}
		err = is_cie(section, &entry) ? add_cie(section, &entry) :
						add_fde(section, &entry);
		if (err)
			return err;
	}
	return 0;
}

void cfi_section__release(struct cfi_section *section)
{
	for (size_t i = 0; i < section->ncies; i++)
		free(section->cies[i]);
	free(section->cies);
	free(section->fdes);
	elf_bytes__release(&section->bytes);
}
