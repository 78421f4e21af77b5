# SPDX-License-Identifier: GPL-2.0-or-later
"""Code made at run time: names from the map that a runtime writes for perf."""

import pathlib
import shutil

import pytest

from tracing import WORKLOADS, Tracer, Workload, functions

PROGRAM = "made.nofp"
BY_TRACEBACK = ("--group-by", "traceback", "--nframe", 8)


@pytest.fixture
def traced(spawn):
    """Starts the workload and its tracer; removes the maps that there may be."""
    maps = []

    def start(*scenario):
        workload = spawn(Workload, PROGRAM, *scenario)
        maps.append(pathlib.Path(f"/tmp/perf-{workload.pid}.map"))
        return workload, spawn(Tracer, "-p", workload.pid, *BY_TRACEBACK, interval=0.1)

    yield start
    for path in maps:
        path.unlink(missing_ok=True)


def callers(report):
    """Of each call of allocate(), from where it came."""
    calls = []
    for stat in report["statistics"]:
        if functions(stat)[0] == "allocate":
            frame = stat["traceback"][1]
            calls += stat["count"] * [(frame["function"] or "", frame["module"])]
    return sorted(calls, key=str)


def test_names_from_the_map(traced):
    """The latest line holds; a name may come after the call; what no whole line names has none."""
    workload, tracer = traced("named")
    path = f"/tmp/perf-{workload.pid}.map"
    workload.run()
    tracer.pass_interval()
    assert callers(tracer.report()) == [("", None), ("", None), ("made (x, y)", path)]
    workload.run()
    assert callers(tracer.stop()) == [("", None), ("later", path), ("made (x, y)", path)]


@pytest.mark.parametrize("whose", ["old", "another"])
def test_map_that_is_not_its_own(traced, whose):
    workload, tracer = traced("foreign", whose)
    workload.run()
    assert callers(tracer.stop()) == [("", None)]


def test_map_in_a_namespace(spawn, tmp_path):
    """Under the number that the process knows itself by, where it sees it."""
    shutil.copy(WORKLOADS / PROGRAM, tmp_path)		# the tree may lie below /tmp
    workload = spawn(Workload, "/usr/bin/unshare", "--pid", "--mount", "--fork", "sh", "-c",
                     'mount --bind "$0" /tmp && exec "$@"', tmp_path, f"/tmp/{PROGRAM}", "named")
    child = pathlib.Path(f"/proc/{workload.pid}/task/{workload.pid}/children").read_text().strip()
    tracer = spawn(Tracer, "-p", child, *BY_TRACEBACK)
    workload.run()
    assert (tmp_path / "perf-1.map").exists()
    assert callers(tracer.stop())[-1] == ("made (x, y)", "/tmp/perf-1.map")
