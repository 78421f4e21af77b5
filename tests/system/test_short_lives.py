# SPDX-License-Identifier: GPL-2.0-or-later
"""Processes that have ended: what they held, by line; thousands of them; numbers that come again."""

import os
import signal
import subprocess

import pytest

from tracing import (MEMTRACEBPF, WORKLOADS, Process, Tracer, Workload, assert_lines,
                     assert_nothing_lost, losses, own_copy)

pytestmark = pytest.mark.alone

QUICK_HELD = {"count": 40, "size": sum(range(160, 200))}
QUICK = {"alloc_count": 100, "alloc_size": sum(range(100, 200)), **QUICK_HELD}


def times(n, books):
    return {"processes": n, **{name: n * value for name, value in books.items()}}


def exited(reports, pid):
    report, = (report for report in reports if report["exited"] and report["pids"] == [pid])
    return report


def all_reports(tracer):
    reports = []
    while report := tracer.report():
        reports.append(report)
    assert tracer.wait() == 0, tracer.err.lines
    return reports


@pytest.mark.parametrize("selection", ["pid", "name"])
def test_leaks_at_exit(spawn, selection):
    """What it still held, by line, when it is gone; killed or not."""
    workloads = [spawn(Workload, "alloc.fp", "mixed", 2000 + i) for i in range(3)]
    pids = ",".join(str(workload.pid) for workload in workloads)
    tracer = spawn(Tracer, "--leaks-at-exit", *(["-p", pids] if selection == "pid" else
                                               ["-p", pids, "--comm", "alloc.fp"]))
    truths = [workload.run() for workload in workloads]
    workloads[0].signal(signal.SIGKILL)
    workloads[1].say()
    workloads[2].say()
    reports = []
    while len(reports) < 3:
        reports.append(tracer.report())
    reports += all_reports(tracer) if selection == "pid" else [tracer.stop()]
    for workload, truth in zip(workloads, truths):
        report = exited(reports, workload.pid)
        assert_lines(report, truth)
        assert_nothing_lost(report)
        assert report["traced"]["size"] == truth["size"]
        assert report["processes"][0]["comm"] == "alloc.fp"
        assert report["processes"][0]["cgroup"] is not None
    assert not reports[-1]["exited"]


def test_leaks_at_exit_as_text(spawn):
    workload = spawn(Workload, "processes.nofp", "hold", 20)
    tracer = spawn(Process, MEMTRACEBPF, "-p", workload.pid, "--leaks-at-exit")
    tracer.err.expect("tracing ")
    workload.run()
    workload.say()
    head = tracer.out.find("has ended")
    assert "processes.nofp" in head and str(workload.pid) in head
    line = tracer.out.find("processes.c:")
    assert "count=20" in line
    assert tracer.wait() == 0


def own_memory(report):
    return report["own_memory"]["rss"] + report["own_memory"]["kernel"]


@pytest.mark.parametrize("variant", ["nofp", "musl-static"])
def test_thousands(spawn, tmp_path, variant):
    """Each one exactly, and no room for them is kept."""
    program = own_copy(f"quick.{variant}", tmp_path)
    true = tmp_path / f"true{os.getpid()}"
    true.symlink_to("/bin/true")
    spawn(Process, program, "wait")     # so that there is a file to attach to
    spawners = [spawn(Workload, "processes.nofp", "spawns", 4, 500, program)
                for program in (program, true)]
    tracer = spawn(Tracer, "--comm", program.name, "--comm", true.name, interval=0.1)
    memory = []
    for _ in range(4):
        for spawner in spawners:
            spawner.say()
        for spawner in spawners:
            spawner.out.expect("round")
        tracer.pass_interval()
        memory.append(own_memory(tracer.report()))
    report = tracer.stop()
    assert report["processes"] == []
    assert losses(report).keys() <= {"frames_cut"}
    # true allocates nothing; a static program without an allocator has no books at all.
    assert report["ended"] == {**times(2000, QUICK), "processes": 4000}
    assert max(memory[1:]) <= memory[0] * 1.02


def test_reused_pids(spawn, tmp_path):
    """One number for all, one after the other, every other one through exec."""
    program = own_copy("processes.nofp", tmp_path)
    quick = own_copy("quick.nofp", tmp_path, "quick")
    workload = spawn(Workload, "/usr/bin/unshare", "--pid", "--fork", "--mount-proc",
                     program, "reuses", 100, 300, quick)
    tracer = spawn(Tracer, "--comm", program.name, "--comm", quick.name, "--leaks-at-exit")
    workload.run()
    reports = [tracer.report() for _ in range(100)]
    report = tracer.stop()
    # The first stacks of a program that nobody has run before.
    assert losses(report).keys() <= {"frames_cut"}
    # What those that became another program had held is forgotten.
    held = sorted(report["traced"]["count"] for report in reports)
    assert held == sorted([i + 1 for i in range(0, 100, 2)] + [40] * 50)
    assert report["ended"]["processes"] == 100
    assert report["ended"]["alloc_count"] == sum(range(1, 101)) + 50 * 100


@pytest.mark.soak
def test_more_processes_than_books(spawn, tmp_path):
    """Those that found none are followed once others have ended."""
    program = own_copy("processes.nofp", tmp_path)
    workload = spawn(Workload, program, "crowd", 8200)
    tracer = spawn(Tracer, "--comm", program.name, interval=1, top=1)
    workload.say()
    workload.out.expect("full")
    tracer.pass_interval()
    assert len(tracer.report()["processes"]) == 8191
    workload.say()
    workload.out.expect("gone")
    tracer.pass_interval()
    truth = workload.run()
    report = tracer.stop()
    assert report["lost"]["by_reason"]["processes"] == 8200 + 1 - 8191
    assert_lines(report, truth)


DEEP = r"""
#include <stdlib.h>
__attribute__((noinline)) void *deep(int n) { void *p = n ? deep(n - 1) : malloc(100); __asm__(""); return p; }
int main(void) { for (int i = 0; i < 50; i++) deep(1000); return 0; }
"""


def test_losses_stay_in_the_sums(spawn, tmp_path):
    """Stacks of processes that have ended were cut as well: deeper than can be, if not for more."""
    program = tmp_path / "deep"
    subprocess.run(["gcc", "-O1", "-xc", "-", "-o", program], input=DEEP, text=True, check=True)
    tracer = spawn(Tracer, "--follow-fork", "--nframe", 127, "--", "sh", "-c",
                   f"{program}; {program}; true")
    report = tracer.last()
    assert report["ended"]["count"] == 100
    assert report["lost"]["frames_cut"] == 100
