# SPDX-License-Identifier: GPL-2.0-or-later
"""Whole stacks without frame pointers, frame for frame as gdb sees them."""

import json
import os
import pathlib
import re
import subprocess

import pytest

from tracing import (WORKLOADS, Process, Tracer, Workload, assert_lines, assert_nothing_lost,
                     functions, losses, stacks_of, trace)
from uretprobe import Uretprobe

BY_TRACEBACK = ("--group-by", "traceback", "--nframe", 127)
VARIANTS = ["fp", "nofp", "clang", "lazy", "now", "plt", "no-pie", "static", "static-pie",
            "stripped", "no-eh-frame-hdr", "debug-frame", "musl", "musl-static"]

# The functions of `everything`, from malloc's caller up to the scenario.
EXPECTED = [
    ["bottom", *["recurse"] * 30, "deep"],
    ["bottom", "on_signal", ..., "signalled"],
    ["bottom", "on_trap", ..., "trap_first", "trapped"],
    ["bottom", "on_signal", ..., "alternate"],
    ["bottom", "with_alloca", "shapes"],
    ["bottom", "with_big_frame", "shapes"],
    ["bottom", "with_aligned_frame", "shapes"],
    ["bottom", "with_aligned_alloca", "shapes"],
    ["bottom", "asm_with_frame_pointer", "assembly"],
    ["bottom", "hooked_inner", "hooked_outer", "hooked"],
    ["bottom", "compare", ..., "through_libc"],
]
IN_A_THREAD = ["bottom", *["recurse"] * 5, "in_thread"]


def gdb_stacks(spawn, tmp_path, *command, env=None):
    """{stack: entry point} of every allocation of the command's run."""
    gdb = spawn(Gdb, tmp_path, "--args", *command, env=env)
    return gdb.stacks()


def gdb_stacks_of_workload(spawn, tmp_path, program, *scenario):
    """The same for what a workload does after its barrier."""
    workload = spawn(Workload, program, *scenario)
    gdb = spawn(Gdb, tmp_path, "-p", workload.pid)
    gdb.out.expect("armed")
    workload.run()
    workload.say()
    return gdb.stacks()


class Gdb(Process):
    def __init__(self, tmp_path, *arguments, env=None):
        self.file = tmp_path / "stacks"
        script = pathlib.Path(__file__).with_name("gdb_stacks.py")
        super().__init__("gdb", "-nx", "-batch", "-x", script, *arguments,
                         stdin=subprocess.DEVNULL,
                         env=dict(env or os.environ, STACKS=str(self.file)))

    def stacks(self):
        self.wait()
        stacks = {}
        for line in self.file.read_text().splitlines():
            entry, stack = json.loads(line)
            stacks[tuple(tuple(frame) for frame in stack)] = entry
        assert stacks, self.out.lines + self.err.lines
        return stacks


def follows(names, pattern):
    """The names start as the pattern says; `...` stands for any number of them."""
    text = "".join(f"<{name}>" for name in names)
    regex = "".join("(<[^>]*>)*?" if word is ... else f"<{re.escape(word)}>" for word in pattern)
    return re.match(regex, text) is not None


def is_same(ours, theirs):
    """Offset 0 is where several stacks of equal lines were put together."""
    return len(ours) == len(theirs) and all(
        a == b or a == (b[0], 0) for a, b in zip(ours, theirs))


def unlike_gdb(report, expected):
    """Our stacks that gdb does not have."""
    return [stack for stack in stacks_of(report)
            if stack not in expected and not any(is_same(stack, other) for other in expected)]


def assert_equal_to_gdb(report, expected):
    """Every stack of ours is one of gdb's, and none of gdb's is missing."""
    assert unlike_gdb(report, expected) == []
    # realloc is seen by gdb also where it only frees or fails.
    missing = [stack for stack, entry in expected.items() if entry != "realloc"
               and not any(is_same(ours, stack) for ours in stacks_of(report))]
    assert missing == []


