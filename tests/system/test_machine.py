# SPDX-License-Identifier: GPL-2.0-or-later
"""The whole machine: whoever runs, whatever else runs beside."""

import os
import pathlib
import re
import subprocess
import time

import pytest

from tracing import (MEMTRACEBPF, WORKLOADS, Process, Tracer, Workload, book_of, lines_of,
                     losses, lines_of_truth, own_copy, sum_of)

pytestmark = pytest.mark.alone


def without_build_id(program, directory, name):
    """A copy that is not the same file as those which others run at the same time."""
    copy = directory / f"{name}{os.getpid()}"
    subprocess.run(["objcopy", "--remove-section", ".note.gnu.build-id", WORKLOADS / program, copy],
                   check=True)
    return copy


def lost(report):
    """What has been lost for certain: other frees are of blocks that were there before us."""
    return {name: n for name, n in losses(report).items()
            if name not in ("frees_unmatched", "frames_cut")}


def of_processes(report, workloads):
    """The report, of what is in these processes alone."""
    pids = {workload.pid for workload in workloads}
    return {**report, "statistics": [stat for stat in report["statistics"]
                                     if stat["pids"] and set(stat["pids"]) <= pids]}


def cgroup_of(pid):
    return [line.split(":", 2)[2] for line in
            pathlib.Path(f"/proc/{pid}/cgroup").read_text().splitlines()]


def test_all_processes(spawn, tmp_path):
    """Those that are there and those that come; others allocate at the same time."""
    programs = [without_build_id(program, tmp_path, name) for program, name in
                (("alloc.fp", "a"), ("alloc.musl", "m"), ("processes.nofp", "p"))]
    scenarios = [("mixed", 20000), ("mixed", 10000), ("hold", 300)]
    script = "d = {}\nfor i in range(10**9): d[i % 1000] = [0] * (i % 100)"
    spawn(Process, "/usr/bin/python3", "-c", script)
    spawn(Process, "/usr/bin/sqlite3", ":memory:",
          "WITH RECURSIVE t(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM t) "
          "SELECT count(DISTINCT x % 1000 || 'x') FROM t")
    workloads = [spawn(Workload, program, *scenario)
                 for program, scenario in zip(programs, scenarios)]
    tracer = spawn(Tracer, interval=0.5)
    began = time.monotonic()
    workloads += [spawn(Workload, program, *scenario)
                  for program, scenario in zip(programs, scenarios)]
    tracer.pass_interval()
    truths = [workload.run() for workload in workloads]
    tracer.pass_interval()
    report = tracer.report()
    watched = (time.monotonic() - began) * 1000
    assert lost(report) == {}
    for workload, truth in zip(workloads, truths):
        book = book_of(report, workload.pid)
        assert (book["size"], book["count"]) == (truth["size"], truth["count"])
        assert book["comm"] == os.path.basename(workload.command[0])
        assert book["cgroup"] in cgroup_of(workload.pid)
        assert 0 <= book["since_ms"] <= watched + 1000
    for i in range(3):
        both = [workloads[i], workloads[i + 3]]
        expected = lines_of_truth(sum_of([truths[i], truths[i + 3]]))
        of_both = of_processes(report, both)
        files = {file for file, _ in expected}
        assert lines_of(of_both, *files) == expected
    assert {"python3", "sqlite3"} <= {process["comm"] for process in report["processes"]}


def test_busy_machine(spawn):
    """Tables grow in time where all CPUs are busy, and the report has whatever came before it."""
    for _ in range(2 * os.cpu_count()):
        spawn(Process, "/bin/sh", "-c", "while :; do :; done")
    workload = spawn(Workload, "stacks.nofp", "tree", 17)
    tracer = spawn(Tracer, "-p", workload.pid, "--max-stacks", 200_000)
    truth = workload.run()
    report = tracer.stop()
    assert losses(report) == {}
    assert lines_of(report, "stacks.c") == lines_of_truth(truth)


def test_met_while_it_allocates(spawn, tmp_path):
    """Of programs that free all, nothing is missed because they are attached to probe by probe."""
    programs = [without_build_id("alloc.musl-static", tmp_path, f"c{i}-") for i in range(4)]
    tracer = spawn(Tracer, *(word for program in programs for word in ("--comm", program.name)),
                   interval=0.1)
    for program in programs:
        workload = spawn(Process, program, "churn")
        workload.say()      # past the barrier at once
        while workload.pid not in {book["pid"] for book in tracer.report()["processes"]}:
            pass
        workload.say()
        workload.out.expect("churned")
        workload.end()
    report = tracer.stop()
    assert report["ended"]["processes"] == len(programs) and report["ended"]["count"] == 0
    lost = losses(report)
    assert lost.keys() <= {"frees_unmatched", "frames_cut"}
    # Ways up are cut until the file's rows are there.
    assert lost.get("frames_cut", 0) == report["lost"]["frames_cut_by"]["maps_changed"]


