# SPDX-License-Identifier: GPL-2.0-or-later
"""Processes with pipes whose lines can be waited for: workloads, memtracebpf, anything else."""

import collections
import datetime
import json
import os
import pathlib
import queue
import re
import shutil
import signal
import subprocess
import threading

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("BUILD", "build"))
BUILD = BUILD if BUILD.is_absolute() else ROOT / BUILD
MEMTRACEBPF = BUILD / "memtracebpf"
WORKLOADS = BUILD / "workloads"

# No test depends on this: it only ends one that hangs.
TIMEOUT = 120

# Whether no other test runs beside this one: conftest.py.
alone = False

Books = collections.namedtuple("Books", "size count alloc_size alloc_count")


class Stream:
    """The lines of a pipe, read as they come."""

    def __init__(self, pipe):
        self.lines = []
        self._queue = queue.Queue()
        threading.Thread(target=self._read, args=(pipe,), daemon=True).start()

    def _read(self, pipe):
        for line in pipe:
            self._queue.put(line.decode(errors="replace").rstrip("\n"))
        self._queue.put(None)

    def next(self):
        """The next line; None at the end."""
        try:
            line = self._queue.get(timeout=TIMEOUT)
        except queue.Empty:
            raise AssertionError(f"no line within {TIMEOUT} s; so far {self.lines[-5:]}") from None
        if line is None:
            self._queue.put(None)
        else:
            self.lines.append(line)
        return line

    def expect(self, start):
        """Waits for a line that starts so."""
        return self.find("^" + re.escape(start))

    def find(self, pattern):
        """Waits for a line that has it."""
        seen = len(self.lines)
        while (line := self.next()) is not None:
            if re.search(pattern, line):
                return line
        raise AssertionError(f"ended without a line '{pattern}': {self.lines[seen:]}")

    def rest(self):
        while self.next() is not None:
            pass
        return self.lines


def lacks(what):
    """Skips a test for what is not installed; with ALL_PROGRAMS in the environment it fails."""
    (pytest.fail if os.environ.get("ALL_PROGRAMS") else pytest.skip)(f"needs {what}")


def needs(program):
    if not shutil.which(program):
        lacks(program)


def traces_the_machine(command):
    """Whether this is a memtracebpf that puts probes into everybody's files."""
    words = set(" ".join(command).split())
    return str(MEMTRACEBPF) in words and not words & {"-p", "--", "report", "diff", "doctor"}


class Process:
    """A child of the test, in a session of its own so that its children end with it."""

    def __init__(self, *command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, **kwargs):
        self.command = [str(word) for word in command]
        assert alone or not traces_the_machine(self.command), "needs @pytest.mark.alone"
        self.popen = subprocess.Popen(
            self.command, stdin=stdin, stdout=subprocess.PIPE, stderr=stderr,
            start_new_session=True, **kwargs)
        self.pid = self.popen.pid
        self.out = Stream(self.popen.stdout)
        self.err = Stream(self.popen.stderr) if stderr == subprocess.PIPE else None

    def say(self, line=""):
        self.popen.stdin.write(line.encode() + b"\n")
        self.popen.stdin.flush()

    def signal(self, number):
        os.kill(self.pid, number)

    def wait(self):
        """Exit status, when everything has been said."""
        self.out.rest()
        self.err.rest()
        return self.popen.wait(timeout=TIMEOUT)

    def alive(self):
        return self.popen.poll() is None

    def end(self):
        if self.alive():
            self.popen.kill()
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.popen.wait()


class Workload(Process):
    """A program of tests/workloads, waiting at its first barrier."""

    def __init__(self, program, *scenario, **kwargs):
        super().__init__(WORKLOADS / program, *scenario, **kwargs)
        self.out.expect("ready")

    def truth(self):
        return json.loads(self.out.expect("{"))

    def run(self):
        """Past the barrier; the truth, while the blocks are still held."""
        self.say()
        return self.truth()


