# SPDX-License-Identifier: GPL-2.0-or-later
"""Other allocators than the C library's, wherever they are; exceptions that pass through them."""

import json
import os
import subprocess
from unittest.mock import ANY

import pytest

from tracing import (MEMTRACEBPF, WORKLOADS, Process, Tracer, Workload, assert_lines,
                     assert_nothing_lost, assert_totals, lines_of, lines_of_truth, losses, trace)

LIBRARIES = "/usr/lib/x86_64-linux-gnu/"
PRELOADED = ["libjemalloc.so.2", "libtcmalloc.so.4", "libtcmalloc_minimal.so.4", "libmimalloc.so.2"]
LINKED = ["jemalloc", "tcmalloc", "tcmalloc_minimal", "mimalloc"]
EMBEDDED = ["static-jemalloc", "static-pie-jemalloc", "static-tcmalloc", "static-pie-tcmalloc",
            "stripped-jemalloc", "stripped-tcmalloc"]
# Debian's mimalloc is built as C: its operator new ends the program where it should throw.
THROWING = ["libstdc++", "jemalloc", "tcmalloc", "tcmalloc_minimal", "static-pie-jemalloc",
            "static-pie-tcmalloc", "stripped-jemalloc", "stripped-tcmalloc"]

# The way from operator new to malloc is libstdc++'s wrapper.
BY_TRACEBACK = ["--group-by", "traceback"]


@pytest.mark.parametrize("scenario", ["forms", "mixed"])
@pytest.mark.parametrize("allocator", ["libstdc++"] + LINKED + EMBEDDED)
def test_every_line(spawn, allocator, scenario):
    report, truth = trace(spawn, f"operators.{allocator}", scenario, options=BY_TRACEBACK)
    assert_lines(report, truth)
    assert_totals(report, truth)
    assert_nothing_lost(report)


@pytest.mark.parametrize("library", PRELOADED)
def test_preloaded(spawn, library):
    """The C library's functions and libstdc++'s are mapped beside it, and not called."""
    report, truth = trace(spawn, "operators.libstdc++", "forms", options=BY_TRACEBACK,
                          env=dict(os.environ, LD_PRELOAD=LIBRARIES + library))
    assert_lines(report, truth)
    assert_totals(report, truth)
    assert_nothing_lost(report)


@pytest.mark.parametrize("allocator", ["jemalloc", "tcmalloc", "mimalloc"])
def test_functions_of_its_own(spawn, allocator):
    report, truth = trace(spawn, allocator, "functions")
    assert_lines(report, truth)
    assert_totals(report, truth)
    assert_nothing_lost(report)


def test_heap_that_is_destroyed(spawn):
    """Its blocks are still in the books, which is said; those of one that is merely deleted live."""
    report, truth = trace(spawn, "mimalloc", "heaps")
    lines, expected = lines_of(report, "mimalloc.c"), lines_of_truth(truth)
    assert {line: lines[line] for line in expected} == expected
    assert report["traced"] == {"size": 501, "count": 1, "peak_size": ANY}
    assert losses(report) == {"frees_missed": 1}


@pytest.mark.parametrize("scenario", ["exceptions", "bad_alloc", "handler"])
@pytest.mark.parametrize("allocator", THROWING)
def test_exceptions(spawn, allocator, scenario):
    """The program lives on, and so do the books; what an exception itself takes is temporary."""
    workload = spawn(Workload, f"operators.{allocator}", scenario)
    tracer = spawn(Tracer, "-p", workload.pid, *BY_TRACEBACK)
    truth = workload.run()
    report = tracer.stop()
    workload.say()
    assert workload.wait() == 0

    lines, expected = lines_of(report, "operators.cc"), lines_of_truth(truth)
    assert {line: lines.get(line) for line in expected} == expected
    assert {line for line, books in lines.items() if books.count} == {
        line for line, books in expected.items() if books.count}
    assert report["traced"]["count"] == truth["count"]
    assert_nothing_lost(report)


@pytest.mark.parametrize("scenario", ["handover", "eight", "succession"])
@pytest.mark.parametrize("library", PRELOADED)
def test_threads(spawn, library, scenario):
    """Caches of threads, and threads of the allocator's own. While another thread maps memory, a
    mapping that is met for the first time cannot be looked up."""
    report, truth = trace(spawn, "threads.nofp", scenario,
                          env=dict(os.environ, LD_PRELOAD=LIBRARIES + library,
                                   MALLOC_CONF="background_thread:true"))
    assert_lines(report, truth)
    assert set(losses(report)) <= {"frames_cut"}
    assert report["lost"]["frames_cut"] <= truth["alloc_count"] / 1000


def test_static_musl(spawn):
    report, truth = trace(spawn, "alloc.musl-static", "entry_points")
    assert_lines(report, truth)
    assert_totals(report, truth)
    assert_nothing_lost(report)


