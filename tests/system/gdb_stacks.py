# SPDX-License-Identifier: GPL-2.0-or-later
"""
Run by gdb: the stack of every call to the allocator, as gdb's unwinder sees it. Writes one JSON
array per distinct stack to $STACKS: [entry point, [[module, file offset], ...]], most recent
call first, without inlined frames, as far as memtracebpf walks (127 frames).
"""

import json
import os
import re

import gdb

ENTRIES = ("malloc", "calloc", "realloc", "memalign", "posix_memalign")
# Who calls another entry point; with libc's debug information by its inner names.
OUTER = re.compile("(__GI_)?(__libc_|__)?(calloc|realloc|reallocarray|memalign|posix_memalign)")
MAX_FRAMES = 127


class Maps:
    def __init__(self):
        self.ranges = []

    def find(self, pc):
        for start, end, offset, path in self.ranges:
            if start <= pc < end:
                return os.path.basename(path), pc - start + offset
        return None

    def place(self, pc):
        found = self.find(pc)
        if not found:
            self.read()
            found = self.find(pc)
        return found or ("?", pc)

    def read(self):
        self.ranges = []
        with open(f"/proc/{gdb.selected_inferior().pid}/maps") as maps:
            for line in maps:
                fields = line.split(maxsplit=5)
                start, end = (int(n, 16) for n in fields[0].split("-"))
                path = fields[5].strip() if len(fields) > 5 else "?"
                self.ranges.append((start, end, int(fields[2], 16), path))


def physical(frame):
    """The frame or the first below it that is one on the stack, not only in the source."""
    while frame and frame.type() in (gdb.INLINE_FRAME, gdb.TAILCALL_FRAME):
        frame = frame.older()
    return frame


class Entry(gdb.Breakpoint):
    def __init__(self, name, maps, out):
        super().__init__(name)
        self.silent = True
        self.name = name.lstrip("*")
        self.maps = maps
        self.out = out
        self.seen = set()

    def stop(self):
        stack = []
        frame = physical(gdb.newest_frame().older())
        if self.maps.place(gdb.newest_frame().pc())[0].startswith("ld-"):
            return False  # ld.so's own, before there is a libc
        if frame and OUTER.fullmatch(frame.name() or ""):
            return False  # one entry point calls another: the outer one has been seen
        while frame and len(stack) < MAX_FRAMES:
            stack.append(self.maps.place(frame.pc()))
            frame = physical(frame.older())
        while stack and stack[-1][0] in ("?", "[stack]", "[heap]"):
            stack.pop()  # gdb runs past bottoms that do not say so: ld.so's, a coroutine's
        if tuple(stack) not in self.seen:
            self.seen.add(tuple(stack))
            self.out.write(json.dumps([self.name, stack]) + "\n")
            self.out.flush()
        return False


gdb.execute("set pagination off")
gdb.execute("set confirm off")
gdb.execute("set breakpoint pending on")
gdb.execute("set backtrace past-main on")
gdb.execute("set backtrace past-entry on")
gdb.execute("set backtrace limit unlimited")
gdb.execute("handle all nostop noprint pass")
gdb.execute("set print inferior-events off")
maps = Maps()
with open(os.environ["STACKS"], "w") as out:
    entries = [Entry(name, maps, out) for name in ENTRIES]
    print("armed", flush=True)
    gdb.execute("continue" if gdb.selected_inferior().pid else "run")