@pytest.mark.parametrize("variant", ["nofp", "clang", "plt"])
def test_like_gdb(spawn, tmp_path, variant):
    program = f"stacks.{variant}"
    report, _ = trace(spawn, program, "everything", options=BY_TRACEBACK)
    assert_nothing_lost(report)
    assert_equal_to_gdb(report, gdb_stacks_of_workload(spawn, tmp_path, program, "everything"))


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_kind_of_file(spawn, variant):
    """Every stack by name down to main, and to the bottom below that."""
    report, truth = trace(spawn, f"stacks.{variant}", "everything", options=BY_TRACEBACK)
    assert_nothing_lost(report)
    own = [s for s in report["statistics"] if f"stacks.{variant}" in s["traceback"][0]["module"]]
    if variant != "stripped":
        own = [s for s in own if functions(s)[0] == "bottom"]
        names = [functions(s) for s in own]
        for expected in [*(e + ["everything", "main"] for e in EXPECTED), IN_A_THREAD]:
            assert any(follows(n, expected) for n in names), (expected, names)
    assert sum(s["count"] for s in own) == truth["count"]
    assert sum(s["size"] for s in own) == truth["size"]


@pytest.mark.parametrize("variant", ["nofp", "musl", "static"])
def test_signal_in_the_vdso(spawn, variant):
    report, _ = trace(spawn, f"stacks.{variant}", "in_vdso", options=BY_TRACEBACK)
    stat, = report["statistics"]
    assert follows(functions(stat), ["bottom", "on_tick", ..., "in_vdso", "main"])
    assert "[vdso]" in {frame["module"] for frame in stat["traceback"]}
    assert_nothing_lost(report)


@pytest.mark.parametrize("depth", [30, 126, 127, 200])
def test_depth(spawn, tmp_path, depth):
    """127 frames and not one more; what is cut is said."""
    report, truth = trace(spawn, "stacks.nofp", "deep", depth, options=BY_TRACEBACK)
    stat, = report["statistics"]
    assert_equal_to_gdb(report, gdb_stacks_of_workload(
        spawn, tmp_path, "stacks.nofp", "deep", depth))
    whole = len(["bottom", *["recurse"] * depth, "deep", "main", "__libc_start_call_main",
                 "__libc_start_main", "_start"])
    frames = [f for f in stat["traceback"] if not f["inlined"]]
    assert len(frames) == min(whole, 127)
    assert stat["stopped"] == ("depth" if whole > 127 else None)
    assert report["lost"]["frames_cut"] == (1 if whole > 127 else 0)


@pytest.mark.parametrize("variant", ["nofp", "musl", "static"])
def test_assembly_without_unwind_information(spawn, variant):
    """Its code tells how far it moved the stack pointer."""
    report, _ = trace(spawn, f"stacks.{variant}", "frameless_assembly", options=BY_TRACEBACK)
    stat, = report["statistics"]
    assert follows(functions(stat), ["bottom", "asm_without_frame_pointer", "frameless_assembly",
                                     "main"])
    assert_nothing_lost(report)


def test_assembly_that_tells_nothing(spawn):
    """Nobody can walk it: the frames up to it are right, and the rest is not made up."""
    report, _ = trace(spawn, "stacks.nofp", "blind_assembly", options=BY_TRACEBACK)
    stat, = report["statistics"]
    assert functions(stat) == ["bottom", "asm_blind"]
    assert stat["stopped"]
    assert report["lost"]["frames_cut"] == 1


def symbol_offset(path, name):
    """File offset of a function."""
    symbols = subprocess.run(["nm", "--defined-only", path], capture_output=True, text=True,
                             check=True).stdout
    address = next(int(line.split()[0], 16) for line in symbols.splitlines()
                   if line.split()[-1] == name)
    headers = subprocess.run(["readelf", "-lW", path], capture_output=True, text=True,
                             check=True).stdout
    for line in headers.splitlines():
        words = line.split()
        if words and words[0] == "LOAD":
            offset, start, _, size = (int(word, 16) for word in words[1:5])
            if start <= address < start + size:
                return address - start + offset
    raise AssertionError(f"{name} lies in no segment of {path}")


def test_return_probe_of_someone_else(spawn):
    """The kernel's trampoline stands where the return address was: see through it."""
    program = WORKLOADS / "stacks.nofp"
    workload = spawn(Workload, "stacks.nofp", "hooked")
    with Uretprobe(program, symbol_offset(program, "hooked_outer"), workload.pid), \
            Uretprobe(program, symbol_offset(program, "hooked_inner"), workload.pid):
        tracer = spawn(Tracer, "-p", workload.pid, *BY_TRACEBACK)
        workload.run()
        report = tracer.stop()
    stat, = report["statistics"]
    assert follows(functions(stat), ["bottom", "hooked_inner", "hooked_outer", "hooked", "main"])
    assert_nothing_lost(report)


