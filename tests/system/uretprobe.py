# SPDX-License-Identifier: GPL-2.0-or-later
"""A return probe on a function of a process, as perf would place it: perf_event_open(2)."""

import ctypes
import os
import pathlib
import re
import struct

PMU = pathlib.Path("/sys/bus/event_source/devices/uprobe")
PERF_EVENT_OPEN = 298  # x86-64
ATTR_SIZE = 112  # PERF_ATTR_SIZE_VER5


class Uretprobe:
    def __init__(self, path, offset, pid):
        self.path = ctypes.create_string_buffer(os.fsencode(path))
        bit = re.fullmatch(r"config:(\d+)\n", (PMU / "format/retprobe").read_text())
        attr = struct.pack("IIQQQQQIIQQ", int((PMU / "type").read_text()), ATTR_SIZE,
                           1 << int(bit[1]), 1, 0, 0, 0, 1, 0, ctypes.addressof(self.path), offset)
        self.attr = ctypes.create_string_buffer(attr, ATTR_SIZE)
        self.pid = pid

    def __enter__(self):
        libc = ctypes.CDLL(None, use_errno=True)
        self.fd = libc.syscall(PERF_EVENT_OPEN, self.attr, self.pid, -1, -1, 0)
        if self.fd < 0:
            raise OSError(ctypes.get_errno(), "perf_event_open")
        return self

    def __exit__(self, *exc):
        os.close(self.fd)
