# SPDX-License-Identifier: GPL-2.0-or-later
"""Files with an allocator that nobody has run before, met while the whole machine is traced."""

import os
import shutil
import subprocess

import pytest

from tracing import Process, Tracer, Workload, assert_lines, book_of, losses, own_copy

pytestmark = pytest.mark.alone

JEMALLOC = "/usr/lib/x86_64-linux-gnu/libjemalloc.so.2"
MIMALLOC = "/usr/lib/x86_64-linux-gnu/libmimalloc.so.2"
QUICK = {"alloc_count": 100, "alloc_size": sum(range(100, 200)),
         "count": 40, "size": sum(range(160, 200))}


def copy_of(library, directory):
    """The same bytes in a new file."""
    return shutil.copy(os.path.realpath(library), directory)


def wait_attached(tracer, file):
    tracer.err.find(f"{file}: .* functions probed")


def assert_watched(report, workload, truth):
    """Exact from here on; what was missed before, the report dates."""
    assert_lines(report, truth)
    book = book_of(report, workload.pid)
    assert 0 <= book["since_ms"] <= report["elapsed_ms"]
    assert losses(report).keys() <= {"frees_unmatched", "frames_cut"}   # its rows come later


@pytest.mark.parametrize("program, scenario", [("processes.static", ("hold", 300)),
                                               ("alloc.musl-static", ("mixed", 3000))])
def test_new_executable(spawn, tmp_path, program, scenario):
    copy = own_copy(program, tmp_path)
    tracer = spawn(Tracer, "--comm", copy.name, "--group-by", "traceback", "-v")
    workload = spawn(Workload, copy, *scenario)
    wait_attached(tracer, copy)
    truth = workload.run()
    assert_watched(tracer.stop(), workload, truth)


def test_new_preloaded_library(spawn, tmp_path):
    program = own_copy("alloc.nofp", tmp_path)
    library = copy_of(JEMALLOC, tmp_path)
    tracer = spawn(Tracer, "--comm", program.name, "--group-by", "traceback", "-v")
    workload = spawn(Workload, program, "mixed", 3000, env=dict(os.environ, LD_PRELOAD=library))
    wait_attached(tracer, library)
    truth = workload.run()
    assert_watched(tracer.stop(), workload, truth)


BLOCK = 1234567
OPENS = """
import ctypes, sys
library = ctypes.CDLL(sys.argv[1])
library.malloc.restype = ctypes.c_void_p
print("ready"), input()
for i in range(20):
    library.malloc(int(sys.argv[2]))
print("done"), input()
"""


def test_new_opened_library(spawn, tmp_path):
    """Its own malloc, beside the program's. jemalloc would not do: it has to be there at the start."""
    library = copy_of(MIMALLOC, tmp_path)
    tracer = spawn(Tracer, "--comm", "python3", "--group-by", "traceback", "-v")
    python = spawn(Process, "/usr/bin/python3", "-S", "-u", "-c", OPENS, library, BLOCK)
    python.out.expect("ready")
    wait_attached(tracer, library)
    python.say()
    python.out.expect("done")
    report = tracer.stop()
    own = [stat for stat in report["statistics"]
           if stat["pids"] == [python.pid] and stat["size"] >= BLOCK]
    assert [(stat["count"], stat["size"]) for stat in own] == [(20, 20 * BLOCK)]


def test_second_run(spawn, tmp_path):
    """The first run is over before anybody can look at it."""
    copy = own_copy("quick.musl-static", tmp_path)
    tracer = spawn(Tracer, "--comm", copy.name, "--leaks-at-exit", "-v")
    subprocess.run([copy], check=True)
    wait_attached(tracer, copy)
    second = spawn(Process, copy)
    assert second.wait() == 0
    while (report := tracer.report())["pids"] != [second.pid]:
        pass
    assert {field: sum(stat[field] for stat in report["statistics"]) for field in QUICK} == QUICK
    tracer.stop()
