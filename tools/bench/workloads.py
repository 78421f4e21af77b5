# SPDX-License-Identifier: GPL-2.0-or-later
"""What is traced. A workload runs, waits on us, and does so many operations when it is told to."""
import dataclasses
import os
import pathlib
import shutil
import signal
import subprocess
import threading
import time
from typing import Callable

BUILD = pathlib.Path(os.environ.get("BUILD", "build")).resolve()
BENCH = BUILD / "bench"
TIMEOUT = 60    # seconds in which an answer has to come


class Failed(Exception):
    """A sentence on why there is no figure."""


class NotStarted(Failed):
    """It will not start with another program either."""


class Workload:
    """One running process; subclasses say which, and how it is told to work."""

    def __init__(self, command, wrap):
        command, environment = wrap([str(word) for word in command])
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, text=True, cwd=BENCH,
                                        start_new_session=True,
                                        env={**os.environ, **environment})

    def answer(self, is_answer):
        """The next line that is one; profilers write to the same stream."""
        timer = threading.Timer(TIMEOUT, self.kill)
        timer.start()
        for line in self.process.stdout:
            if is_answer(line):
                timer.cancel()
                return line
        if not timer.is_alive():
            raise Failed(f"no answer in {TIMEOUT} s")
        timer.cancel()
        raise Failed("the program crashed")

    def say(self, text):
        try:
            self.process.stdin.write(text)
            self.process.stdin.flush()
        except BrokenPipeError:
            raise Failed("the program crashed") from None

    def kill(self):
        """With what a profiler has started it from."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass

    def end(self):
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass
        try:
            self.process.wait(TIMEOUT)
        except subprocess.TimeoutExpired:
            pass
        self.kill()
        self.process.wait()
        self.process.stdout.close()


class Lines(Workload):
    """It reads "VERB COUNT" and answers with the nanoseconds of one operation, and of CPU time."""

    def __init__(self, command, verb, wrap):
        super().__init__(command, wrap)
        self.verb = verb
        self.cpu = None     # seconds of the last run, if the program says them
        self.answer(lambda line: line == "ready\n")

    def run(self, count):
        self.say(f"{self.verb} {count}\n")
        answer = self.answer(lambda line: line.replace(".", "").replace(" ", "").strip().isdigit())
        wall, *cpu = [float(word) * count / 1e9 for word in answer.split()]
        self.cpu = cpu[0] if cpu else None
        return wall


def loops(verb, depth=1, threads=1, paths=1):
    return lambda wrap: Lines([BENCH / "loops", depth, threads, paths], verb, wrap)


PYTHON = """
import sys, time
print("ready", flush=True)
for line in sys.stdin:
    count = int(line.split()[1])
    begin = time.perf_counter()
    books = {}
    for i in range(count):
        books[str(i)] = {"number": i, "list": [i]}
    print(round((time.perf_counter() - begin) / count * 1e9, 1), flush=True)
"""


def python(wrap):
    return Lines(["/usr/bin/python3", "-c", PYTHON], "build", wrap)


class Sqlite(Workload):
    """The shell of sqlite3 inserts rows into a database in memory, a statement a row."""

    def __init__(self, wrap):
        super().__init__(["sqlite3", ":memory:"], wrap)
        self.tell("")

    def tell(self, text):
        # What goes to a file is flushed, and this file is the pipe to us.
        self.say(text + ".once /dev/stdout\n.print done\n")
        self.answer(lambda line: line == "done\n")

    def run(self, count):
        script = BENCH / f"rows-{count}.sql"
        if not script.exists():
            script.write_text("begin;\n" + "".join(
                f"insert into t values({i}, 'row {i}', {i * 1.5});\n" for i in range(count))
                + "commit;\n")
        self.tell("drop table if exists t;\n"
                  "create table t(number integer primary key, name text, value real);\n")
        begin = time.monotonic()
        self.tell(f".read {script}\n")
        return time.monotonic() - begin


class Redis(Workload):
    """redis-server under redis-benchmark: values at 100,000 random keys, 16 requests at once."""

    def __init__(self, wrap):
        self.socket = BENCH / "redis.sock"
        self.socket.unlink(missing_ok=True)
        super().__init__(["redis-server", "--port", 0, "--save", "", "--unixsocket", self.socket],
                         wrap)
        self.answer(lambda line: "accept connections at" in line)

    def run(self, count):
        try:
            done = subprocess.run(["redis-benchmark", "-s", self.socket, "-t", "set", "-d", "100",
                                   "-r", "100000", "-P", "16", "-n", str(count), "--csv"],
                                  capture_output=True, text=True, timeout=TIMEOUT, check=True)
        except subprocess.TimeoutExpired:
            raise Failed(f"no answer in {TIMEOUT} s") from None
        except subprocess.CalledProcessError:
            raise Failed("the program crashed") from None
        rate = done.stdout.strip().splitlines()[-1].split(",")[1].strip('"')
        return count / float(rate)

    def end(self):
        subprocess.run(["redis-cli", "-s", self.socket, "shutdown", "nosave"],
                       stderr=subprocess.DEVNULL, timeout=TIMEOUT, check=False)
        super().end()


@dataclasses.dataclass
class Kind:
    """A workload to be: what it is called, and how many operations make one run."""

    name: str
    unit: str
    operations: int
    start: Callable        # with a function that wraps its command
    program: str = "loops"
    needs: str = ""        # to be installed
    holds: bool = True     # what it allocates stays: more operations, more memory
    once: bool = False     # a run is long, and its memory is what it is about

    def missing(self):
        return bool(self.needs) and not shutil.which(self.needs)


KINDS = [
    Kind("pair, depth 4", "pair", 60_000, loops("pair", 1), holds=False),
    Kind("pair, depth 30", "pair", 60_000, loops("pair", 27), holds=False),
    Kind("pair, depth 4, 2 threads", "pair", 60_000, loops("pair", 1, threads=2), holds=False),
    Kind("2,000,011 live blocks", "block", 2_000_011, loops("fill", paths=1000), once=True),
    Kind("growing realloc", "realloc", 60_000, loops("grow"), holds=False),
    Kind("redis-server", "SET", 200_000, Redis, "redis-server", "redis-benchmark"),
    Kind("sqlite3", "row", 300_000, Sqlite, "sqlite3", "sqlite3"),
    Kind("python3", "dict", 200_000, python, "python3", "/usr/bin/python3"),
]
