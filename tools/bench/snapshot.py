# SPDX-License-Identifier: GPL-2.0-or-later
"""A large heap profile, written without any of memtracebpf's code."""
import gzip
import pathlib
import random
import sys

sys.path.append(str(pathlib.Path(__file__).resolve().parents[2] / "tests" / "oracle"))
from pprof_file import message, number, varint  # noqa: E402

FUNCTIONS = 20_000
DEPTH = 30


def write(path, traces, tracebacks):
    """That many traces, evenly on so many distinct tracebacks of DEPTH frames."""
    rng = random.Random(1)
    strings = ["", "inuse_objects", "count", "inuse_space", "bytes"]
    strings += [f"function_{i}" for i in range(FUNCTIONS)]
    strings += [f"/usr/src/program/file_{i}.c" for i in range(FUNCTIONS // 20)]
    stacks = [message(1, b"".join(varint(rng.randrange(FUNCTIONS) + 1) for _ in range(DEPTH)))
              for _ in range(tracebacks)]
    with gzip.open(path, "wb", 1) as out:
        for name in 1, 3:
            out.write(message(1, number(1, name) + number(2, name + 1)))
        for i in range(traces):
            count = rng.randrange(1, 100)
            values = varint(count) + varint(count << i // tracebacks)
            out.write(message(2, stacks[i % tracebacks] + message(2, values)
                              + message(3, number(1, 4) + number(3, 1 << i // tracebacks))))
        for i in range(FUNCTIONS):
            line = number(1, i + 1) + number(2, i % 1000 + 1)
            out.write(message(4, number(1, i + 1) + number(3, 4096 + 16 * i) + message(4, line)))
            out.write(message(5, number(1, i + 1) + number(2, 5 + i)
                              + number(4, 5 + FUNCTIONS + i // 20)))
        for string in strings:
            out.write(message(6, string.encode()))
