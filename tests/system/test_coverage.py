# SPDX-License-Identifier: GPL-2.0-or-later
"""Growth that no tracked allocation explains is said, with the kernel's own figures."""

import re
import subprocess

import pytest

from tracing import MEMTRACEBPF, WORKLOADS, Process, Tracer, Workload, lacks

MIB = 1 << 20


def anonymous(pid):
    """RssAnon of the kernel, in bytes."""
    with open(f"/proc/{pid}/status") as status:
        return int(re.search(r"RssAnon:\s+(\d+)", status.read())[1]) << 10


def grow(spawn, way, mib, *options, program="grow.nofp"):
    """(report, pid of who has grown, by how many bytes)"""
    workload = spawn(Workload, program, way, mib)
    before = anonymous(workload.pid)
    tracer = spawn(Tracer, *(options or ("-p", workload.pid)))
    workload.say()
    pid = int(workload.out.expect(""))
    grown = anonymous(pid) - before
    report = tracer.stop()
    return report, pid, grown


def gaps(report):
    return {gap["pid"]: gap for gap in report["coverage"]["not_seen"]}


def test_what_is_mapped_is_not_seen(spawn):
    report, pid, grown = grow(spawn, "map", 40)
    gap = gaps(report)[pid]
    assert abs(gap["grown"] - grown) < MIB and gap["tracked"] == report["traced"]["peak_size"]
    assert report["coverage"]["unseen"] == gap["unseen"] and "--domain all" in gap["why"]


@pytest.mark.parametrize("way", ["heap", "freed"])
def test_what_is_tracked_is_seen(spawn, way):
    """Also what was freed: the heap keeps it."""
    report, pid, grown = grow(spawn, way, 100)
    coverage = report["coverage"]
    assert not coverage["not_seen"]
    assert abs(coverage["grown"] - grown) < MIB
    assert 100 * MIB - 1000 <= coverage["tracked"] <= 101 * MIB


def test_followed_mappings_are_seen(spawn):
    workload = spawn(Workload, "grow.nofp", "map", 40)
    tracer = spawn(Tracer, "--domain", "all", "-p", workload.pid)
    workload.say()
    workload.out.expect("")
    assert not tracer.stop()["coverage"]["not_seen"]


@pytest.mark.alone
@pytest.mark.parametrize("options", [("--comm", "grow.nofp"), ()])
def test_a_child_begins_with_what_it_was_given(spawn, options):
    """It maps 20 MiB besides 64 that are its parent's, and calls no allocator at all."""
    report, pid, _ = grow(spawn, "child", 20, *(options or ("--count", 1)))
    gap = gaps(report)[pid]
    assert 20 * MIB <= gap["grown"] <= 21 * MIB and gap["tracked"] == 0
    assert gap["comm"] == "grow.nofp"


def test_a_stripped_allocator_is_named(spawn):
    """By what it says in its warnings; the program has the text of jemalloc's."""
    report, pid, _ = grow(spawn, "map", 40, program="grow.stripped")
    why = gaps(report)[pid]["why"]
    assert "jemalloc in grow.stripped is not followed" in why and "symbols" in why


def test_python_leads_on_to_tracemalloc(spawn):
    python = spawn(Process, "/usr/bin/python3", "-c",
                   "print('ready', flush=True); input()\n"
                   "kept = [[i] for i in range(400000)]\n"
                   "print('grown', flush=True); input()")
    python.out.expect("ready")
    tracer = spawn(Tracer, "-p", python.pid)
    python.say()
    python.out.expect("grown")
    gap = gaps(tracer.stop())[python.pid]
    assert gap["grown"] > 30 * MIB and "tracemalloc" in gap["why"]


def gap_of_mapper(spawn, *files):
    """Of a program that maps the files as code, again and again, and grows by 40 MiB."""
    program = spawn(Process, "/usr/bin/python3", "-S", "-c",
                    "import mmap, sys\n"
                    "files = [open(name, 'rb') for name in sys.argv[1:]]\n"
                    "maps = [mmap.mmap(file.fileno(), 4096, mmap.MAP_PRIVATE, 5)\n"
                    "        for _ in range(300) for file in files]\n"
                    "print('ready', flush=True); input()\n"
                    "block = mmap.mmap(-1, 40 << 20, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)\n"
                    "for i in range(0, len(block), 4096): block[i] = 1\n"
                    "print('grown', flush=True); input()", *files)
    program.out.expect("ready")
    tracer = spawn(Tracer, "-p", program.pid)
    program.say()
    program.out.expect("grown")
    return gaps(tracer.stop())[program.pid]


@pytest.mark.parametrize("held", ["holes", "text"])
def test_files_that_take_long_to_search(spawn, tmp_path, held):
    """Hundreds of huge files without anything in them, or the same two again and again."""
    for name in "abc" if held == "holes" else "ab":
        with open(tmp_path / name, "wb") as file:
            file.write(b"x" * (1 << 12 if held == "holes" else 8 << 20))
            file.truncate(255 << 20 if held == "holes" else 8 << 20)
    assert gap_of_mapper(spawn, *tmp_path.iterdir())["grown"] >= 40 * MIB


@pytest.mark.parametrize("name, shown", [("own.so", "{0}"), ("$(halt).so", "FILE")])
def test_a_file_is_no_command(spawn, tmp_path, name, shown):
    """What the report advises can be pasted into root's shell, whatever files are called."""
    file = tmp_path / name
    file.write_bytes(b"snmalloc\0sn_malloc\0" + bytes(4096))
    advice = f"--allocator {shown.format(file)}:malloc=sn_malloc,"
    assert advice in gap_of_mapper(spawn, file)["why"]


def test_text(spawn):
    workload = spawn(Workload, "grow.nofp", "map", 40)
    tracer = spawn(Process, MEMTRACEBPF, "-p", workload.pid)
    tracer.err.expect("tracing ")
    workload.say()
    workload.out.expect("")
    tracer.signal(2)
    assert tracer.wait() == 0
    line = next(line for line in tracer.out.lines if line.startswith("Not seen: "))
    assert re.fullmatch(r"Not seen: resident memory grew by 40\.\d MiB, tracked allocations by 0 B\.",
                        line)


def test_clearing_begins_again(spawn, tmp_path):
    """SIGUSR2 forgets what was grown, as it forgets the allocations."""
    workload = spawn(Workload, "grow.nofp", "map", 40)
    tracer = spawn(Tracer, "-p", workload.pid)
    workload.say()
    workload.out.expect("")
    tracer.signal(12)
    tracer.err.expect("cleared")
    report = tracer.stop()
    assert report["coverage"]["grown"] < MIB and not report["coverage"]["not_seen"]


@pytest.mark.alone
def test_32_bit(spawn, tmp_path):
    source = tmp_path / "small.c"
    source.write_text("int main(void) { return getchar(); }\n")
    built = subprocess.run(["gcc", "-m32", "-w", "-o", tmp_path / "small", source],
                           capture_output=True, text=True)
    if built.returncode:
        lacks("gcc-multilib")
    small = spawn(Process, tmp_path / "small")
    result = subprocess.run([MEMTRACEBPF, "-p", str(small.pid)], capture_output=True, text=True)
    assert result.returncode == 1
    assert "32-bit programs are not followed" in result.stderr.splitlines()[-1]
    tracer = spawn(Tracer, "--comm", "small")
    assert tracer.stop()["note"] == "1 process is 32-bit, and such programs are not followed"
