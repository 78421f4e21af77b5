# SPDX-License-Identifier: GPL-2.0-or-later
"""Memory that programs map without an allocator: --domain mmap and all."""

import contextlib
import json
import os
import pathlib
import re
import signal
import sqlite3

import pytest

from tracing import (MEMTRACEBPF, WORKLOADS, Process, Tracer, Workload, assert_nothing_lost,
                     functions, in_file, lines_of, lines_of_truth, trace)

PROGRAMS = ["maps.nofp", "maps.musl", "maps.static", "maps.static-pie", "maps.musl-static"]


def of_domain(truth, domain):
    """The truth's lines that --domain is about."""
    lines = [line for line in truth["lines"]
             if domain == "all" or line["mapped"] == (domain == "mmap")]
    return dict(truth, lines=lines, size=sum(line["size"] for line in lines),
                count=sum(line["count"] for line in lines))


def assert_domain(report, truth, domain):
    expected = of_domain(truth, domain)
    assert lines_of(report, "maps.c") == lines_of_truth(expected)
    if domain == "mmap":	# what libc allocates for threads is no line of the workload
        traced = report["traced"]
        assert (traced["size"], traced["count"]) == (expected["size"], expected["count"])
    assert_nothing_lost(report)


@pytest.mark.parametrize("program, domain", [
    *((program, "mmap") for program in PROGRAMS),
    ("maps.nofp", "all"), ("maps.musl", "all"), ("maps.static", "all"), ("maps.nofp", "heap")])
def test_every_line(spawn, program, domain):
    report, truth = trace(spawn, program, "everything", options=["--domain", domain])
    assert_domain(report, truth, domain)


@pytest.mark.parametrize("program", PROGRAMS)
def test_command(spawn, program):
    """From its first instruction on; what the linker and the library map is not the program's."""
    tracer = spawn(Tracer, "--domain", "mmap", "--", WORKLOADS / program, "others")
    tracer.out.expect("ready")
    tracer.say()
    truth = json.loads(tracer.out.expect('{"size"'))
    tracer.say()
    report = tracer.last()
    assert lines_of(report, "maps.c") == lines_of_truth(of_domain(truth, "mmap"))
    # All that there is besides: the 4 Mi slots of 32 bytes that the truth is kept in.
    others = [stat for stat in report["statistics"] if not in_file(stat["traceback"][0], ["maps.c"])]
    assert [(stat["size"], functions(stat)) for stat in others] == [(1 << 27, ["main"])]
    assert_nothing_lost(report)


@pytest.mark.parametrize("program", ["maps.nofp", "maps.musl", "maps.static"])
def test_threads_that_get_each_others_addresses(spawn, program):
    report, truth = trace(spawn, program, "race", 2_000, options=["--domain", "all"])
    assert_domain(report, truth, "all")


@pytest.mark.parametrize("domain", ["mmap", "all"])
def test_peak(spawn, domain):
    report, truth = trace(spawn, "maps.nofp", "peak", options=["--domain", domain])
    assert_domain(report, truth, domain)
    heap = 100_000 if domain == "mmap" else 0
    assert report["traced"]["peak_size"] == truth["peak_size"] - heap
    details = {s["traceback"][0]["line"]: s["peak_size"] for s in report["statistics"]}
    assert details == {line["line"]: line["peak_size"]
                       for line in of_domain(truth, domain)["lines"]}


def test_two_processes(spawn):
    """Each has its own ranges, at the same addresses or not; the sum has its own peak."""
    first = spawn(Workload, "maps.nofp", "parts")
    second = spawn(Workload, "maps.nofp", "moves")
    tracer = spawn(Tracer, "-p", first.pid, "-p", second.pid, "--domain", "mmap")
    truths = [first.run(), second.run()]
    report = tracer.stop()
    assert lines_of(report, "maps.c") == {**lines_of_truth(truths[0]), **lines_of_truth(truths[1])}
    sizes = {process["pid"]: process["size"] for process in report["processes"]}
    assert sizes == {first.pid: truths[0]["size"], second.pid: truths[1]["size"]}
    assert report["traced"]["peak_size"] == truths[0]["size"] + truths[1]["peak_size"]


def test_target_exits(spawn):
    workload = spawn(Workload, "maps.nofp", "parts")
    tracer = spawn(Tracer, "-p", workload.pid, "--domain", "mmap")
    truth = workload.run()
    workload.say()
    assert_domain(tracer.last(), truth, "mmap")


def test_forget(spawn):
    workload = spawn(Workload, "maps.nofp", "forgotten")
    tracer = spawn(Tracer, "-p", workload.pid, "--domain", "mmap")
    workload.say()
    workload.out.expect("mapped")
    tracer.signal(signal.SIGUSR2)
    tracer.err.expect("cleared ")
    truth = workload.run()
    assert_domain(tracer.stop(), truth, "mmap")


