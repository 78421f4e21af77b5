# SPDX-License-Identifier: GPL-2.0-or-later
"""Other allocators than the C library's, wherever they are, and exceptions that pass through them."""

import json
import os

import pytest

from tracing import (WORKLOADS, Tracer, Workload, assert_lines, assert_nothing_lost, assert_totals,
                     lines_of, lines_of_truth, trace)

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
