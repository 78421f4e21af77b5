# SPDX-License-Identifier: GPL-2.0-or-later
"""Files of strangers that change while they are read, or claim more than they have."""

import json
import lzma
import os
import resource
import struct
import subprocess
import sys
import threading

import pytest

from hostile import (ALLOC, COMPRESSED, DYNSYM, GIB, MIB, RELA, STRTAB, SYMTAB, Section, field, many_rows,
                     packed, packed_whole, write_elf, write_profile)
from tracing import MEMTRACEBPF, TIMEOUT, WORKLOADS, Process, Tracer, Workload, assert_lines

# Maps each file as code, says so, and waits.
MAPS = """
import mmap, sys
maps = []
for path in sys.argv[1:]:
    with open(path, "rb") as file:
        maps.append(mmap.mmap(file.fileno(), 4096, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_EXEC))
print("ready", flush=True)
sys.stdin.readline()
"""


class Mapper(Process):
    def __init__(self, *paths, **kwargs):
        super().__init__(sys.executable, "-c", MAPS, *paths, **kwargs)
        self.out.expect("ready")


class Changer:
    """A thread that cuts files short, writes them again and makes them longer, over and over."""

    def __init__(self, paths):
        self._files = [(os.open(path, os.O_RDWR), path.read_bytes()) for path in paths]
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self):
        rounds = 0
        while not self._stop.is_set():
            for fd, content in self._files:
                rounds += 1
                os.ftruncate(fd, rounds % 7 * len(content) // 7)
                os.pwrite(fd, content, 0)
                os.ftruncate(fd, 2 * len(content))

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()
        for fd, _ in self._files:
            os.close(fd)


def build_library(directory):
    """A library with its debug file beside it."""
    source = directory / "lib.c"
    source.write_text("".join(f"int f{i}(int x) {{ return x * {i}; }}\n" for i in range(4000)))
    library = directory / "lib.so"
    subprocess.run(["gcc", "-g", "-shared", "-fPIC", "-o", library, source], check=True)
    subprocess.run(["objcopy", "--only-keep-debug", "lib.so", "lib.so.debug"], cwd=directory, check=True)
    subprocess.run(["objcopy", "--add-gnu-debuglink=lib.so.debug", "--strip-debug", "lib.so"],
                   cwd=directory, check=True)
    return library


@pytest.mark.parametrize("machine", [False, pytest.param(True, marks=pytest.mark.alone)])
def test_files_that_change_while_they_are_read(spawn, tmp_path, machine):
    library = build_library(tmp_path)
    copies = [tmp_path / f"lib{i}.so" for i in range(50)]
    for copy in copies:
        copy.write_bytes(library.read_bytes())
    mapper = spawn(Mapper, *copies)
    workload = spawn(Workload, "alloc.nofp", "mixed", 300)
    with Changer([*copies, tmp_path / "lib.so.debug"]):
        tracer = spawn(Tracer, *([] if machine else ["-p", f"{workload.pid},{mapper.pid}"]),
                       "--group-by", "traceback")
        truth = workload.run()
        assert_lines(tracer.stop(), truth)


# ---- files that claim more than they have ----

LIMIT = 96 * MIB    # of our memory, whatever the files say; an honest run takes 20


def symbol_tables(directory):
    """Eight tables of symbols over the same hole."""
    tables = [Section(f".symtab{i}", SYMTAB, offset=0x10000, size=3 * GIB, link=9, entry=24) for i in range(8)]
    return [write_elf(directory / "tables.so", [*tables, Section(".strtab", STRTAB, b"\0x\0")], size=4 * GIB)]


def section_headers(directory):
    return [write_elf(directory / "headers.so", headers=1 << 25, size=4 * GIB),
            write_elf(directory / "headers2.so", headers=60000, size=4 * GIB)]


def rows(directory):
    """More rows than a file of that size can have, in four files."""
    frames = packed_whole(many_rows(2 << 20))
    return [write_elf(directory / f"rows{i}.so",
                      [Section(".debug_frame", data=frames, flags=COMPRESSED, offset=None)],
                      code_size=64 * MIB, size=80 * MIB) for i in range(4)]


def unpacked_frames(directory):
    return [write_elf(directory / "frames.so",
                      [Section(".debug_frame", data=packed(200 * MIB), flags=COMPRESSED)])]


def code_hole(directory):
    """Code of gigabytes that nothing describes."""
    return [write_elf(directory / "code.so", code_size=3 * GIB, size=4 * GIB)]


def relocations(directory):
    """An operator new with 14,000 jumps through words that relocations in a hole would fill."""
    code = b"".join(b"\x74\x06\xff\x25" + (0x100000 + 8 * i).to_bytes(4, "little") for i in range(14000))
    code += b"\xc3"
    names = b"\0_Znwm\0malloc\0"
    symbols = bytes(24) + b"".join(
        struct.pack("<IBBHQQ", name, 0x12, 0, 1, 0x1000 + at, size)
        for name, at, size in ((1, 0, len(code)), (7, len(code) - 1, 1)))
    cie = struct.pack("<II", 20, 0) + b"\1zR\0\1\x78\x10\1\x1b\x0c\7\x08\x90\1\0\0"
    start = 0x200000
    fde = struct.pack("<IIiIB", 16, 28, 0x1000 - (start + 32), len(code), 0) + bytes(3)
    return [write_elf(directory / "slow.so", [
        Section(".text", data=b"", offset=0x1000, size=len(code), address=0x1000, flags=6),
        Section(".dynstr", STRTAB, names),
        Section(".dynsym", DYNSYM, symbols, link=2, entry=24),
        Section(".eh_frame", data=cie + fde + bytes(4), address=start, flags=ALLOC),
        Section(".rela.dyn", RELA, offset=0x300000, size=300 * MIB, link=3, entry=24, flags=ALLOC),
    ], code=code, size=GIB)]


def debug_links(directory):
    """Twenty libraries whose debug file is the same hole of gigabytes."""
    write_elf(directory / "hole.debug", size=8 * GIB)
    link = b"hole.debug\0\0" + bytes(4)
    return [write_elf(directory / f"link{i}.so", [Section(".gnu_debuglink", data=link)]) for i in range(20)]


INPUTS = [symbol_tables, section_headers, rows, unpacked_frames, code_hole, relocations, debug_links]
NAMED = {symbol_tables, rows, unpacked_frames, code_hole, relocations, debug_links}


def limit_memory():
    """Should it fail, it is not to take the machine with it."""
    resource.setrlimit(resource.RLIMIT_AS, (6 * GIB, 6 * GIB))


def peak_memory(process):
    with open(f"/proc/{process.pid}/status") as status:
        return next(int(line.split()[1]) << 10 for line in status if line.startswith("VmHWM"))


def map_all(spawn, directory, make):
    paths = make(directory)
    for path in paths:
        os.chmod(path, 0o755)
        assert path.stat().st_blocks * 512 < 2 * MIB     # it is small
    return spawn(Mapper, *paths), paths


@pytest.mark.parametrize("machine", [False, pytest.param(True, marks=pytest.mark.alone)])
@pytest.mark.parametrize("make", INPUTS)
def test_files_that_claim_too_much(spawn, tmp_path, make, machine):
    mapper, paths = map_all(spawn, tmp_path, make)
    workload = spawn(Workload, "alloc.nofp", "mixed", 300)
    tracer = spawn(Tracer, *([] if machine else ["-p", f"{workload.pid},{mapper.pid}"]), "--group-by", "traceback",
                   preexec_fn=limit_memory)
    truth = workload.run()
    if not machine:
        assert peak_memory(tracer) < LIMIT
    report = tracer.stop()
    assert_lines(report, truth)
    if not machine:
        assert report["own_memory"]["kernel"] < 200 * MIB
    if make in NAMED:
        assert any(path.name in line for path in paths for line in tracer.err.lines), tracer.err.lines


def test_doctor_of_files_that_claim_too_much(spawn, tmp_path):
    for make in INPUTS:
        mapper, _ = map_all(spawn, tmp_path, make)
        doctor = subprocess.Popen([MEMTRACEBPF, "doctor", "-p", str(mapper.pid)], stdout=subprocess.PIPE,
                                  preexec_fn=limit_memory)
        out, _ = doctor.communicate(timeout=TIMEOUT)
        assert doctor.returncode == 0 and b"python" in out
        mapper.end()


def test_debug_information_that_unpacks_to_gigabytes(spawn, tmp_path):
    """Of a file whose functions are to be named: the symbols do it."""
    bomb, mini = tmp_path / "bomb", tmp_path / "mini"
    bomb.write_bytes(packed(64 * MIB, claimed=GIB))
    mini.write_bytes(lzma.compress(bytes(128 * MIB), preset=0))
    programs = [tmp_path / "packed", tmp_path / "mini_debug"]
    info = ["--strip-debug", *(f"--add-section=.debug_{name}={bomb}" for name in ("info", "abbrev", "str")),
            *(f"--set-section-flags=.debug_{name}=readonly" for name in ("info", "abbrev", "str"))]
    subprocess.run(["objcopy", *info, WORKLOADS / "alloc.nofp", programs[0]], check=True)
    mark_compressed(programs[0])
    subprocess.run(["objcopy", "--strip-debug", f"--add-section=.gnu_debugdata={mini}",
                    WORKLOADS / "alloc.nofp", programs[1]], check=True)
    for program in programs:
        workload = spawn(Workload, program, "mixed", 300)
        tracer = spawn(Tracer, "-p", workload.pid, preexec_fn=limit_memory)
        truth = workload.run()
        report = tracer.stop()
        assert (report["traced"]["size"], report["traced"]["count"]) == (truth["size"], truth["count"])
        assert report["own_memory"]["peak_rss"] < LIMIT
        assert report["lost"]["events"] == 1
        assert any(program.name in line for line in tracer.err.lines), tracer.err.lines


def mark_compressed(path):
    """objcopy does not set the flag on what it has not compressed itself."""
    data = bytearray(path.read_bytes())
    table, = struct.unpack_from("<Q", data, 40)
    count, names = struct.unpack_from("<HH", data, 60)
    strings, = struct.unpack_from("<Q", data, table + 64 * names + 24)
    for at in range(table, table + 64 * count, 64):
        name, = struct.unpack_from("<I", data, at)
        if data[strings + name:].startswith(b".debug_"):
            struct.pack_into("<Q", data, at + 8, COMPRESSED)
    path.write_bytes(data)


SAMPLE = field(2, b"\x10\x01")     # a sample of 1 byte and no traceback
PROFILES = {"samples": (SAMPLE, 9 << 20), "strings": (field(6, b""), 3 << 20),
            "locations": (field(4, b""), 3 << 20)}


@pytest.mark.parametrize("kind", PROFILES)
def test_profile_of_many_records(tmp_path, kind):
    path = write_profile(tmp_path / "x.pb.gz", *PROFILES[kind])
    assert path.stat().st_size < MIB
    child = subprocess.Popen([MEMTRACEBPF, "report", str(path)], stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, preexec_fn=limit_memory)
    _, status, usage = os.wait4(child.pid, 0)
    assert os.waitstatus_to_exitcode(status) == 1
    assert b"too many records" in child.stderr.read()
    assert usage.ru_maxrss << 10 < 400 * MIB


def test_samples_of_one_stack_take_the_memory_of_one(tmp_path):
    times = 5 << 20
    path = write_profile(tmp_path / "x.pb.gz", SAMPLE, times)
    child = subprocess.Popen([MEMTRACEBPF, "report", str(path), "--format", "json"], stdout=subprocess.PIPE)
    report, _ = child.stdout.read(), child.stdout.close()
    _, status, usage = os.wait4(child.pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert json.loads(report)["traced"]["size"] == times
    assert usage.ru_maxrss << 10 < 100 * MIB
