# SPDX-License-Identifier: GPL-2.0-or-later
"""
The first entry is the line that asked for the memory. Each source says itself which line holds
what: "N blocks", or "N blocks of M bytes", behind it.
"""

import os
import re
import subprocess

import pytest

from tracing import ROOT, TIMEOUT, Tracer, needs

SOURCES = ROOT / "tests/workloads/lines"


def truth_of(source):
    """{line: (blocks, bytes or None)}"""
    found = {}
    for number, line in enumerate(source.read_text().splitlines(), 1):
        if match := re.search(r"(\d+) blocks(?: of (\d+) bytes)?\b", line):
            count = int(match[1])
            found[number] = count, match[2] and count * int(match[2])
    return found


def build(compiler, source, output):
    needs(compiler.split()[0])
    subprocess.run([*compiler.split(), "-o", output, SOURCES / source], check=True, timeout=TIMEOUT)


def tracer_of(spawn, *command, options=()):
    return spawn(Tracer, "--leaks-at-exit", *options, "--", *command)


def held_at_exit(spawn, *command, options=()):
    return tracer_of(spawn, *command, options=options).report()


def lines(report, file):
    """{line: (blocks, bytes)} of the entries for the file."""
    entries = [(stat["traceback"][0], stat) for stat in report["statistics"]]
    return {frame["line"]: (stat["count"], stat["size"]) for frame, stat in entries
            if frame["file"] and frame["file"].endswith("/" + file)}


def assert_truth(report, source):
    found, truth = lines(report, source), truth_of(SOURCES / source)
    assert found.keys() == truth.keys()
    for line, (count, size) in truth.items():
        assert found[line][0] == count
        assert size is None or found[line][1] == size


@pytest.mark.parametrize("options", ["-O -C debuginfo=1 -C lto=thin", "-C opt-level=1 -g"])
def test_rust(spawn, tmp_path, options):
    program = tmp_path / "program"
    build("rustc " + options, "lto.rs", program)
    assert_truth(held_at_exit(spawn, program), "lto.rs")


@pytest.mark.parametrize("compiler", ["clang++ -O2 -g1", "g++ -O2 -g"])
def test_cxx_library(spawn, tmp_path, compiler):
    program = tmp_path / "program"
    build(compiler, "inlines.cc", program)
    assert_truth(held_at_exit(spawn, program), "inlines.cc")


@pytest.mark.parametrize("options", [
    "gcc -fuse-ld=bfd", "gcc -fuse-ld=gold", "clang -gdwarf-4 -fuse-ld=lld",
])
def test_dropped_functions(spawn, tmp_path, options):
    if "lld" in options:
        needs("ld.lld")
    program = tmp_path / "program"
    build(options + " -g -O1 -ffunction-sections -Wl,--gc-sections", "dropped.c", program)
    assert_truth(held_at_exit(spawn, program), "dropped.c")


def test_split_dwarf(spawn, tmp_path):
    """What is in .dwo files, which a target may make a FIFO, is not read; and not made up."""
    program = tmp_path / "program"
    build("g++ -O2 -g -gsplit-dwarf -dumpdir " + str(tmp_path) + "/", "inlines.cc", program)
    dwo, = tmp_path.glob("*.dwo")
    dwo.unlink()
    os.mkfifo(dwo)
    tracer = tracer_of(spawn, program, options=["-g", "traceback"])
    frames = [frame for stat in tracer.report()["statistics"] for frame in stat["traceback"]
              if frame["module"] == str(program)]
    names = {frame["function"]: frame for frame in frames}
    assert {"add(int)", "main"} <= names.keys()
    for frame in frames:
        assert not (frame["function"] and frame["line"]), frame
    assert {15, 17} <= {frame["line"] for frame in frames}
    tracer.err.find(r"\.dwo files")


def test_debug_file_of_another_build(spawn, tmp_path):
    program, debug = tmp_path / "program", tmp_path / "program.debug"
    build("gcc -g -Wl,--build-id=none", "dropped.c", program)
    subprocess.run(["objcopy", "--only-keep-debug", program, debug], check=True)
    subprocess.run(["objcopy", "--strip-debug", "--add-gnu-debuglink", debug, program], check=True)
    build("gcc -g -O2 -Wl,--build-id=none", "dropped.c", debug)
    tracer = tracer_of(spawn, program)
    stat, = tracer.report()["statistics"]
    assert stat["traceback"][0]["function"] == "leak" and not stat["traceback"][0]["line"]
    tracer.err.find("another build")


GAP = "<frames may be missing here>"


@pytest.mark.parametrize("define,expected", [
    ("KEEPS_IT", ["asm_alloc", GAP, "bystander", "main"]),
    ("NEIGHBOUR", ["inner", GAP, "culprit", "bystander"]),
    ("WITH_FRAME", ["asm_alloc", "culprit", "bystander", "main"]),
])
def test_frame_pointer_of_a_caller(spawn, tmp_path, define, expected):
    """A frame that may have been passed over is a gap in the traceback, and counted."""
    program = tmp_path / "program"
    build(f"gcc -g -O2 -fno-omit-frame-pointer -D{define}", "frame_pointer.c", program)
    report = held_at_exit(spawn, program, options=["-g", "traceback"])
    stat, = report["statistics"]
    assert [frame["function"] for frame in stat["traceback"]][:4] == expected
    assert report["lost"]["frames_cut_by"]["gap"] == (100 if GAP in expected else 0)
    assert report["lost"]["frames_cut"] == (100 if GAP in expected else 0)
