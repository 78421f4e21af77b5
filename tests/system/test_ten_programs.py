# SPDX-License-Identifier: GPL-2.0-or-later
"""One tracer of the whole machine, and on it at once whatever has an allocator."""

import os
import re
import signal
import subprocess

import pytest

from test_machine import lost, of_processes, without_build_id
from test_programs import IN_USE
from test_short_lives import QUICK_HELD, all_reports
from tracing import (TIMEOUT, Process, Tracer, Workload, assert_lines, book_of, needs,
                     own_copy)

pytestmark = pytest.mark.alone

CHILDREN = 50

# Each with whether its lines alone allocate: libstdc++ and the allocators keep some for themselves.
OWN = [
    ("operators.jemalloc", ("forms",), False),
    ("operators.tcmalloc", ("forms",), False),
    ("operators.mimalloc", ("forms",), False),
    ("alloc.fp", ("mixed", 5000), True),
    ("alloc.musl", ("mixed", 4000), True),
    ("alloc.musl-static", ("mixed", 3000), True),
    ("threads.fp", ("handover",), False),
    ("operators.static-pie-jemalloc", ("mixed",), False),
]

MAPPING_ALLOCATORS = 3      # the first of them

# Without caches what is freed is not in use; what a chunk is more than its block is below 1 %.
NO_CACHES = dict(os.environ, PYTHONMALLOC="malloc",
                 GLIBC_TUNABLES="glibc.malloc.tcache_count=0:glibc.malloc.mxfast=0")
# Of blocks that each allocator has a size for: what it counts is what it gave, not what was asked for.
PYTHON = """
import ctypes, sys
lib = ctypes.CDLL(None)
number, room = ctypes.c_size_t(), ctypes.c_size_t(8)
%s
print("ready", flush=True); sys.stdin.readline()
held = [bytes(10240 - bytes.__basicsize__) for i in range(5000)]
print(in_use(), flush=True); sys.stdin.readline()
"""
TCMALLOC = """
def in_use():
    lib.MallocExtension_GetNumericProperty(b"generic.current_allocated_bytes",
                                           ctypes.byref(number))
    return number.value
"""
JEMALLOC = """
def in_use():
    lib.mallctl(b"epoch", None, None, ctypes.byref(ctypes.c_uint64(1)), room)
    lib.mallctl(b"stats.allocated", ctypes.byref(number), ctypes.byref(room), None, None)
    return number.value
"""
# Debian's keeps none of what mi_stats prints: its heap tells how many blocks each area has.
MIMALLOC = """
class Area(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in
                "blocks reserved committed used block_size full_block_size".split()]
@ctypes.CFUNCTYPE(ctypes.c_bool, ctypes.c_void_p, ctypes.POINTER(Area), ctypes.c_void_p,
                  ctypes.c_size_t, ctypes.c_void_p)
def visit(heap, area, block, size, context):
    number.value += area[0].used * area[0].block_size
    return True
lib.mi_heap_get_default.restype = ctypes.c_void_p
def in_use():
    number.value = 0
    heap = ctypes.c_void_p(lib.mi_heap_get_default())
    lib.mi_heap_visit_blocks(heap, ctypes.c_bool(False), visit, None)
    return number.value
"""
PYTHONS = [(IN_USE, ""), (JEMALLOC, "libjemalloc.so.2"), (TCMALLOC, "libtcmalloc.so.4"),
           (MIMALLOC, "libmimalloc.so.2")]
RUST = """
use std::io::stdin;
#[repr(C)]
struct Info { other: [usize; 4], hblkhd: usize, more: [usize; 2], uordblks: usize,
              rest: [usize; 2] }
extern "C" { fn mallinfo2() -> Info; }
fn main() {
    let mut line = String::new();
    println!("ready");
    stdin().read_line(&mut line).unwrap();
    let held: Vec<Vec<u8>> = (0..5000).map(|i| vec![1; 4000 + i % 4000]).collect();
    let info = unsafe { mallinfo2() };
    println!("{}", info.uordblks + info.hblkhd);
    stdin().read_line(&mut line).unwrap();
    drop(held);
}
"""
SHELL = f"""
echo ready; read go; i=0
while [ $i -lt {CHILDREN} ]; do "$0"; i=$((i + 1)); done
echo done; read end
"""
SQL = ("create table t(a, b); with recursive n(i) as (select 1 union all select i + 1 from n"
       " where i < 300000) insert into t select i, 'text ' || i from n;")


