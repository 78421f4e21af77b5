# SPDX-License-Identifier: GPL-2.0-or-later
"""One tracer of the whole machine, and on it at once whatever has an allocator."""

import os
import re
import shutil
import signal
import subprocess

import pytest

from test_machine import lost, of_processes, without_build_id
from test_programs import IN_USE
from test_short_lives import QUICK_HELD, all_reports
from tracing import TIMEOUT, Process, Tracer, Workload, assert_lines, book_of, own_copy

CHILDREN = 50

# Each with whether its lines alone allocate: libstdc++ and the allocators keep some for themselves.
OWN = [
    ("operators.jemalloc", ("forms",), False),
    ("alloc.fp", ("mixed", 5000), True),
    ("alloc.musl", ("mixed", 4000), True),
    ("alloc.musl-static", ("mixed", 3000), True),
    ("threads.fp", ("handover",), False),
    ("operators.tcmalloc", ("forms",), False),
    ("operators.mimalloc", ("forms",), False),
    ("operators.static-pie-jemalloc", ("mixed",), False),
]

# Without caches what is freed is not in use; what a chunk is more than its block is below 1 %.
NO_CACHES = dict(os.environ, PYTHONMALLOC="malloc",
                 GLIBC_TUNABLES="glibc.malloc.tcache_count=0:glibc.malloc.mxfast=0")
PYTHON = IN_USE + """
print("ready", flush=True); sys.stdin.readline()
held = [bytes(4000 + i % 4000) for i in range(10000)]
print(in_use(), flush=True); sys.stdin.readline()
"""
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
    """None where there is no compiler."""
    if not shutil.which("rustc"):
        return None
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
    rust = rust_program(tmp_path)
    quick = own_copy("quick.nofp", tmp_path, "quick")
    address = tmp_path / "socket"

    # Their lines are in no one else's file, whoever runs the same tests beside us.
    programs = [without_build_id(program, tmp_path, f"t{i}-")
                for i, (program, _, _) in enumerate(OWN)]
    starts = ((program, *scenario) for program, (_, scenario, _) in zip(programs, OWN))
    # All of redis' blocks are seen because its allocator's file is known when it comes.
    workloads = [spawn(Workload, *next(starts))]
    tracer = spawn(Tracer, "--leaks-at-exit", interval=1)
    workloads += [spawn(Workload, *start) for start in starts]
    holders = [spawn(Process, "/usr/bin/python3", "-S", "-u", "-c", PYTHON, env=NO_CACHES)]
    if rust:
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

    # Others on the machine may come with new stacks faster than there is room made: ours are exact.
    assert lost(report).keys() <= {"stacks"}
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
