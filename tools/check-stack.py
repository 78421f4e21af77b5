#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Do the BPF programs fit the stack that old kernels give them? check-stack.py FILE.bpf.o

Linux before 6.13 lets a chain of calls have 512 bytes, each function's stack rounded up to 32, and
counts the functions that are only pointed to, like bpf_loop()'s, as called (kernel/bpf/verifier.c,
check_max_stack_depth). Newer kernels do not say when that is exceeded. Prints the deepest chain;
exits with 1 where it is too deep.
"""

import collections
import functools
import re
import subprocess
import sys

LIMIT = 512
CALL_LOCAL = 0x85, 0x10  # BPF_JMP | BPF_CALL, src BPF_PSEUDO_CALL


def text_functions(path):
    """{address: name} of the functions that are not programs."""
    symbols = subprocess.run(["readelf", "-sW", path], capture_output=True, text=True,
                             check=True).stdout
    sections = subprocess.run(["readelf", "-SW", path], capture_output=True, text=True,
                              check=True).stdout
    text = re.search(r"\[ *(\d+)\] \.text ", sections)[1]
    fields = [line.split() for line in symbols.splitlines()]
    return {int(f[1], 16): f[7] for f in fields
            if len(f) == 8 and f[3] == "FUNC" and f[6] == text}


def read_functions(path):
    """{function: bytes of stack}, {function: what it calls}."""
    text = text_functions(path)
    sizes, calls = collections.Counter(), collections.defaultdict(set)
    listing = subprocess.run(["llvm-objdump", "-dr", path], capture_output=True, text=True,
                             check=True).stdout
    for line in listing.splitlines():
        if match := re.match(r"[0-9a-f]+ <((?!LBB).+)>:", line):
            function = match[1]
            sizes[function] += 0
        elif match := re.match(r"\s+(\d+):\s+((?:[0-9a-f]{2}\s){8})", line):
            at, code = int(match[1]), bytes.fromhex(match[2])
            immediate = int.from_bytes(code[4:], "little", signed=True)
            for offset in re.findall(r"r10 - (\d+)\)|\+= -(\d+)$", line):
                size = int(offset[0] or offset[1])
                sizes[function] = max(sizes[function], size if size <= LIMIT else 0)
            if (code[0], code[1] & 0xf0) == CALL_LOCAL:
                calls[function].add(text.get((at + 1 + immediate) * 8))
        elif match := re.search(r"R_BPF_64_(32|64)\s+(\S+)", line):
            offset = (immediate + 1) * 8 if match[1] == "32" else immediate
            calls[function].add(text.get(offset) if match[2] == ".text" else match[2])
    return sizes, {name: {c for c in called if c in sizes and c != name}
                   for name, called in calls.items()}


def main():
    sizes, calls = read_functions(sys.argv[1])

    def depth(chain):
        return sum(max(32, (sizes[name] + 31) // 32 * 32) for name in chain)

    @functools.cache
    def deepest(name):
        below = max((deepest(called) for called in calls.get(name, ())), key=depth, default=())
        return (name, *below)

    chain = max(map(deepest, sizes), key=depth)
    print(f"{depth(chain)} of {LIMIT} bytes: " + ", ".join(f"{f} {sizes[f]}" for f in chain))
    return depth(chain) > LIMIT


if __name__ == "__main__":
    sys.exit(main())
