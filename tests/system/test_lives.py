# SPDX-License-Identifier: GPL-2.0-or-later
"""Whose blocks they are: children, tasks that share memory, threads, programs that come after."""

import json

import pytest

from tracing import (WORKLOADS, Tracer, Workload, assert_lines, assert_nothing_lost, book_of,
                     lines_of, losses, own_copy, sum_of)

pytestmark = pytest.mark.alone


@pytest.mark.parametrize("variant", ["nofp", "musl", "static"])
def test_families(spawn, tmp_path, variant):
    """All of them in one tracing, each with books of its own."""
    program = own_copy(f"processes.{variant}", tmp_path)
    scenarios = {"inherits": [20], "generations": [60], "clones": [], "vforks": [],
                 "leaderless": [], "many_threads": [10_000]}
    workloads = {name: spawn(Workload, program, name, *arguments)
                 for name, arguments in scenarios.items()}
    tracer = spawn(Tracer, "--comm", program.name)
    truths = {name: workload.run() for name, workload in workloads.items()}
    report = tracer.stop()
    assert_lines(report, sum_of(truths.values()))
    assert_nothing_lost(report)
    # Children of fork: ten blocks each of 20, one, two, ... of 60.
    assert report["ended"] == {"processes": 80, "alloc_count": 200 + 1830, "count": 200 + 1830,
                               "alloc_size": 20 * 29000 + 1830 * 500,
                               "size": 20 * 29000 + 1830 * 500}
    # 60 freed and one reallocated, which is no loss.
    assert report["frees_inherited"] == 20 * 61
    # Their children never had books of their own: they shared their parents'.
    for name in "inherits", "clones", "vforks":
        book = book_of(report, workloads[name].pid)
        assert (book["size"], book["count"]) == (truths[name]["size"], truths[name]["count"])
        assert book["comm"] == program.name


@pytest.mark.parametrize("scenario", ["clones", "vforks"])
@pytest.mark.parametrize("launched", [False, True], ids=["attached", "launched"])
def test_shared_memory_with_follow_fork(spawn, scenario, launched):
    """Without, links are filtered by process, and such children are other ones."""
    if launched:
        workload = tracer = spawn(Tracer, "--follow-fork", "--",
                                  WORKLOADS / "processes.nofp", scenario)
        tracer.out.expect("ready")
    else:
        workload = spawn(Workload, "processes.nofp", scenario)
        tracer = spawn(Tracer, "-p", workload.pid, "--follow-fork")
    workload.say()
    truth = json.loads(workload.out.expect('{"size"'))
    report = tracer.stop()
    assert_lines(report, truth)
    assert_nothing_lost(report)


@pytest.mark.parametrize("options", [[], ["--follow-fork"]], ids=["named", "with-children"])
@pytest.mark.parametrize("program", ["processes.nofp", "processes.static"])
def test_first_thread_has_ended(spawn, tmp_path, program, options):
    """/proc shows nothing of it any more; in a file that nobody else has mapped, the probes come too."""
    program = own_copy(program, tmp_path)
    workload = spawn(Workload, program, "leaderless", "waits")
    workload.say()
    workload.out.expect("alone")
    tracer = spawn(Tracer, "-p", workload.pid, *options)
    truth = workload.run()
    report = tracer.stop()
    assert_lines(report, truth)
    assert_nothing_lost(report)
    assert book_of(report, workload.pid)["comm"] == program.name


def test_first_thread_ends(spawn, tmp_path):
    """The process lives on, and ends with its last thread."""
    program = own_copy("processes.nofp", tmp_path)
    workload = spawn(Workload, program, "leaderless")
    tracer = spawn(Tracer, "--comm", program.name, interval=0.05)
    truth = workload.run()
    tracer.pass_interval()
    report = tracer.report()
    assert_lines(report, truth)
    assert report["ended"]["processes"] == 0
    workload.say()
    assert workload.wait() == 0
    tracer.pass_interval()
    report = tracer.stop()
    assert report["ended"]["processes"] == 1
    assert report["processes"] == []
    assert_nothing_lost(report)


def test_exec_forgets(spawn, tmp_path):
    """The books are the last image's. Those in between have none, and make it likely that the last
    one gets the memory descriptor of the first."""
    before = own_copy("processes.nofp", tmp_path, "be")
    after = own_copy("alloc.fp", tmp_path, "af")
    tracer = spawn(Tracer, "--comm", before.name, "--comm", after.name)
    truths = []
    for between in range(1, 8):
        workload = spawn(Workload, before, "hold", 30,
                         *[WORKLOADS / "become.musl-static"] * between, after, "entry_points")
        workload.run()
        workload.say()
        workload.out.expect("ready")
        truths.append(workload.run())
    report = tracer.stop()
    assert_lines(report, sum_of(truths))
    # The new program's first blocks may have come before its file could be read.
    assert losses(report).keys() <= {"frames_cut"}
    assert report["ended"] == {"processes": 0, "alloc_count": 7 * 31, "count": 0, "size": 0,
                               "alloc_size": 7 * (1 + sum(range(1000, 1030)))}
    assert lines_of(report, "processes.c") == {}
