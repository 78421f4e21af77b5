# SPDX-License-Identifier: GPL-2.0-or-later
"""Programs that go on with another stack before an allocator's function has returned."""

import pathlib

import pytest

from tracing import Process, Tracer, WORKLOADS, Workload, lines_of, lines_of_truth, losses

BOOST = pathlib.Path("/usr/include/boost/context").exists()
WAYS = [(way, order) for way in ("ucontext", "threads", *["boost"] * BOOST)
        for order in ("up", "down")]
BY_TRACEBACK = ["--group-by", "traceback"]
POOL = [*BY_TRACEBACK, "--allocator", f"{WORKLOADS}/fibers.pool:malloc=pool_get,free=pool_put"]


def check(report, truth, way):
    """Every line of the truth, to the byte; beside them there are the threads' own blocks."""
    expected = lines_of_truth(truth)
    lines = lines_of(report, "fibers.cc")
    assert {line: books for line, books in lines.items() if line in expected} == expected
    lost = losses(report)
    if way == "boost":   # the first frame of its stacks is not described
        lost.pop("frames_cut")
    assert lost == {}


def finish(workload):
    """Past the last barrier: the status with which it ends."""
    workload.popen.stdin.close()
    return workload.wait()


@pytest.mark.parametrize("way, order", WAYS)
def test_pool(spawn, way, order):
    """What the pool calls of malloc is part of its call, on whichever stack and thread it goes on;
    what other fibers call meanwhile is their own."""
    workload = spawn(Workload, "fibers.pool", way, order)
    tracer = spawn(Tracer, "-p", workload.pid, *POOL)
    truth = workload.run()
    report = tracer.stop()
    assert finish(workload) == 0
    check(report, truth, way)


@pytest.mark.parametrize("way, order", WAYS)
def test_heap(spawn, way, order):
    """A malloc and an operator new of the program's own, whose std::new_handler switches, too."""
    workload = spawn(Workload, "fibers.heap", way, order)
    tracer = spawn(Tracer, "-p", workload.pid, *BY_TRACEBACK)
    truth = workload.run()
    report = tracer.stop()
    assert finish(workload) == 0
    check(report, truth, way)


@pytest.mark.parametrize("program", ["nops.mcount", "nops.patchable"])
@pytest.mark.parametrize("options", [[], ["--follow-fork"]])
def test_nops(spawn, program, options):
    """A nop that the kernel would replace by a call, which children do not survive."""
    workload = spawn(Workload, program, "children")
    tracer = spawn(Tracer, "-p", workload.pid, *options)
    truth = workload.run()
    report = tracer.stop()
    assert finish(workload) == 0
    assert {k: v for k, v in lines_of(report, "nops.c").items()
            if k in lines_of_truth(truth)} == lines_of_truth(truth)
    assert losses(report) == {}


@pytest.mark.alone
@pytest.mark.parametrize("program", ["fibers.pool", "fibers.heap"])
def test_bystander(spawn, program):
    """Whole machine, no option: the program lives and says what it says untraced."""
    plain = spawn(Process, WORKLOADS / program, "threads", "up")
    plain.popen.stdin.close()
    assert plain.wait() == 0
    spawn(Tracer)
    workload = spawn(Workload, program, "threads", "up")
    workload.popen.stdin.close()
    assert workload.wait() == 0
    assert workload.out.lines == plain.out.lines
