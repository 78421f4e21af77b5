# SPDX-License-Identifier: GPL-2.0-or-later
"""Every line's blocks and bytes against the workload's own books."""

import ctypes
import os

import pytest

from tracing import (Tracer, Workload, assert_lines, assert_nothing_lost, assert_totals, functions,
                     lines_of, lines_of_truth, losses, trace)

PATH_BLOCKS = 2_000_000
NO_CACHES = dict(os.environ, GLIBC_TUNABLES="glibc.malloc.tcache_count=0:glibc.malloc.mxfast=0")


@pytest.mark.parametrize("program, scenario", [
    ("alloc.fp", "entry_points"),
    ("alloc.nofp", "entry_points"),
    ("alloc.musl", "entry_points"),
    ("alloc.fp", "reallocs"),
    ("alloc.musl", "reallocs"),
    ("alloc.fp", "huge"),
    ("alloc.fp", "mixed"),
    ("alloc.nofp", "mixed"),
])
def test_every_line(spawn, program, scenario):
    report, truth = trace(spawn, program, scenario)
    assert_lines(report, truth)
    assert_totals(report, truth)
    assert report["traced"]["peak_size"] == truth["peak_size"]
    assert_nothing_lost(report)


def test_two_million_blocks_on_a_thousand_paths(spawn):
    workload = spawn(Workload, "alloc.fp", "paths", PATH_BLOCKS, env=NO_CACHES)
    tracer = spawn(Tracer, "-p", workload.pid, "--group-by", "traceback")
    workload.say()
    counts = [int(n) for n in workload.out.next().split(",")]
    workload.say()
    truth = workload.truth()
    report = tracer.stop()

    assert sum(counts) == PATH_BLOCKS // 2
    expected = {}
    for path, count in enumerate(counts):
        hundreds, tens, ones = f"{path:03}"
        expected[f"first{ones}", f"second{tens}", f"third{hundreds}", "paths", "main"] = (
            count * (24 + 16 * (path % 7)), count, PATH_BLOCKS // 1000)
    assert {tuple(functions(s)[:5]): (s["size"], s["count"], s["alloc_count"])
            for s in report["statistics"]} == expected
    assert_lines(report, truth)
    assert_totals(report, truth)
    assert_nothing_lost(report)
    # glibc's own view: without its caches each of these chunks is 8 bytes more than its block.
    assert truth["in_use"] == report["traced"]["size"] + 8 * report["traced"]["count"]


def test_strings_made_by_libc(spawn):
    """Only what is outstanding: how often libc resizes on the way is its own business."""
    report, truth = trace(spawn, "alloc.nofp", "strings", options=["--group-by", "traceback"])
    expected = lines_of_truth(truth)
    lines = lines_of(report, "alloc.c")
    assert {line: lines[line][:2] for line in expected} == {
        line: books[:2] for line, books in expected.items()}
    assert_nothing_lost(report)


@pytest.mark.parametrize("program", ["threads.fp", "threads.nofp", "threads.musl"])
@pytest.mark.parametrize("scenario", ["handover", "eight", "succession"])
def test_threads(spawn, program, scenario):
    report, truth = trace(spawn, program, scenario)
    assert_lines(report, truth)
    assert_nothing_lost(report)


def test_attach_to_threads_that_come_and_go(spawn):
    """What is older than the tracer is freed under its eyes; nothing else may go wrong."""
    workload = spawn(Workload, "threads.nofp", "restless")
    workload.say()
    workload.out.expect("busy")
    tracer = spawn(Tracer, "-p", workload.pid)
    truth = workload.run()
    report = tracer.stop()

    lines = lines_of(report, "threads.c")
    expected = lines_of_truth(truth)
    assert {line: lines.get(line) for line in expected} == expected
    for line, books in lines.items():
        if line not in expected:
            assert (books.size, books.count) == (0, 0), line
    assert set(losses(report)) <= {"frees_unmatched"}


@pytest.mark.parametrize("program", ["containers.fp", "containers.nofp"])
@pytest.mark.parametrize("scenario", ["news", "bad_alloc"])
def test_cxx(spawn, program, scenario):
    """By traceback: the first frame in our file is the truth's line, whatever is a wrapper."""
    report, truth = trace(spawn, program, scenario, options=["--group-by", "traceback"])
    expected = lines_of_truth(truth)
    lines = lines_of(report, "containers.cc")
    assert {line: lines.get(line) for line in expected} == expected
    outstanding = {line for line, books in lines.items() if books.count}
    assert outstanding == {line for line, books in expected.items() if books.count}
    assert_nothing_lost(report)


def test_operator_new_is_a_wrapper(spawn):
    report, truth = trace(spawn, "containers.fp", "news")
    lines = lines_of(report, "containers.cc")
    expected = lines_of_truth(truth)
    assert {line: lines.get(line) for line in expected} == expected


def test_no_wrappers(spawn):
    report, _ = trace(spawn, "containers.fp", "news", options=["--no-wrappers"])
    assert lines_of(report, "containers.cc") == {}


def test_two_tracers_at_once(spawn):
    workload = spawn(Workload, "alloc.fp", "mixed")
    tracers = [spawn(Tracer, "-p", workload.pid) for _ in range(2)]
    truth = workload.run()
    for tracer in tracers:
        report = tracer.stop()
        assert_lines(report, truth)
        assert_totals(report, truth)
        assert_nothing_lost(report)


def without_aslr():
    ctypes.CDLL(None).personality(0x0040000)  # ADDR_NO_RANDOMIZE


class FixedWorkload(Workload):
    def __init__(self, *args):
        super().__init__(*args, preexec_fn=without_aslr)


def test_two_processes_at_once(spawn):
    """The same addresses in both (no randomisation) are not the same blocks."""
    workloads = [spawn(FixedWorkload, "alloc.fp", scenario)
                 for scenario in ("entry_points", "reallocs")]
    tracer = spawn(Tracer, *(word for w in workloads for word in ("-p", w.pid)))
    truths = [workload.run() for workload in workloads]
    report = tracer.stop()

    assert sorted(report["pids"]) == sorted(w.pid for w in workloads)
    assert lines_of(report, "alloc.c") == {
        line: books for truth in truths for line, books in lines_of_truth(truth).items()}
    assert report["traced"]["count"] == sum(truth["count"] for truth in truths)
    assert_nothing_lost(report)


def test_blocks_beyond_max_blocks(spawn):
    """Tracing goes on, and what is missing is said: in numbers and in words."""
    workload = spawn(Workload, "alloc.fp", "paths", 100_000)
    tracer = spawn(Tracer, "-p", workload.pid, "--max-blocks", 1000)
    workload.say()
    workload.out.next()
    workload.say()
    truth = workload.truth()
    report = tracer.stop()
    assert report["lost"]["blocks"] > 0
    assert report["traced"]["count"] <= truth["count"]
    assert set(losses(report)) <= {"blocks", "frees_unmatched"}


def test_stacks_beyond_max_stacks(spawn):
    """Of a stack that finds no room the first frames do: the line stays right, and the rest is said."""
    workload = spawn(Workload, "alloc.fp", "paths", 100_000)
    tracer = spawn(Tracer, "-p", workload.pid, "--max-stacks", 100, "--group-by", "traceback")
    workload.say()
    workload.out.next()
    workload.say()
    truth = workload.truth()
    report = tracer.stop()
    assert (report["traced"]["size"], report["traced"]["count"]) == (truth["size"], truth["count"])
    assert_lines(report, truth)
    assert set(losses(report)) == {"frames_cut"}
    cut = report["lost"]["frames_cut_by"]
    assert {reason for reason, n in cut.items() if n} == {"stacks_full"}
    whole = [stat for stat in report["statistics"] if stat["stopped"] != "stacks_full"]
    assert 10 < len(whole) <= 100
