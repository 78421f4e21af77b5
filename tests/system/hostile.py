# SPDX-License-Identifier: GPL-2.0-or-later
"""Makes small files that claim to be large: ELF files with holes and bombs in them, profiles."""

import gzip
import struct
import zlib

GIB = 1 << 30
MIB = 1 << 20

PROGBITS, SYMTAB, STRTAB, RELA, DYNSYM = 1, 2, 3, 4, 11
ALLOC, COMPRESSED = 2, 0x800


class Section:
    """At `offset` of the file, with `data` or of `size` bytes that the file has or not."""

    def __init__(self, name, kind=PROGBITS, data=b"", offset=None, size=None, flags=0, address=0, link=0,
                 entry=0):
        self.name, self.kind, self.data, self.flags, self.address = name, kind, data, flags, address
        self.offset, self.size = offset, len(data) if size is None else size
        self.link, self.entry = link, entry


def write_elf(path, sections=(), code=b"\xc3", code_size=None, size=None, headers=None):
    """A library with one segment of code at 0x1000 (file and address). `headers`: how many section
    headers it claims, in a hole, instead of those of `sections`."""
    sections = [Section(""), *sections, Section(".shstrtab", STRTAB)]
    names = b"\0"
    starts = []
    for section in sections:
        starts.append(len(names) if section.name else 0)
        if section.name:
            names += section.name.encode() + b"\0"
    sections[-1].data, sections[-1].size = names, len(names)
    with open(path, "wb") as file:
        at = 0x1000
        file.seek(at)
        file.write(code)
        at += (len(code) + 15) & ~15
        for section in sections[1:]:
            if section.offset is None:
                section.offset = at
                file.seek(at)
                file.write(section.data)
                at += (len(section.data) + 15) & ~15
        table = at
        file.seek(table)
        for start, s in zip(starts, sections):
            first = s is sections[0]
            file.write(struct.pack("<IIQQQQIIQQ", start, 0 if first else s.kind, s.flags, s.address,
                                   s.offset or 0, headers if first and headers else s.size, s.link, 0,
                                   1, s.entry))
        end = file.tell()
        file.seek(0)
        file.write(struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\2\1\1", 3, 62, 1, 0, 64, table, 0, 64, 56, 1,
                               64, 0 if headers else len(sections),
                               0 if headers else len(sections) - 1))
        file.write(struct.pack("<IIQQQQQQ", 1, 5, 0x1000, 0x1000, 0x1000, code_size or len(code),
                               code_size or len(code), 0x1000))
        file.truncate(max(size or 0, end, 0x2000))
    return path


def packed(content_size, pattern=b"\0", claimed=None):
    """The content of a compressed section that unpacks to a pattern, over and over."""
    stream = zlib.compressobj(9)
    block = pattern * (MIB // len(pattern))
    data = b"".join(stream.compress(block) for _ in range(content_size // len(block)))
    return (struct.pack("<IIQQ", 1, 0, claimed or content_size // len(block) * len(block), 1) + data +
            stream.flush())


def many_rows(rows):
    """.debug_frame for code at 0x1000, a row for each of its bytes."""
    cie = struct.pack("<IB", 0xffffffff, 4) + b"\0" + bytes([8, 0, 1, 0x78, 16, 12, 7, 8])
    cie += bytes(-(4 + len(cie)) % 8)
    body = struct.pack("<IQQ", 0, 0x1000, rows + 16) + b"\x41\x0e\x10\x41\x0e\x18" * (rows // 2)
    body += bytes(-(4 + len(body)) % 8)
    return struct.pack("<I", len(cie)) + cie + struct.pack("<I", len(body)) + body


def packed_whole(data):
    return struct.pack("<IIQQ", 1, 0, len(data), 1) + zlib.compress(data, 9)


def varint(number):
    out = b""
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


def field(number, data):
    return varint(number << 3 | 2) + varint(len(data)) + data


def write_profile(path, repeated, times):
    """A profile of heap memory with one field over and over."""
    strings = [b"", b"inuse_space", b"bytes"]
    head = field(1, b"\x08\x01\x10\x02") + b"".join(field(6, s) for s in strings)
    block = repeated * (MIB // len(repeated))
    with gzip.open(path, "wb", 9) as file:
        file.write(head)
        for _ in range(max(1, times * len(repeated) // len(block))):
            file.write(block)
    return path