# Sizes that jemalloc has: what it says is allocated is what was asked for.
STATISTICS = """
import ctypes, sys
c = ctypes.CDLL(None)
c.malloc.restype = ctypes.c_void_p
def allocated():
    epoch, value, size = ctypes.c_uint64(1), ctypes.c_size_t(), ctypes.c_size_t(8)
    c.mallctl(b"epoch", None, None, ctypes.byref(epoch), ctypes.c_size_t(8))
    c.mallctl(b"stats.allocated", ctypes.byref(value), ctypes.byref(size), None,
              ctypes.c_size_t(0))
    return value.value
before = allocated()
print("ready", flush=True); sys.stdin.readline()
before = allocated()
held = [c.malloc(ctypes.c_size_t(n)) for n in [4096, 8192, 10240, 65536, 1 << 20] * 200]
print(allocated() - before, flush=True); sys.stdin.readline()
"""


def test_jemalloc_statistics(spawn):
    """Python frees a little meanwhile that is older than the tracing."""
    python = spawn(Process, "/usr/bin/python3", "-S", "-u", "-c", STATISTICS,
                   env=dict(os.environ, LD_PRELOAD=LIBRARIES + "libjemalloc.so.2"))
    python.out.expect("ready")
    tracer = spawn(Tracer, "-p", python.pid)
    python.say()
    grown = int(python.out.next())
    report = tracer.stop()
    assert grown > 200 << 20
    assert abs(report["traced"]["size"] - grown) <= grown / 50
    assert set(losses(report)) <= {"frees_unmatched"}


@pytest.mark.parametrize("allocator", LINKED)
def test_from_the_start(spawn, allocator):
    """What the allocator and C++'s library do before main is seen too."""
    tracer = spawn(Tracer, *BY_TRACEBACK, "--", WORKLOADS / f"operators.{allocator}", "forms")
    tracer.out.expect("ready")
    tracer.say()
    truth = json.loads(tracer.out.expect('{"size"'))
    tracer.say()
    report = tracer.last()
    assert_lines(report, truth)
    assert_nothing_lost(report)


POOL = "malloc=pool_get,free=pool_put,calloc=pool_zeroed,realloc=pool_resize,new=pool_new"


@pytest.mark.parametrize("file", ["pool", WORKLOADS / "pool"])
def test_custom_allocator(spawn, file):
    """The pool's blocks are counted, its arenas are not; malloc is followed as ever."""
    report, truth = trace(spawn, "pool", "blocks",
                          options=[*BY_TRACEBACK, "--allocator", f"{file}:{POOL}"])
    assert_lines(report, truth)
    assert_totals(report, truth)
    assert_nothing_lost(report)


def test_custom_allocator_that_throws(spawn):
    """What an exception takes itself is temporary."""
    report, truth = trace(spawn, "pool", "exceptions",
                          options=[*BY_TRACEBACK, "--allocator", f"pool:{POOL}"])
    lines, expected = lines_of(report, "pool_user.cc"), lines_of_truth(truth)
    assert {line: lines[line][:2] for line in expected} == {
        line: books[:2] for line, books in expected.items()}
    assert report["traced"]["count"] == truth["count"]
    assert_nothing_lost(report)


def test_custom_allocator_that_nobody_maps(spawn):
    workload = spawn(Workload, "pool", "blocks")
    tracer = spawn(Tracer, "-p", workload.pid, "--allocator", "libnone.so:malloc=none")
    tracer.err.find("no process that is followed maps libnone.so")
    workload.run()
    tracer.stop()


@pytest.mark.parametrize("value, says", [
    ("pool", "needs a file and its functions"),
    ("pool:", "needs a file and its functions"),
    (":malloc=x", "needs a file and its functions"),
    ("pool:mallac=x", "'mallac' is no function of an allocator"),
    ("pool:malloc=", "malloc needs the name of its function"),
    ("pool:free=pool_put", "none of the functions returns a block"),
    ("/no/such/file:malloc=x", "/no/such/file cannot be read: No such file or directory"),
    ("/etc/passwd:malloc=x", "/etc/passwd is no x86-64 program or library"),
    (f"{WORKLOADS / 'jemalloc'}:malloc=pool_got", "has no function 'pool_got'"),
])
def test_custom_allocator_refused(spawn, value, says):
    done = spawn(Process, MEMTRACEBPF, "--allocator", value, "--", "true")
    assert done.wait() != 0
    assert len(done.err.lines) == 1 and says in done.err.lines[0], done.err.lines


def test_custom_allocator_that_is_stripped(spawn, tmp_path):
    subprocess.run(["strip", "-o", tmp_path / "pool", WORKLOADS / "pool"], check=True)
    done = spawn(Process, MEMTRACEBPF, "--allocator", f"{tmp_path / 'pool'}:{POOL}", "--", "true")
    assert done.wait() != 0
    assert "has no function 'pool_get', or is stripped of its name" in done.err.lines[0]
