# SPDX-License-Identifier: GPL-2.0-or-later
"""Writes pprof profiles without any of memtracebpf's code, from traces as tracemalloc has them."""
import collections
import dataclasses
import gzip


def varint(n):
    out = bytearray()
    while n > 0x7F:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


def number(field, n):
    return varint(field << 3) + varint(n)


def message(field, data):
    return varint(field << 3 | 2) + varint(len(data)) + data


class Numbering(dict):
    """The number of each thing, in the order in which they are first asked for."""

    def __init__(self, first):
        super().__init__()
        self.first = first

    def __missing__(self, key):
        self[key] = len(self) + self.first
        return self[key]


def domain_name(domain):
    return f"domain{domain}" if domain else "malloc"


@dataclasses.dataclass(frozen=True)
class Trace:
    """One allocation of a process, with a traceback of one frame."""
    pid: int
    comm: str
    cgroup: str         # "": not known
    size: int
    module: tuple       # path, build id or ""
    offset: int
    function: str
    file: str           # "": not known
    line: int


def write_processes(path, traces):
    """One sample for each Trace."""
    strings, functions, mappings, locations = (Numbering(first) for first in (0, 1, 1, 1))
    assert strings[""] == 0
    out = b""
    for name, unit in (("inuse_objects", "count"), ("inuse_space", "bytes")):
        out += message(1, number(1, strings[name]) + number(2, strings[unit]))
    for t in traces:
        place = t.module, t.offset, t.function, t.file, t.line
        sample = number(1, locations[place]) + message(2, varint(1) + varint(t.size))
        sample += message(3, number(1, strings["pid"]) + number(3, t.pid))
        for key, value in (("process", t.comm), ("cgroup", t.cgroup)):
            sample += message(3, number(1, strings[key]) + number(2, strings[value]))
        out += message(2, sample)
    for (module, offset, function, file, line), id_ in locations.items():
        out += message(4, number(1, id_) + number(2, mappings[module]) + number(3, offset) +
                       message(4, number(1, functions[function, file]) + number(2, line)))
    for (name, build_id), id_ in mappings.items():
        out += message(3, number(1, id_) + number(5, strings[name]) + number(6, strings[build_id]))
    for (name, file), id_ in functions.items():
        out += message(5, number(1, id_) + number(2, strings[name]) + number(4, strings[file]))
    for string in strings:
        out += message(6, string.encode())
    with gzip.open(path, "wb", 1) as f:
        f.write(out)


def write(path, traces):
    """traces: (domain, size, ((file, line), ...) most recent first, total_nframe), one a block."""
    strings, locations, functions = Numbering(0), Numbering(1), Numbering(1)
    assert strings[""] == 0
    out = b""
    for name, unit in (("inuse_objects", "count"), ("inuse_space", "bytes")):
        out += message(1, number(1, strings[name]) + number(2, strings[unit]))
    places = collections.defaultdict(lambda: [0, 0])
    for domain, size, traceback, _ in traces:
        places[domain, traceback][0] += 1
        places[domain, traceback][1] += size
    for (domain, traceback), values in places.items():
        sample = b"".join(number(1, locations[frame]) for frame in traceback)
        sample += message(2, b"".join(map(varint, values)))
        sample += message(3, number(1, strings["domain"])
                          + number(2, strings[domain_name(domain)]))
        out += message(2, sample)
    for frame, id_ in locations.items():
        location = number(1, id_)
        if frame != ("<unknown>", 0):
            location += message(4, number(1, functions[frame[0]]) + number(2, frame[1]))
        out += message(4, location)
    for file, id_ in functions.items():
        out += message(5, number(1, id_) + number(4, strings[file]))
    for string in strings:
        out += message(6, string.encode())
    with gzip.open(path, "wb", 1) as f:
        f.write(out)