# ---- libraries that come and go ----

def assert_only_linking_is_cut(report):
    """The dynamic linker's own allocations come while the mappings change."""
    assert set(losses(report)) <= {"frames_cut", "frees_unmatched"}
    assert report["lost"]["frames_cut"] == report["lost"]["frames_cut_by"]["maps_changed"]


@pytest.mark.parametrize("program", ["loader.nofp", "loader.fp"])
def test_library_that_comes_late(spawn, program):
    workload = spawn(Workload, program, "late", WORKLOADS / "plugin1.so")
    tracer = spawn(Tracer, "-p", workload.pid, *BY_TRACEBACK, interval=0.1)
    workload.say()
    workload.out.expect("loaded")
    tracer.pass_interval()
    truth = workload.run()
    report = tracer.stop()
    assert_lines(report, truth)
    stat, = [s for s in report["statistics"] if "plugin_allocate" in functions(s)[:1]]
    assert follows(functions(stat), ["plugin_allocate", "call", "late", "main"])
    assert_only_linking_is_cut(report)


def test_library_that_is_used_at_once(spawn):
    """Whole, or cut and marked: never wrong."""
    workload = spawn(Workload, "loader.nofp", "at_once", WORKLOADS / "plugin2.so")
    tracer = spawn(Tracer, "-p", workload.pid, *BY_TRACEBACK)
    truth = workload.run()
    report = tracer.stop()
    assert report["traced"]["size"] >= truth["size"]
    whole = ["plugin_allocate", "call", "at_once", "main"]
    stat, = [s for s in report["statistics"] if s["size"] == 202]
    names = functions(stat)
    if not follows(names, whole):
        assert names == whole[:len(names)]
        assert stat["stopped"]
        assert report["lost"]["frames_cut"] > 0


def test_library_at_other_addresses(spawn):
    """One goes, another takes its place, the first comes back elsewhere."""
    workload = spawn(Workload, "loader.nofp", "swapped", WORKLOADS / "plugin1.so",
                     WORKLOADS / "plugin2.so")
    tracer = spawn(Tracer, "-p", workload.pid, *BY_TRACEBACK, interval=0.1)
    workload.say()
    for _ in range(3):
        workload.out.expect("loaded")
        tracer.pass_interval()
        workload.say()
    assert workload.truth()["count"] == 3
    assert "addresses are not as planned" not in workload.out.lines
    report = tracer.stop()
    plugin = [s for s in report["statistics"] if functions(s)[0] == "plugin_allocate"]
    assert sorted(s["size"] // s["count"] for s in plugin) in ([101, 202], [101, 101, 202])
    for stat in plugin:
        assert follows(functions(stat), ["plugin_allocate", "call", "swapped", "main"])
    assert_only_linking_is_cut(report)


# ---- programs as Debian ships them ----

SQL = ("create table t(a, b); with recursive n(i) as (select 1 union all select i + 1 from n "
       "where i < 40) insert into t select i, 'text ' || i from n; "
       "select count(*), max(b) from t group by a % 7;")


@pytest.mark.parametrize("command", [
    ["sqlite3", ":memory:", SQL],
    ["/usr/bin/python3", "-S", "-c", "print(len(str([{}, 1.5])))"],
    ["/bin/ls", "-la", "/usr"],
], ids=["sqlite3", "python3", "ls"])
def test_programs_like_gdb(spawn, tmp_path, command):
    """Nothing that these libraries contain may be walked otherwise than gdb does it."""
    env = dict(os.environ, PYTHONHASHSEED="0", LC_ALL="C.UTF-8")
    tracer = spawn(Tracer, *BY_TRACEBACK, "--", *command, stdin=subprocess.DEVNULL, env=env)
    report = tracer.last()
    expected = gdb_stacks(spawn, tmp_path, *command, env=env)
    ours = stacks_of(report)
    differing = unlike_gdb(report, expected)
    calls = sum(stat["alloc_count"] for stat in ours.values())
    wrong = sum(ours[stack]["alloc_count"] for stack in differing)
    assert wrong <= calls / 1000, f"{wrong} of {calls} calls, for one {differing[:1]}"
    assert report["lost"]["frames_cut"] <= calls / 1000
