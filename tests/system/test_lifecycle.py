# SPDX-License-Identifier: GPL-2.0-or-later
"""Targets that end, turn into others or make others; tracers that end in every way."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import time

import pytest

from tracing import (MEMTRACEBPF, TIMEOUT, WORKLOADS, Process, Tracer, Workload, assert_lines,
                     assert_nothing_lost, assert_totals, lines_of, lines_of_truth, trace)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_prints_a_last_report(spawn, number):
    workload = spawn(Workload, "alloc.fp", "entry_points")
    tracer = spawn(Tracer, "-p", workload.pid)
    truth = workload.run()
    assert_lines(tracer.stop(number), truth)
    workload.say()
    assert workload.wait() == 0


def test_target_exits(spawn):
    """The last report has the names although the process is gone."""
    workload = spawn(Workload, "alloc.fp", "entry_points")
    tracer = spawn(Tracer, "-p", workload.pid)
    truth = workload.run()
    workload.say()
    report = tracer.last()
    assert_lines(report, truth)
    assert_totals(report, truth)
    assert workload.wait() == 0


def test_target_is_killed(spawn):
    workload = spawn(Workload, "alloc.fp", "entry_points")
    tracer = spawn(Tracer, "-p", workload.pid)
    truth = workload.run()
    workload.signal(signal.SIGKILL)
    report = tracer.last()
    assert_lines(report, truth)
    assert_totals(report, truth)


def test_target_is_killed_while_it_works(spawn):
    workload = spawn(Workload, "alloc.fp", "mixed", 10**9)
    tracer = spawn(Tracer, "-p", workload.pid, interval=0.05)
    workload.say()
    for _ in range(5):
        assert tracer.report()
    workload.signal(signal.SIGKILL)
    assert_nothing_lost(tracer.last())


def test_target_execs(spawn):
    """A new program, new books: nothing of the old one's blocks is left."""
    workload = spawn(Workload, "lifecycle.fp", "execs")
    tracer = spawn(Tracer, "-p", workload.pid)
    workload.run()
    workload.say()
    workload.out.expect("ready")
    truth = workload.run()
    report = tracer.stop()
    outstanding = {line: books for line, books in lines_of(report, "lifecycle.c").items()
                   if books.count}
    assert outstanding == lines_of_truth(truth)


def test_target_forks(spawn):
    """What a child does to its copy of the heap is not the parent's."""
    report, truth = trace(spawn, "lifecycle.fp", "forks")
    assert_lines(report, truth)
    assert_totals(report, truth)
    assert_nothing_lost(report)


@pytest.mark.parametrize("end", ["exit", "SIGINT"])
def test_command(spawn, end):
    """`memtracebpf -- COMMAND` sees it from its first allocation to its end."""
    tracer = spawn(Tracer, "--", WORKLOADS / "alloc.fp", "entry_points")
    tracer.out.expect("ready")
    tracer.say()
    truth = json.loads(tracer.out.expect("{\"size\""))
    if end == "exit":
        tracer.say()
    else:
        tracer.signal(signal.SIGINT)
    report = tracer.last()
    assert_lines(report, truth)
    assert_nothing_lost(report)


def test_command_keeps_its_limits(spawn):
    limits = "ulimit -Sn 256; ulimit -Hn 512"
    tracer = spawn(Process, "sh", "-c", f'{limits}; exec "$0" -- sh -c "ulimit -Sn"', MEMTRACEBPF)
    assert tracer.out.next() == "256"
    assert tracer.wait() == 0


def test_deleted_file(spawn, tmp_path):
    program = shutil.copy(WORKLOADS / "alloc.fp", tmp_path)
    workload = spawn(Workload, program, "entry_points")
    os.unlink(program)
    tracer = spawn(Tracer, "-p", workload.pid)
    truth = workload.run()
    assert_lines(tracer.stop(), truth)


def test_container(spawn, tmp_path):
    """Its files exist in its own mount namespace only; there its pid is 1."""
    workload = spawn(Workload, "/usr/bin/unshare", "--mount", "--pid", "--fork", "sh", "-c",
                     'mount -t tmpfs none "$0" && cp "$1" "$0/program" && exec "$0/program" "$2"',
                     tmp_path, WORKLOADS / "alloc.fp", "entry_points")
    child, = pathlib.Path(f"/proc/{workload.pid}/task/{workload.pid}/children").read_text().split()
    tracer = spawn(Tracer, "-p", child)
    truth = workload.run()
    report = tracer.stop()
    assert not any(tmp_path.iterdir())
    assert report["pids"] == [int(child)]
    assert_lines(report, truth)
    assert_totals(report, truth)


def bpf_objects(pid):
    """What the process holds open: {("prog_id", "12"), ("link_id", "3"), ...}"""
    found = set()
    for info in pathlib.Path(f"/proc/{pid}/fdinfo").iterdir():
        try:
            lines = info.read_text().splitlines()
        except FileNotFoundError:
            continue
        found |= {tuple(line.split(":\t")) for line in lines
                  if line.startswith(("prog_id", "link_id", "map_id"))}
    return {(kind, value.strip()) for kind, value in found}


def listed(kind):
    listing = subprocess.run(["bpftool", "--json", kind, "list"], capture_output=True, check=True)
    return {str(item["id"]) for item in json.loads(listing.stdout)}


def test_tracer_is_killed(spawn):
    """The kernel takes everything back; the target does not notice."""
    workload = spawn(Workload, "alloc.fp", "mixed", 300_000)
    tracer = spawn(Tracer, "-p", workload.pid)
    workload.say()
    ours = bpf_objects(tracer.pid)
    assert {kind for kind, _ in ours} >= {"prog_id", "link_id"}
    tracer.signal(signal.SIGKILL)
    assert tracer.wait() == -signal.SIGKILL
    assert workload.truth()["count"] > 0
    # Programs are freed after a grace period of the kernel's, which nothing announces.
    deadline = time.monotonic() + TIMEOUT
    while left := {(kind, id) for kind, id in ours if id in listed(kind.removesuffix("_id"))}:
        assert time.monotonic() < deadline, left
        os.sched_yield()
    workload.say()
    assert workload.wait() == 0


def test_two_tracers_one_after_the_other(spawn):
    """The second one starts with empty books; the first one's blocks are strangers to it."""
    workload = spawn(Workload, "lifecycle.fp", "forks")
    first = spawn(Tracer, "-p", workload.pid)
    truth = workload.run()
    assert_totals(first.stop(), truth)
    second = spawn(Tracer, "-p", workload.pid)
    report = second.stop()
    assert report["traced"] == {"size": 0, "count": 0, "peak_size": 0}
