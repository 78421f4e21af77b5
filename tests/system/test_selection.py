# SPDX-License-Identifier: GPL-2.0-or-later
"""What is selected is followed from its first block on; of all else there is nothing."""

import json
import os
import pathlib
import shutil

import pytest

from tracing import (WORKLOADS, Process, Tracer, Workload, assert_lines, assert_nothing_lost, book_of,
                     losses, sum_of)

pytestmark = pytest.mark.alone


def assert_exactly(report, workloads, truths):
    """These processes, each with all of its blocks, and no others."""
    counts = {process["pid"]: process["count"] for process in report["processes"]}
    assert counts == {workload.pid: truth["count"] for workload, truth in zip(workloads, truths)}
    assert_lines(report, sum_of(truths))
    assert_nothing_lost(report)


def test_names(spawn, tmp_path):
    """Before, from the start on, and from a change of the name on; a name is any bytes."""
    strange = "mt \x01\\\"é☺"
    program = shutil.copy(WORKLOADS / "processes.nofp", tmp_path / "mt-name")
    others = [spawn(Workload, "processes.nofp", "hold", 10),
              spawn(Workload, "processes.nofp", "renamed", "mt-namez", 10),
              spawn(Workload, "processes.nofp", "renamed", "mt-nam", 10)]
    workloads = [spawn(Workload, program, "hold", 20),
                 spawn(Workload, "processes.nofp", "renamed", "mt-name", 30),
                 spawn(Workload, "processes.nofp", "renamed", strange, 40)]
    tracer = spawn(Tracer, "--comm", "mt-name", "--comm", strange)
    for other in others:
        other.run()
    truths = [workload.run() for workload in workloads]
    report = tracer.stop()
    assert_exactly(report, workloads, truths)
    assert [book_of(report, workload.pid)["comm"] for workload in workloads] == [
        "mt-name", "mt-name", strange.replace("\x01", "?")]


@pytest.mark.parametrize("selection, says", [
    (["--comm", "mt-none"], "no process is called mt-none; waiting"),
    (["--user", 54399], "no process runs as user 54399; waiting"),
    (["--user", 54399, "--comm", "mt-none"], "no process is selected by all that is asked for; waiting")])
def test_nothing_is_selected(spawn, public, selection, says):
    """Which is said at once, and who comes first."""
    program = shutil.copy(WORKLOADS / "processes.nofp", public)
    tracer = spawn(Tracer, *selection)
    tracer.err.expect(says)
    workload = spawn(Workload, program, "renamed", "mt-none", 20, user=54399)
    workload.run()
    assert tracer.err.expect("the first has come: ").endswith(f" ({workload.pid})")
    assert [process["pid"] for process in tracer.stop()["processes"]] == [workload.pid]


def test_renamed_away(spawn, tmp_path):
    """What was followed stays followed, under its new name, until exec."""
    program = shutil.copy(WORKLOADS / "processes.nofp", tmp_path / "mt-before")
    workload = spawn(Workload, program, "renamed", "mt-after", 30)
    tracer = spawn(Tracer, "--comm", "mt-before")
    truth = workload.run()
    report = tracer.stop()
    book = book_of(report, workload.pid)
    assert (book["comm"], book["count"]) == ("mt-after", truth["count"] + 1)
    assert_nothing_lost(report)


def test_user(spawn, public):
    """Also who becomes that user while it runs."""
    program = shutil.copy(WORKLOADS / "processes.nofp", public)
    others = [spawn(Workload, program, "hold", 10),
              spawn(Workload, program, "hold", 10, user=54322)]
    workloads = [spawn(Workload, program, "hold", 20, user=54321),
                 spawn(Workload, program, "as_user", 54321, 30)]
    tracer = spawn(Tracer, "--user", 54321)
    for other in others:
        other.run()
    truths = [workload.run() for workload in workloads]
    assert_exactly(tracer.stop(), workloads, truths)


def test_all_must_hold(spawn, public):
    """Pids and names and users, in one tracing."""
    program, other = (pathlib.Path(shutil.copy(WORKLOADS / name, public))
                      for name in ("processes.nofp", "processes.musl"))
    others = [spawn(Workload, program, "hold", 10),
              spawn(Workload, program, "hold", 10, user=54321),
              spawn(Workload, other, "hold", 10, user=54321)]
    workload = spawn(Workload, program, "hold", 20, user=54321)
    tracer = spawn(Tracer, "-p", f"{others[0].pid},{others[2].pid},{workload.pid}",
                   "--comm", program.name, "--user", 54321)
    for other in others:
        other.run()
    truth = workload.run()
    assert_exactly(tracer.stop(), [workload], [truth])


# ---- cgroups ----

@pytest.fixture
def cgroup():
    """cgroup(hierarchy, name) makes one, which goes with the test."""
    made = []

    def make(hierarchy, name):
        directory = pathlib.Path("/sys/fs/cgroup", hierarchy, name)
        if not (directory.parent / "cgroup.procs").exists():
            pytest.skip(f"there is no {directory.parent}")
        directory.mkdir()
        made.append(directory)
        return directory

    yield make
    for directory in reversed(made):
        while pids := (directory / "cgroup.procs").read_text().split():
            (directory.parent / "cgroup.procs").write_text(pids[0])
        directory.rmdir()


