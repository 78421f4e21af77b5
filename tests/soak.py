# SPDX-License-Identifier: GPL-2.0-or-later
"""`make soak`: all sorts of processes for SOAK_SECONDS (600) under one memtracebpf, which may take no
more memory after the first minute, nor lose anything; a program that runs all the time is told
exactly. They are in a cgroup of their own: what else runs on the machine may well grow."""

import os
import pathlib
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(ROOT / "system"))

from tracing import (WORKLOADS, Process, Tracer, Workload, book_of, losses,  # noqa: E402
                     own_copy)

SECONDS = float(os.environ.get("SOAK_SECONDS", 600))
SETTLED = min(60, SECONDS / 2)      # then all has been seen that there is to see
TOLERANCE = 1.02

# Programs that come and go for ever, and those that stay and allocate.
LOADS = [
    ("sh", "-c", f"while :; do {WORKLOADS}/quick.nofp; (:); done"),
    ("sh", "-c", f"while :; do {WORKLOADS}/quick.musl-static; /bin/true; sleep 0.01; done"),
    ("python3", "-c", "d = {}\nwhile True:\n for i in range(1000): d[i] = [0] * (i % 100)"),
    ("sh", "-c", "while :; do sqlite3 :memory: 'WITH RECURSIVE t(x) AS (SELECT 1 UNION ALL SELECT"
                 " x + 1 FROM t LIMIT 20000) SELECT count(DISTINCT x) FROM t'; done"),
    ("sh", "-c", f"while :; do echo | {WORKLOADS}/threads.fp eight; "
                 f"echo | {WORKLOADS}/processes.nofp inherits 20; "
                 f"echo | {WORKLOADS}/processes.musl many_threads 200; done"),
]


def make_cgroup():
    """In whichever hierarchy takes processes."""
    for directory in ("/sys/fs/cgroup/pids", "/sys/fs/cgroup/unified", "/sys/fs/cgroup"):
        if pathlib.Path(directory, "cgroup.procs").exists():
            cgroup = pathlib.Path(directory, f"memtracebpf-soak-{os.getpid()}")
            cgroup.mkdir()
            return cgroup
    sys.exit("soak: there is no cgroup hierarchy below /sys/fs/cgroup")


def watch(tracer):
    """Reports until the time is over: how much memory it took after each, and since when."""
    began, taken = time.monotonic(), []
    while (passed := time.monotonic() - began) < SECONDS:
        report = tracer.report()
        own = report["own_memory"]
        taken.append((passed, own["rss"], own["kernel"]))
        print(f"{passed:4.0f} s: resident {own['rss'] >> 10} KiB, kernel {own['kernel'] >> 10} KiB, "
              f"{len(report['processes'])} processes, {report['ended']['processes']} ended, "
              f"lost {losses(report)}", flush=True)
    return taken


def assert_no_growth(taken, column):
    settled = [sample[column] for sample in taken if sample[0] >= SETTLED]
    assert max(settled) <= settled[0] * TOLERANCE, [n >> 10 for n in settled]


def main():
    processes = []
    cgroup = make_cgroup()

    def enter():
        (cgroup / "cgroup.procs").write_text(str(os.getpid()))

    def spawn(kind, *arguments, **options):
        processes.append(kind(*arguments, **options))
        return processes[-1]

    with tempfile.TemporaryDirectory() as directory:
        steady = spawn(Workload, own_copy("alloc.fp", pathlib.Path(directory)), "mixed", 2_000_000,
                       preexec_fn=enter)
        try:
            tracer = spawn(Tracer, "--cgroup", cgroup, interval=5)
            for load in LOADS:
                spawn(Process, *load, preexec_fn=enter)
            steady.say()
            taken = watch(tracer)
            truth = steady.truth()
            tracer.pass_interval()
            report = tracer.stop()
        finally:
            for process in reversed(processes):
                process.end()
            while (cgroup / "cgroup.procs").read_text():
                time.sleep(0.1)     # what was killed goes
            cgroup.rmdir()
    book = book_of(report, steady.pid)
    assert (book["size"], book["count"]) == (truth["size"], truth["count"])
    # Blocks from before the tracing are freed, and new programs begin before their files are read.
    lost = {name: n for name, n in losses(report).items()
            if name not in ("frees_unmatched", "frames_cut")}
    assert not lost, lost
    assert_no_growth(taken, 1)
    assert_no_growth(taken, 2)
    print(f"{SECONDS:.0f} s, {report['ended']['processes']} processes ended, nothing lost, no growth")


if __name__ == "__main__":
    main()
