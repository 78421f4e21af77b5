# SPDX-License-Identifier: GPL-2.0-or-later
"""What memtracebpf itself costs: attaching, reports, names, memory, doing nothing."""
import contextlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import threading
import time

import process
import snapshot
from profilers import Session
from workloads import BENCH, BUILD, KINDS, Failed, loops

MEMTRACEBPF = BUILD / "memtracebpf"
STATS = pathlib.Path("/proc/sys/kernel/bpf_stats_enabled")


def plainly(command):
    return command, {}


@contextlib.contextmanager
def running(start):
    workload = start(plainly)
    try:
        yield workload
    finally:
        workload.end()


@contextlib.contextmanager
def tracing(*options, report="Total:"):
    session = Session([MEMTRACEBPF, *options], "tracing", report=report)
    try:
        yield session
    finally:
        session.end()


def wait_for_reports(session, count, seconds=60):
    """How many came, at least one."""
    first, begin = session.reports, time.monotonic()
    while session.reports < first + count:
        waited = time.monotonic() - begin
        if waited > 60 or session.process.poll() is not None:
            raise Failed("no report in 60 s")
        if waited > seconds and session.reports > first:
            break
        time.sleep(0.001)
    return session.reports - first


# ---- the start ----

def wait_until_it_waits(pid):
    """Its libraries are loaded when it has slept for some looks in a row."""
    asleep = 0
    while asleep < 20:
        state = process.read(f"/proc/{pid}/stat").rsplit(") ", 1)[-1][:1]
        if state in ("Z", ""):
            sys.exit(f"process {pid} ended at once")
        asleep = asleep + 1 if state == "S" else 0
        time.sleep(0.01)


def attach_times(rounds):
    """Seconds from the start of memtracebpf to counting."""
    targets = {
        "python3": ["/usr/bin/python3", "-c", "input()"],
        "redis-server": ["redis-server", "--port", "0", "--save", "", "--unixsocket",
                         str(BENCH / "redis.sock")],
        "clang with libLLVM (100 MB of code)": ["clang", "-x", "c", "-", "-fsyntax-only"],
    }
    rows = []
    for name, command in targets.items():
        if not shutil.which(command[0]):
            continue
        target = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        wait_until_it_waits(target.pid)
        times = []
        for _ in range(rounds):
            begin = time.monotonic()
            with tracing("-p", target.pid):
                times.append(time.monotonic() - begin)
        target.kill()
        target.wait()
        rows.append({"target": name, "seconds": times})
    return rows


def load_times(pid):
    """{name of a program: milliseconds to verify and compile it}; {} without strace."""
    if not shutil.which("strace"):
        return {}
    trace = BENCH / "strace.txt"
    session = Session(["strace", "-f", "-T", "-e", "trace=bpf", "-o", trace, MEMTRACEBPF, "-p", pid,
                       "-i", "3600"], "tracing")
    session.end()
    return process.load_ms(trace)


def programs():
    """Of the kernel half: instructions, and what a run takes, on the pair at depth 4."""
    counted = STATS.read_text() if STATS.exists() else ""
    with running(loops("pair")) as workload:
        loads = load_times(workload.process.pid)
        with tracing("-p", workload.process.pid, "-i", "3600") as session:
            if counted:
                STATS.write_text("1")
            try:
                workload.run(200_000)
            finally:
                if counted:
                    STATS.write_text(counted)
            return [{**row, "load_ms": loads.get(row["name"])}
                    for row in process.bpf_programs(session.process.pid)]


# ---- an interval ----

BLOCKS, PATHS = 4_000_000, 10_000
FORMATS = {"text": "Total:", "json": '{"version"'}


def fastest_pair(workload):
    workload.verb = "pair"
    return min(workload.run(60_000) for _ in range(20)) / 60_000 * 1e9


def cpu_ms_of_interval(workload, session):
    """While the program allocates: of what has not changed, nothing would be read."""
    workload.verb = "pair"
    working = threading.Thread(target=workload.run, args=(3_000_000,))
    working.start()
    wait_for_reports(session, 2)
    before, count = process.run_ns(session.process.pid), 0
    while working.is_alive():
        count += wait_for_reports(session, 1)
        ended = process.run_ns(session.process.pid)
    working.join()
    return (ended - before) / count / 1e6


def intervals():
    """
    CPU time of an interval with many sites and blocks when names are cached, and what a pair
    costs meanwhile in a process that is reported ten times a second, or never.
    """
    rows = []
    for name, report in (*FORMATS.items(), ("never", None)):
        with running(loops("fill", paths=PATHS)) as workload:
            options = ["-i", "0.1", "--format", name] if report else ["-i", "3600"]
            with tracing("-p", workload.process.pid, *options, report=report) as session:
                workload.run(BLOCKS)
                row = {"format": name}
                if report:
                    row["cpu_ms"] = cpu_ms_of_interval(workload, session)
                row["pair_ns"] = fastest_pair(workload)
                rows.append(row)
    return rows


def naming(rounds):
    """10,000 new addresses in a binary with 105 MB of DWARF."""
    command = [BENCH / "naming", BENCH / "dwarf", "10000"]
    return [json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
            for _ in range(rounds)]


def report_cost(rounds):
    """Seconds and KiB that `report` takes for 1,000,000 traces at 100,000 distinct tracebacks."""
    path = BENCH / "large.pb.gz"
    if not path.exists():
        snapshot.write(path, 1_000_000, 100_000)
    rows = []
    for group_by in "line", "traceback":
        command = [str(MEMTRACEBPF), "report", str(path), "--group-by", group_by]
        times = []
        for _ in range(rounds):
            begin = time.monotonic()
            child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
            _, status, usage = os.wait4(child.pid, 0)
            times.append(time.monotonic() - begin)
            if status:
                sys.exit(f"{command} failed")
        rows.append({"group_by": group_by, "seconds": times, "max_rss_kib": usage.ru_maxrss})
    return rows


# ---- memory, and nothing ----

def user_memory():
    """Of the user half while it traces real programs that work."""
    rows = []
    for kind in KINDS:
        if kind.program == "loops" or kind.missing():
            continue
        with running(kind.start) as workload:
            with tracing("-p", workload.process.pid, "-i", "0.5") as session:
                workload.run(kind.operations // 10)
                wait_for_reports(session, 2)
                own, tables = process.resident_kib(session.process.pid)
                rows.append({"program": kind.program, "rss_kib": own, "tables_kib": tables,
                             "peak_kib": process.peak_kib(session.process.pid)})
    return rows


def idle():
    """CPU of tracing the whole machine while nothing else runs: we neither read nor allocate."""
    def own_and_all():
        return process.run_ns(tracer.pid) / 1e9, time.monotonic()

    tracer = subprocess.Popen([MEMTRACEBPF, "-i", "5"], stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL)
    try:
        for _ in range(3):  # all is found and named, the places of these very calls too
            time.sleep(6)
            own_and_all()
        time.sleep(6)
        own, begin = own_and_all()
        time.sleep(30)
        own_later, end = own_and_all()
    finally:
        tracer.terminate()
        tracer.wait()
    return {"cpu_share": (own_later - own) / (end - begin)}