def rust_program(directory):
    source = directory / "holds.rs"
    source.write_text(RUST)
    subprocess.run(["rustc", "-O", "-o", directory / "holds", source], check=True, timeout=TIMEOUT)
    return directory / "holds"


def jemalloc_of_redis(address):
    """What its allocator says is allocated, in bytes."""
    says = subprocess.run(["redis-cli", "-s", address, "memory", "malloc-stats"], text=True,
                          check=True, capture_output=True, timeout=TIMEOUT).stdout
    return int(re.search(r"Allocated: (\d+)", says)[1])


def memory_of_sqlite(sqlite):
    """What it says it holds; the command line around it takes little more."""
    sqlite.say(".stats")
    return int(re.search(r"(\d+) \(max", sqlite.out.expect("Memory Used:"))[1])


def test_ten_programs_at_once(spawn, tmp_path):
    """Ours to the byte by line, the others' totals as their allocators have them."""
    needs("rustc")
    rust = rust_program(tmp_path)
    quick = own_copy("quick.nofp", tmp_path, "quick")
    address = tmp_path / "socket"

    # Their lines are in no one else's file, whoever runs the same tests beside us.
    programs = [without_build_id(program, tmp_path, f"t{i}-")
                for i, (program, _, _) in enumerate(OWN)]
    starts = ((program, *scenario) for program, (_, scenario, _) in zip(programs, OWN))
    # Who comes with an allocator whose file is known is seen from its first block on.
    workloads = [spawn(Workload, *next(starts)) for _ in range(MAPPING_ALLOCATORS)]
    tracer = spawn(Tracer, "--leaks-at-exit", interval=1)
    workloads += [spawn(Workload, *start) for start in starts]
    holders = [spawn(Process, "/usr/bin/python3", "-S", "-u", "-c", PYTHON % in_use,
                     env=dict(NO_CACHES, LD_PRELOAD=library)) for in_use, library in PYTHONS]
    holders.append(spawn(Process, rust, env=NO_CACHES))
    shell = spawn(Process, "/bin/sh", "-c", SHELL, quick)
    for process in [*holders, shell]:
        process.out.expect("ready")
    sqlite = spawn(Process, "sqlite3", ":memory:")
    redis = spawn(Process, "redis-server", "--port", 0, "--unixsocket", address, "--save", "",
                  "--dir", tmp_path)
    redis.out.find("ready to accept connections")
    tracer.pass_interval()      # what none had mapped before is attached to

    for process in [*workloads, *holders, shell]:
        process.say()
    sqlite.say(SQL + " select 'done';")
    subprocess.run(["redis-benchmark", "-s", address, "-n", "10000", "-r", "1000000", "-q", "-d",
                    "10234", "-t", "set"], check=True, capture_output=True, timeout=TIMEOUT)
    truths = [workload.truth() for workload in workloads]
    in_use = {process.pid: int(process.out.next()) for process in holders}
    in_use[redis.pid] = jemalloc_of_redis(address)
    sqlite.out.expect("done")
    in_use[sqlite.pid] = memory_of_sqlite(sqlite)
    shell.out.expect("done")
    tracer.signal(signal.SIGINT)
    *ended, report = all_reports(tracer)

    assert lost(report) == {}
    for workload, truth, (_, _, alone) in zip(workloads, truths, OWN):
        assert_lines(of_processes(report, [workload]), truth)
        book = book_of(report, workload.pid)
        assert not alone or (book["size"], book["count"]) == (truth["size"], truth["count"])
    for pid, size in in_use.items():
        book = book_of(report, pid)
        assert book["size"] == pytest.approx(size, rel=0.02), book
    held = [{name: end["traced"][name] for name in QUICK_HELD} for end in ended
            if end["exited"] and end["processes"][0]["comm"] == quick.name]
    assert held == [QUICK_HELD] * CHILDREN