def test_500_processes(spawn, tmp_path):
    """At one time, each with books of its own."""
    program = own_copy("processes.musl", tmp_path)
    workloads = [spawn(Workload, program, "hold", 1 + i) for i in range(500)]
    tracer = spawn(Tracer, "--comm", program.name)
    truths = [workload.run() for workload in workloads]
    report = tracer.stop()
    counts = {process["pid"]: process["count"] for process in report["processes"]}
    assert counts == {workload.pid: truth["count"] for workload, truth in zip(workloads, truths)}
    assert lines_of(report, "processes.c") == lines_of_truth(sum_of(truths))
    assert losses(report) == {}


class TextTracer(Process):
    """The text, whose table by process has no growth of the count: it is told from the one before."""

    def __init__(self, *arguments):
        super().__init__(MEMTRACEBPF, *arguments)
        self.err.expect("tracing ")
        self.out.expect("Total: ")
        self.count = 0

    def next_row(self, pid):
        """(size, count, growth of both) of the process in the next report; None: it is not there."""
        while not re.fullmatch(" *PID COMMAND +SIZE +GROWTH +COUNT.*", self.out.next()):
            pass
        while (row := self.out.next()):     # an empty line ends the table
            if row.split()[0] == str(pid):
                size, growth, count = map(int, re.fullmatch(
                    r" *\d+ \S+ +(\d+) B +([+-]\d+) B +(\d+)\b.*", row).groups())
                before, self.count = self.count, count
                return size, count, growth, count - before
        return None


class JsonTracer(Tracer):
    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.report()

    def next_row(self, pid):
        for book in self.report()["processes"]:
            if book["pid"] == pid:
                return book["size"], book["count"], book["size_diff"], book["count_diff"]
        return None


@pytest.mark.parametrize("kind", [JsonTracer, TextTracer])
def test_growth_of_a_process(spawn, tmp_path, kind):
    """What each report says since the last adds up to the workload's own steps."""
    program = own_copy("snapshots.nofp", tmp_path)
    workload = spawn(Workload, program, "peaks")
    tracer = spawn(kind, "--comm", program.name, "--interval", 0.1)  # and the first report
    size = count = 0
    for _ in range(6):
        truth = workload.run()
        expected = (truth["size"] - size, truth["count"] - count)
        grown = more = 0
        while (size, count) != (truth["size"], truth["count"]):
            if row := tracer.next_row(workload.pid):
                size, count, size_diff, count_diff = row
                grown += size_diff
                more += count_diff
        assert (grown, more) == expected
    assert tracer.next_row(workload.pid) == (size, count, 0, 0)


def test_two_tracers(spawn, tmp_path):
    """Each follows all processes, the other one too; and one more comes after the first was killed."""
    program = own_copy("alloc.fp", tmp_path)
    workload = spawn(Workload, program, "mixed", 5000)
    first = spawn(Tracer)
    second = spawn(Tracer)
    third = spawn(Tracer, "--comm", program.name)
    first.signal(9)
    truth = workload.run()
    fourth = spawn(Tracer)
    for tracer in second, third:
        book = book_of(tracer.stop(), workload.pid)
        assert (book["size"], book["count"]) == (truth["size"], truth["count"])
    assert fourth.stop() is not None


def test_hungry_neighbour(spawn, tmp_path):
    """Who takes all room for stacks does not change what others' books say."""
    hungry = own_copy("alloc.fp", tmp_path, "h")
    modest = own_copy("processes.nofp", tmp_path, "m")
    tables = ("--max-stacks", 500, "--max-blocks", 20000)
    before = spawn(Workload, modest, "hold", 200)
    after = spawn(Workload, modest, "hold", 100)
    workload = spawn(Workload, hungry, "paths", 100_000)
    tracer = spawn(Tracer, "--comm", hungry.name, "--comm", modest.name, *tables)
    held = before.run()
    workload.say()
    workload.out.find(",")
    after.run()
    report = tracer.stop()
    book = book_of(report, before.pid)
    assert (book["size"], book["count"]) == (held["size"], held["count"])
    assert report["lost"]["blocks"] > 0 and report["lost"]["frames_cut_by"]["stacks_full"] > 0
    assert lines_of(report, "processes.c").popitem()[1].count >= 200