def test_min_age(spawn):
    """Younger than an hour are all; older than a moment are all, too."""
    for age, shown in [("3600", False), ("0.000001", True)]:
        report, truth = trace(spawn, "maps.nofp", "parts",
                              options=["--domain", "mmap", "--min-age", age])
        held = {key: books[:2] for key, books in lines_of_truth(truth).items() if books.size}
        assert {key: books[:2] for key, books in lines_of(report, "maps.c").items()
                if books.size} == (held if shown else {})


def test_library_is_loaded(spawn):
    """What the linker maps is its own."""
    workload = spawn(Workload, "loader.fp", "late", WORKLOADS / "plugin1.so")
    tracer = spawn(Tracer, "-p", workload.pid, "--domain", "mmap")
    workload.say()
    workload.out.expect("loaded")
    workload.run()
    report = tracer.stop()
    assert report["statistics"] == []
    assert_nothing_lost(report)


def mapped_of(pid, name):
    """Bytes of the file's mappings, as the kernel says it."""
    sizes = [int(end, 16) - int(start, 16) for start, end in re.findall(
        rf"^(\w+)-(\w+) .*{re.escape(str(name))}$",
        pathlib.Path(f"/proc/{pid}/maps").read_text(), re.MULTILINE)]
    return sum(sizes)


def test_sqlite_maps_its_database(spawn, tmp_path):
    database = tmp_path / "database"
    with contextlib.closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("create table t (a)")
        connection.executemany("insert into t values (?)", [("x" * 1000,)] * 5000)
    shell = spawn(Process, "sqlite3", database)
    shell.say("select 'ready';")
    shell.out.expect("ready")
    tracer = spawn(Tracer, "-p", shell.pid, "--domain", "mmap", "--group-by", "traceback")
    shell.say("pragma mmap_size = 1000000000; select count(*) from t; select 'mapped';")
    shell.out.expect("mapped")
    mapped = mapped_of(shell.pid, database)
    report = tracer.stop()
    assert mapped > 5_000_000
    assert report["traced"]["size"] == mapped
    assert {os.path.basename(s["traceback"][0]["module"]).split(".")[0]
            for s in report["statistics"]} == {"libsqlite3"}


PYTHON = """
import mmap, sys
print("ready", flush=True)
sys.stdin.readline()
with open(sys.argv[1], "r+b") as file:
    maps = [mmap.mmap(file.fileno(), (i + 1) * 4096) for i in range(20)]
for one in maps[::3]:
    one.close()
for one in maps[1::3]:
    one.resize(50 * 4096)
print("mapped", flush=True)
sys.stdin.readline()
"""


def test_python(spawn, tmp_path):
    """Its mmap module's mappings against the kernel's word; its arenas are mapped elsewhere."""
    file = tmp_path / "file"
    file.write_bytes(bytes(50 * 4096))
    python = spawn(Process, "/usr/bin/python3", "-c", PYTHON, file)
    python.out.expect("ready")
    tracer = spawn(Tracer, "-p", python.pid, "--domain", "mmap", "--group-by", "traceback")
    python.say()
    python.out.expect("mapped")
    mapped = mapped_of(python.pid, file)
    report = tracer.stop()
    assert sum(s["size"] for s in report["statistics"]
               if os.path.basename(s["traceback"][0]["module"]).startswith("mmap.")) == mapped
    assert mapped > 0


@pytest.mark.parametrize("option", [["--include-domain", "mmap"], ["--exclude-domain", "malloc"]])
def test_only_one_domain_is_shown(spawn, option):
    report, truth = trace(spawn, "maps.nofp", "others", options=["--domain", "all", *option])
    assert lines_of(report, "maps.c") == lines_of_truth(of_domain(truth, "mmap"))


def test_block(spawn):
    """Of what the break was raised by first, a part is left."""
    workload = spawn(Workload, "maps.nofp", "breaks")
    maps = pathlib.Path(f"/proc/{workload.pid}/maps").read_text()
    end = int(re.search(r"-(\w+) .*\[heap\]", maps)[1], 16)
    tracer = spawn(Tracer, "-p", workload.pid, "--domain", "mmap", "--block", hex(end + 5000))
    truth = workload.run()
    tracer.signal(signal.SIGINT)
    block = tracer.report()
    assert tracer.wait() == 0
    assert (block["address"], block["size"]) == (end, 7 * 4096 + 100)
    assert block["traceback"][0]["line"] == truth["lines"][0]["line"]


def test_no_c_library(spawn):
    bare = spawn(Process, WORKLOADS / "bare")
    tracer = spawn(Process, MEMTRACEBPF, "-p", bare.pid, "--domain", "mmap")
    assert tracer.wait() == 1
    assert len(tracer.err.lines) == 1 and "maps no C library" in tracer.err.lines[0]