def in_cgroup(directory):
    """Keyword for a process that is to run there."""
    return {"preexec_fn": lambda: (directory / "cgroup.procs").write_text(str(os.getpid()))}


def two_alike(cgroup):
    """Cgroups of two hierarchies with the same number."""
    pair = [cgroup("pids", "mt-alike"), cgroup("freezer", "mt-alike")]
    while pair[0].stat().st_ino != pair[1].stat().st_ino:
        pair.sort(key=lambda directory: directory.stat().st_ino)
        hierarchy = pair[0].relative_to("/sys/fs/cgroup").parts[0]
        pair[0] = cgroup(hierarchy, pair[0].name + "+")
    return pair


def test_cgroups(spawn, cgroup):
    """Of both versions, with those below them, and who is moved there."""
    outer = cgroup("memory", "mt-outer")
    inner = cgroup("memory", "mt-outer/inner")
    beside = cgroup("memory", "mt-outer2")
    unified = cgroup("unified", "mt-unified")
    one, another = two_alike(cgroup)
    others = [spawn(Workload, "processes.nofp", "hold", 10, **in_cgroup(place))
              for place in (beside, another)]
    workloads = [spawn(Workload, "processes.nofp", "hold", 20 + i, **in_cgroup(place))
                 for i, place in enumerate((outer, inner, unified, one))]
    moved = spawn(Workload, "processes.nofp", "moves", 30)
    tracer = spawn(Tracer, "--cgroup", outer, "--cgroup", "/mt-unified", "--cgroup", one)
    for other in others:
        other.run()
    moved.say()
    moved.out.expect("move")
    (inner / "cgroup.procs").write_text(str(moved.pid))
    workloads.append(moved)
    truths = [workload.run() for workload in workloads]
    report = tracer.stop()
    assert_exactly(report, workloads, truths)
    for workload, path in zip(workloads, ["/mt-outer", "/mt-outer/inner", "/mt-unified"]):
        assert book_of(report, workload.pid)["cgroup"] == path


# ---- children ----

def test_children(spawn, tmp_path):
    """Those of a process, through fork and exec, until the last has ended."""
    program = shutil.copy(WORKLOADS / "quick.nofp", tmp_path / "mt-quick")
    shell = spawn(Process, "sh", "-c", f"read x; for i in 1 2 3 4 5; do ({program}; {program}); done")
    other = spawn(Workload, "processes.nofp", "hold", 10)
    tracer = spawn(Tracer, "-p", shell.pid, "--follow-fork")
    other.run()
    shell.say()
    report = tracer.last()
    # Five subshells begin a child each and become the other program: what they held as shells is
    # forgotten.
    held = {name: report["ended"][name] for name in ("processes", "count", "size")}
    assert held == {"processes": 10, "count": 10 * 40, "size": 10 * sum(range(160, 200))}
    assert report["pids"] == [shell.pid]
    # The shell's own older blocks, and the first ones of the program that nobody has run before.
    assert losses(report).keys() <= {"frees_unmatched", "frames_cut"}


def test_children_that_are_left(spawn):
    """They are not followed, which is said, and what would."""
    shell = spawn(Process, "dash", "-c", "read x; for i in 1 2 3; do (exit 0); done; read x")
    tracer = spawn(Tracer, "-p", shell.pid, interval=0.05)
    assert not tracer.report()["note"]
    shell.say()
    while not (note := tracer.report()["note"]) or not note.startswith("3 "):
        assert not note or note.endswith("followed: --follow-fork")
    assert note == "3 children were not followed: --follow-fork"
    shell.say()


@pytest.mark.parametrize("how", ["pid", "name"])
def test_children_that_are_there_already(spawn, tmp_path, how):
    """Of what is selected, and theirs, but no others; also where /proc lists a child before its parent."""
    shell = shutil.copy(shutil.which("dash"), tmp_path / "mt-shell")
    tree = spawn(Process, shell, "-c", f"dash -c '{WORKLOADS}/processes.nofp hold 20; :'; :")
    tree.out.expect("ready")
    other = spawn(Workload, "processes.nofp", "hold", 10)
    selection = ["-p", tree.pid] if how == "pid" else ["--comm", "mt-shell"]
    tracer = spawn(Tracer, *selection, "--follow-fork")
    other.run()
    tree.say()
    truth = json.loads(tree.out.expect("{"))
    report = tracer.stop()
    assert_lines(report, truth)
    assert other.pid not in [process["pid"] for process in report["processes"]]
    assert_nothing_lost(report)
    other.say()


def test_children_of_a_command(spawn):
    """Tracing ends with the last of them, not with the command."""
    quick = WORKLOADS / "quick.nofp"
    tracer = spawn(Tracer, "--follow-fork", "--leaks-at-exit", "--", "sh", "-c",
                   f"(read x; exec {quick}) <&0 & exit 0")
    tracer.say()
    reports = []
    while report := tracer.report():
        reports.append(report)
    assert tracer.wait() == 0
    leak, = (report for report in reports if report["exited"]
             and report["processes"][0]["comm"] == quick.name)
    assert leak["traced"]["count"] == 40
    assert leak["traced"]["size"] == sum(range(160, 200))
    assert reports[-1]["ended"]["processes"] == 1
