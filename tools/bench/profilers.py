# SPDX-License-Identifier: GPL-2.0-or-later
"""The ways of tracing: attached to a process that runs, or started with it."""
import collections
import dataclasses
import os
import pathlib
import shutil
import signal
import subprocess
import threading
from typing import Callable

import process
from workloads import BENCH, BUILD, Failed, NotStarted

START_TIMEOUT = 30
ALLOCATORS = ("libjemalloc.so", "libc.so.6")
HERE = pathlib.Path(__file__).resolve().parent


class Session:
    """A tool that runs beside the target, from when it is ready."""

    def __init__(self, command, ready, environment=None, report=None):
        self.process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                        text=True, errors="replace", start_new_session=True,
                                        cwd=BENCH, env={**os.environ, **(environment or {})})
        self.ready = ready
        self.report = report    # how the line begins of which every report has one
        self.reports = 0
        self.last_lines = collections.deque(maxlen=20)
        self.is_ready = threading.Event()
        self.failed = False
        self.reader = threading.Thread(target=self.read)
        self.reader.start()
        if not self.is_ready.wait(START_TIMEOUT) or self.failed:
            self.end()
            raise NotStarted("does not start: " + self.complaint())

    def read(self):
        for line in self.process.stdout:
            self.last_lines.append(line)
            if line.startswith(self.ready):
                self.is_ready.set()
            elif self.report and line.startswith(self.report):
                self.reports += 1
        self.failed = not self.is_ready.is_set()
        self.is_ready.set()

    def complaint(self):
        """What it said, without Python's trace."""
        said = [line.strip() for line in self.last_lines if line[:1].strip()
                and not line.startswith("Traceback")]
        return "; ".join(said) or "it says nothing"

    def end(self):
        self.signal(signal.SIGINT)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            pass
        self.signal(signal.SIGKILL)    # and what it left behind
        self.process.wait()
        self.reader.join()
        self.process.stdout.close()

    def signal(self, number):
        try:
            os.killpg(self.process.pid, number)
        except ProcessLookupError:
            pass


@dataclasses.dataclass
class Way:
    """Of tracing: a target started by a prefix or with an environment, a session beside it."""

    name: str
    what: str
    needs: str = ""           # a program or a file,
    package: str = ""         # and where that is from
    against: str = "none"     # the way that the slowdown is measured against
    prefix: tuple = ()
    environment: dict = dataclasses.field(default_factory=dict)    # of the target
    command: Callable = None  # of the session, for a process id
    ready: str = ""           # how the line begins by which it says that it traces
    settings: dict = dataclasses.field(default_factory=dict)       # its environment

    def missing(self):
        return bool(self.needs) and not shutil.which(self.needs) and not os.path.exists(self.needs)

    def wrap(self, command):
        return [str(word) for word in self.prefix] + command, self.environment

    def attach(self, pid):
        """A session, or None where there is nothing to start."""
        return Session(self.command(pid), self.ready, self.settings) if self.command else None


def memleak_bpftrace(pid):
    library = process.library_of(pid, ALLOCATORS)
    if not library:
        raise Failed("finds no allocator")
    script = BENCH / "memleak.bt"
    script.write_text((HERE / "memleak.bt").read_text().replace("LIBRARY", library)
                      .replace("PID", str(pid)))
    return ["bpftrace", script]


JEMALLOC = "/usr/lib/x86_64-linux-gnu/libjemalloc.so.2"

WAYS = [
    Way("none", "no profiler"),
    Way("floor", "empty BPF programs on memtracebpf's probes, attached its way",
        command=lambda pid: [BENCH / "floor", "-p", pid], ready="tracing"),
    Way("memtracebpf", "a report every second",
        command=lambda pid: [BUILD / "memtracebpf", "-p", pid, "-i", "1"], ready="tracing"),
    Way("memtracebpf, sampling", "with --sample-bytes 512K",
        command=lambda pid: [BUILD / "memtracebpf", "-p", pid, "-i", "1", "--sample-bytes", "512K"],
        ready="tracing"),
    Way("memleak-bpfcc", "bcc's memleak, a report every second", "memleak-bpfcc", "bpfcc-tools",
        command=lambda pid: ["memleak-bpfcc", "-p", pid, "1"], ready="[",
        settings={"PYTHONUNBUFFERED": "1"}),
    # As many blocks as memleak has room for.
    Way("memleak's maps", "not memleak, but a bpftrace script that keeps the maps which it keeps "
        "(memleak.bt); no reports", "bpftrace", "bpftrace", command=memleak_bpftrace,
        ready="tracing", settings={"BPFTRACE_MAP_KEYS_MAX": "1000000"}),
    Way("heaptrack", "started with the program", "heaptrack", "heaptrack",
        prefix=("heaptrack", "-o", BENCH / "heaptrack")),
    Way("heaptrack -p", "put into the running program", "heaptrack", "heaptrack",
        command=lambda pid: ["heaptrack", "-o", BENCH / "heaptrack", "-p", pid],
        ready="injection finished"),
    Way("massif", "valgrind --tool=massif", "valgrind", "valgrind",
        prefix=("valgrind", "--tool=massif", f"--massif-out-file={BENCH}/massif.out")),
    Way("jemalloc", "another allocator and no profiler", JEMALLOC, "libjemalloc2",
        environment={"LD_PRELOAD": JEMALLOC}),
    Way("jemalloc's sampling", "a block in 512 KiB, its default; slower than jemalloc alone",
        JEMALLOC, "libjemalloc2", against="jemalloc",
        environment={"LD_PRELOAD": JEMALLOC, "MALLOC_CONF": "prof:true"}),
]
