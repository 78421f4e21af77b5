# SPDX-License-Identifier: GPL-2.0-or-later
"""Files of strangers that change while they are read, or claim more than they have."""

import os
import subprocess
import sys
import threading

import pytest

from tracing import Process, Tracer, Workload, assert_lines

# Maps each file as code, says so, and waits.
MAPS = """
import mmap, sys
maps = []
for path in sys.argv[1:]:
    with open(path, "rb") as file:
        maps.append(mmap.mmap(file.fileno(), 4096, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_EXEC))
print("ready", flush=True)
sys.stdin.readline()
"""


class Mapper(Process):
    def __init__(self, *paths, **kwargs):
        super().__init__(sys.executable, "-c", MAPS, *paths, **kwargs)
        self.out.expect("ready")


class Changer:
    """A thread that cuts files short, writes them again and makes them longer, over and over."""

    def __init__(self, paths):
        self._files = [(os.open(path, os.O_RDWR), path.read_bytes()) for path in paths]
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self):
        rounds = 0
        while not self._stop.is_set():
            for fd, content in self._files:
                rounds += 1
                os.ftruncate(fd, rounds % 7 * len(content) // 7)
                os.pwrite(fd, content, 0)
                os.ftruncate(fd, 2 * len(content))

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()
        for fd, _ in self._files:
            os.close(fd)


def build_library(directory):
    """A library with its debug file beside it."""
    source = directory / "lib.c"
    source.write_text("".join(f"int f{i}(int x) {{ return x * {i}; }}\n" for i in range(4000)))
    library = directory / "lib.so"
    subprocess.run(["gcc", "-g", "-shared", "-fPIC", "-o", library, source], check=True)
    subprocess.run(["objcopy", "--only-keep-debug", "lib.so", "lib.so.debug"], cwd=directory, check=True)
    subprocess.run(["objcopy", "--add-gnu-debuglink=lib.so.debug", "--strip-debug", "lib.so"],
                   cwd=directory, check=True)
    return library


@pytest.mark.parametrize("machine", [False, True])
def test_files_that_change_while_they_are_read(spawn, tmp_path, machine):
    library = build_library(tmp_path)
    copies = [tmp_path / f"lib{i}.so" for i in range(50)]
    for copy in copies:
        copy.write_bytes(library.read_bytes())
    mapper = spawn(Mapper, *copies)
    workload = spawn(Workload, "alloc.nofp", "mixed", 300)
    with Changer([*copies, tmp_path / "lib.so.debug"]):
        tracer = spawn(Tracer, *([] if machine else ["-p", f"{workload.pid},{mapper.pid}"]),
                       "--group-by", "traceback")
        truth = workload.run()
        assert_lines(tracer.stop(), truth)
