# SPDX-License-Identifier: GPL-2.0-or-later
"""Whole programs, from their start to their end: CPU time and wall time."""
import contextlib
import dataclasses
import json
import os
import resource
import shutil
import statistics
import subprocess
import time

import profilers
from workloads import BENCH, BUILD, Failed

MEMTRACEBPF = BUILD / "memtracebpf"


# ---- the programs ----

def json_file():
    path = BENCH / "rows.json"
    if not path.exists():
        path.write_text(json.dumps([{"number": i, "name": f"row {i}", "list": [i, str(i)]}
                                    for i in range(60_000)]))
    return path


def rows_file():
    path = BENCH / "rows.sql"
    if not path.exists():
        path.write_text("create table t(number integer primary key, name text, value real);\n"
                        "begin;\n" + "".join(f"insert into t values({i}, 'row {i}', {i * 1.5});\n"
                                             for i in range(50_000)) + "commit;\n")
    return path


def source_file():
    """Some hundred functions with loops, to be optimized."""
    path = BENCH / "source.c"
    if not path.exists():
        path.write_text("".join(f"""
int function{i}(const int *a, int n)
{{
	int sum = {i};
	for (int i = 0; i < n; i++)
		sum += a[i] % {i + 3} ? a[i] * {i} : sum >> {i % 7};
	return sum;
}}
""" for i in range(30)))
    return path


@dataclasses.dataclass
class Program:
    name: str
    words: callable
    beside_loop: bool = False   # somebody else wants each CPU all the time

    def missing(self):
        return not shutil.which(self.words()[0])


def clang():
    return ["clang", "-O2", "-c", "-o", "/dev/null", source_file()]


PERL = 'my @h; push @h, { number => $_, name => "row $_" } for 1 .. 60000; print scalar @h, "\\n"'
PROGRAMS = [
    Program("jq", lambda: ["jq", "-c", "map(.name) | length", json_file()]),
    Program("perl", lambda: ["perl", "-e", PERL]),
    Program("sqlite3", lambda: ["sqlite3", ":memory:", f".read {rows_file()}"]),
    Program("clang -O2", clang),
    Program("clang -O2 beside a busy loop", clang, beside_loop=True),
]


# ---- the ways ----

def memtracebpf(*options):
    return lambda pid: [MEMTRACEBPF, "-p", pid, "-i", "3600", *options]


# Attached to a stopped shell that then becomes the program, but heaptrack, which starts it.
WAYS = {
    "none": None,
    "floor": lambda pid: [BENCH / "floor", "-p", pid],
    "memtracebpf": memtracebpf(),
    "memtracebpf --sample-bytes 512K": memtracebpf("--sample-bytes", "512K"),
    "heaptrack": None,
}


def attached(words, attach):
    """(CPU seconds, wall seconds)"""
    target = subprocess.Popen(["sh", "-c", 'kill -STOP $$; exec "$@"', "sh", *map(str, words)],
                              stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL)
    os.waitpid(target.pid, os.WUNTRACED)
    session = None
    try:
        if attach:
            session = profilers.Session(attach(target.pid), "tracing")
        begin = time.monotonic()
        os.kill(target.pid, 18)
        _, status, usage = os.wait4(target.pid, 0)
        wall = time.monotonic() - begin
        target.returncode = status
        if status:
            raise Failed("the program failed")
        return usage.ru_utime + usage.ru_stime, wall
    finally:
        if session:
            session.end()
        if target.returncode is None:
            target.kill()
            target.wait()


def under_heaptrack(words):
    """The same; with what its shell script takes, some 10 ms. It takes itself out of the environment,
    so that children of what it starts would not be traced."""
    begin = time.monotonic()
    script = subprocess.Popen(["heaptrack", "--raw", "-o", str(BENCH / "heaptrack"),
                               *map(str, words)], stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(script.pid, 0)
    script.returncode = status
    if status:
        raise Failed("does not start")
    return usage.ru_utime + usage.ru_stime, time.monotonic() - begin


@contextlib.contextmanager
def busy_loops(wanted):
    loops = [subprocess.Popen(["sh", "-c", "while :; do :; done"])
             for _ in range(os.cpu_count() // 2 if wanted else 0)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def compare(rounds):
    """Rows of one program and one way: seconds a round, of all ways in turn."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    rows = []
    for program in PROGRAMS:
        if program.missing():
            continue
        words = program.words()
        times = {name: [] for name in WAYS if name != "heaptrack" or shutil.which(name)}
        attached(words, None)   # what it reads is in memory from here on
        with busy_loops(program.beside_loop):
            for _ in range(rounds):
                for name, taken in times.items():
                    taken.append(under_heaptrack(words) if name == "heaptrack" else
                                 attached(words, WAYS[name]))
        rows += [{"program": program.name, "way": name, "cpu": [cpu for cpu, _ in taken],
                  "wall": [wall for _, wall in taken]} for name, taken in times.items()]
    return rows


def medians(rows, key):
    """{program: {way: seconds}}"""
    result = {}
    for row in rows:
        result.setdefault(row["program"], {})[row["way"]] = statistics.median(row[key])
    return result


def of_floor(seconds):
    """What we add, of what the empty programs add."""
    return ((seconds["memtracebpf"] - seconds["none"]) / (seconds["floor"] - seconds["none"]))


# ---- stacks that are cut ----

def cut_stacks():
    """Share of the stacks of a first and a second clang, of one session that knows none before."""
    words = [str(word) for word in clang()]
    done = subprocess.run([MEMTRACEBPF, "--follow-fork", "--leaks-at-exit", "--format", "json",
                           "--top", "0", "-i", "3600", "--", "sh", "-c", '"$@"; "$@"; :', "sh",
                           *words], capture_output=True, text=True)
    counts = []     # of each process: the driver starts others of its name
    for line in done.stdout.splitlines():
        report = json.loads(line)
        if report["exited"] and report["processes"][0]["comm"] == "clang":
            counts.append((report["lost"]["frames_cut"],
                           sum(stat["alloc_count"] for stat in report["statistics"])))
    half = len(counts) // 2
    if not half:
        raise Failed("no reports")
    return {"first": share(counts[:half]), "second": share(counts[half:])}


def share(counts):
    return sum(cut for cut, _ in counts) / sum(count for _, count in counts)