class Tracer(Process):
    """memtracebpf --format json, counting; `within`: started by another program."""

    def __init__(self, *arguments, interval=3600, top=0, within=(), **kwargs):
        super().__init__(*within, MEMTRACEBPF, "--format", "json", "--interval", interval, "--top", top,
                         *arguments, **kwargs)
        try:
            self.err.expect("tracing ")
        except AssertionError:
            self.end()
            raise

    def report(self):
        """The next report; None at the end."""
        while (line := self.out.next()) is not None:
            if line.startswith('{"version"'):
                return json.loads(line)
        return None

    def pass_interval(self):
        """Waits until a whole interval has passed that began after now."""
        now = datetime.datetime.now(datetime.timezone.utc)
        while datetime.datetime.fromisoformat(self.report()["time"].replace("Z", "+00:00")) < now:
            pass
        self.report()

    def last(self):
        """The last report of a tracer that is about to end by itself."""
        last = None
        while (report := self.report()) is not None:
            last = report
        assert self.wait() == 0, self.err.lines
        assert last, f"no report; stderr: {self.err.lines}"
        return last

    def stop(self, number=signal.SIGINT):
        self.signal(number)
        return self.last()


def trace(spawn, program, *scenario, options=(), **kwargs):
    """One run from attaching to Ctrl-C: (last report, truth)."""
    workload = spawn(Workload, program, *scenario, **kwargs)
    tracer = spawn(Tracer, "-p", workload.pid, *options)
    truth = workload.run()
    return tracer.stop(), truth


def losses(report):
    """What was lost, by name, where it is not zero; frames_cut_by and by_reason say the same in detail."""
    return {name: n for name, n in report["lost"].items() if n and isinstance(n, int)}


def assert_nothing_lost(report):
    assert losses(report) == {}, report["lost"]["frames_cut_by"]


def in_file(frame, files):
    return frame["file"] is not None and os.path.basename(frame["file"]) in files


def lines_of(report, *files):
    """{(file, line): Books} of the statistics whose first frame in `files` is that line."""
    lines = collections.defaultdict(lambda: Books(0, 0, 0, 0))
    for stat in report["statistics"]:
        frames = [f for f in stat["traceback"] if in_file(f, files)]
        if frames:
            key = os.path.basename(frames[0]["file"]), frames[0]["line"]
            books = Books(*(stat[field] for field in Books._fields))
            lines[key] = Books(*map(sum, zip(lines[key], books)))
    return dict(lines)


def lines_of_truth(truth):
    return {(line["file"], line["line"]): Books(*(line[field] for field in Books._fields))
            for line in truth["lines"]}


def assert_lines(report, truth):
    """Every line of the workload's files, and no other one, to the byte."""
    expected = lines_of_truth(truth)
    assert lines_of(report, *{file for file, _ in expected}) == expected


def sum_of(truths):
    """Of processes that run the same file, whose lines are one entry each: one truth."""
    lines = collections.defaultdict(lambda: Books(0, 0, 0, 0))
    for truth in truths:
        for line, books in lines_of_truth(truth).items():
            lines[line] = Books(*map(sum, zip(lines[line], books)))
    return {"lines": [{"file": file, "line": line, **books._asdict()}
                      for (file, line), books in lines.items()]}


def book_of(report, pid):
    """The process' entry in the table; it has no other."""
    book, = (process for process in report["processes"] if process["pid"] == pid)
    return book


def own_copy(program, directory, name="mt"):
    """A copy of a workload whose processes' name is no others', whoever runs tests beside us."""
    return pathlib.Path(shutil.copy(WORKLOADS / program, directory / f"{name}{os.getpid()}"))


def assert_totals(report, truth):
    """The process as a whole: only where nothing but the workload's lines allocates."""
    traced = report["traced"]
    assert (traced["size"], traced["count"]) == (truth["size"], truth["count"])
    statistics = report["statistics"]
    assert sum(s["alloc_size"] for s in statistics) == truth["alloc_size"]
    assert sum(s["alloc_count"] for s in statistics) == truth["alloc_count"]


def functions(stat):
    return [frame["function"] for frame in stat["traceback"]]


def stacks_of(report):
    """{((module, offset), ...): statistic}: physical frames, most recent call first."""
    return {tuple((os.path.basename(f["module"] or "?"), f["offset"])
                  for f in stat["traceback"] if not f["inlined"]): stat
            for stat in report["statistics"]}
