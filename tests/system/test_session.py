# SPDX-License-Identifier: GPL-2.0-or-later
"""One run: how it ends, with which status, what it says of targets that die, what does not stop it."""

import os
import select
import shutil
import signal
import subprocess
import time

import pytest

from tracing import (MEMTRACEBPF, TIMEOUT, WORKLOADS, Process, Stream, Tracer, Workload, assert_lines)


def reports_of(tracer):
    reports = []
    while (report := tracer.report()) is not None:
        reports.append(report)
    return reports


def wait_for(condition):
    deadline = time.monotonic() + TIMEOUT
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return found


class Deaf(Process):
    """memtracebpf whose stderr takes nothing any more once it traces: at the next word that it says,
    its main thread waits until hear()."""

    def __init__(self, *arguments, **kwargs):
        self.reader, self.writer = os.pipe()
        super().__init__(MEMTRACEBPF, *arguments, stderr=self.writer, **kwargs)
        said = b""
        while b"tracing " not in said or not said.endswith(b"\n"):
            if select.select([self.reader], [], [], 0.1)[0]:
                said += os.read(self.reader, 4096)
            else:
                assert self.alive(), said
        os.set_blocking(self.writer, False)
        for size in (4096, 1):
            try:
                while True:
                    os.write(self.writer, b"." * size)
            except BlockingIOError:
                pass
        os.set_blocking(self.writer, True)

    def hear(self):
        os.close(self.writer)
        self.err = Stream(os.fdopen(self.reader, "rb"))

    def get_stuck(self, directory):
        """It says that it wrote a snapshot: waits until that is there."""
        self.signal(signal.SIGUSR1)
        wait_for(lambda: list(directory.glob("*.pb.gz")))


@pytest.mark.parametrize("command, status", [("exit 0", 0), ("exit 3", 3), ("kill -TERM $$", 143),
                                             ("kill -SEGV $$", 139)])
def test_status_is_the_commands(spawn, command, status):
    tracer = spawn(Tracer, "--", "sh", "-c", command, stdin=subprocess.DEVNULL)
    assert len(reports_of(tracer)) == 1
    assert tracer.wait() == status


def test_status_of_a_command_that_we_end(spawn):
    """What was asked for was done."""
    tracer = spawn(Tracer, "--duration", 0.2, "--", "sleep", 1000)
    assert tracer.last()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGILL])
def test_killed_target_is_reported(spawn, number):
    workload = spawn(Workload, "alloc.fp", "entry_points")
    tracer = spawn(Tracer, "-p", workload.pid)
    workload.signal(number)
    report = tracer.last()
    assert report["killed"] == {"count": 1, "processes": [
        {"pid": workload.pid, "comm": "alloc.fp", "signal": number.name}]}


def test_killed_command_is_reported_in_words(spawn):
    done = spawn(Process, MEMTRACEBPF, "--", "sh", "-c", "kill -ILL $$")
    assert done.wait() == 128 + signal.SIGILL
    line, = (line for line in done.out.lines if line.startswith("Killed: "))
    assert "was killed by SIGILL while traced; " in line and "report" in line
    done = spawn(Process, MEMTRACEBPF, "--", "sh", "-c", "kill $$")
    done.wait()
    line, = (line for line in done.out.lines if line.startswith("Killed: "))
    assert line.endswith("was killed by SIGTERM while traced")


@pytest.mark.alone
def test_killed_of_the_machine(spawn, tmp_path):
    """Only what looks like a fault, ten names, and each in one report."""
    shell = shutil.copy(shutil.which("sh"), tmp_path / f"mt{os.getpid()}")
    tracer = spawn(Tracer, "--comm", shell.name, interval=1)
    for number in ["SEGV"] * 4 + ["ILL"] * 4 + ["ABRT"] * 4 + ["TERM", "KILL", "USR1"]:
        subprocess.run([shell, "-c", f"ulimit -c 0; kill -{number} $$"], check=False)
    # The shell is another program only once it has its own name.
    reports = [tracer.report() for _ in range(3)]
    reports.append(tracer.stop())
    killed = [report["killed"] for report in reports]
    assert sum(one["count"] for one in killed) == 12
    named = [process for one in killed for process in one["processes"]]
    assert all(len(one["processes"]) == min(10, one["count"]) for one in killed)
    assert {process["comm"] for process in named} == {shell.name}
    assert {process["signal"] for process in named} <= {"SIGSEGV", "SIGILL", "SIGABRT"}


def test_killed_is_in_the_snapshot(spawn, tmp_path):
    file = tmp_path / "a.pb.gz"
    tracer = spawn(Tracer, "-o", file, "--", "sh", "-c", "kill -BUS $$")
    report, = reports_of(tracer)
    done = spawn(Process, MEMTRACEBPF, "report", file)
    assert done.wait() == 0
    pid = report["killed"]["processes"][0]["pid"]
    assert any(line.startswith(f"Killed: sh ({pid}) was killed by SIGBUS") for line in done.out.lines)


def test_second_signal_ends_at_once(spawn, tmp_path):
    workload = spawn(Workload, "alloc.fp", "entry_points")
    file = tmp_path / "a.pb.gz"
    tracer = spawn(Deaf, "-p", workload.pid, "-o", file)
    tracer.signal(signal.SIGINT)
    wait_for(file.exists)
    assert tracer.alive()
    tracer.signal(signal.SIGTERM)
    assert tracer.popen.wait(timeout=TIMEOUT) == 128 + signal.SIGTERM
    tracer.hear()
    workload.run()


def test_hangup_is_like_term(spawn):
    """Also where the tests themselves run under nohup."""
    workload = spawn(Workload, "alloc.fp", "entry_points")
    tracer = spawn(Tracer, "-p", workload.pid,
                   preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL))
    truth = workload.run()
    assert_lines(tracer.stop(signal.SIGHUP), truth)


def test_hangup_under_nohup(spawn):
    workload = spawn(Workload, "alloc.fp", "entry_points")
    tracer = spawn(Tracer, "-p", workload.pid, interval=0.1,
                   preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    tracer.signal(signal.SIGHUP)
    truth = workload.run()
    tracer.pass_interval()
    assert_lines(tracer.stop(), truth)


def test_output_that_nobody_reads(spawn, tmp_path):
    workload = spawn(Workload, "alloc.fp", "entry_points")
    workload.run()
    reader, writer = os.pipe()
    file = tmp_path / "a.pb.gz"
    tracer = subprocess.Popen([MEMTRACEBPF, "-p", str(workload.pid), "--format", "json", "-i", "0.001",
                               "-o", file], stdout=writer)
    try:
        wait_for(lambda: not select.select([], [writer], [], 0)[1])
        tracer.send_signal(signal.SIGINT)
        assert tracer.wait(timeout=TIMEOUT) == 0
    finally:
        tracer.kill()
        tracer.wait()
        os.close(reader)
        os.close(writer)
    assert file.exists()


def test_snapshot_although_stdout_fails(spawn, tmp_path):
    """What could not be printed is no reason to stop, nor to lose the file."""
    file = tmp_path / "a.pb.gz"
    with open("/dev/full", "w") as full:
        done = subprocess.run([MEMTRACEBPF, "-i", "0.1", "-n", "3", "-o", file, "--", "sleep", "1000"],
                              stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1
    assert done.stderr.count("No space left") == 1
    assert file.exists()


def test_snapshot_is_tried_first(spawn, tmp_path):
    done = spawn(Process, MEMTRACEBPF, "-o", tmp_path / "none" / "a.pb.gz", "--", "sh", "-c",
                 f"touch {tmp_path}/ran")
    assert done.wait() == 1
    assert len(done.err.lines) == 1 and "No such file" in done.err.lines[0]
    assert list(tmp_path.iterdir()) == []


def test_file_size_limit(spawn, tmp_path):
    done = spawn(Process, "sh", "-c", 'ulimit -f 1; exec "$0" "$@"', MEMTRACEBPF, "-o",
                 tmp_path / "a.pb.gz", "--", "python3", "-c", "pass")
    assert done.wait() == 1
    assert "File too large" in done.err.lines[-1]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.alone
def test_command_is_not_stopped_without_room_for_the_word(spawn, tmp_path):
    """The tracer is busy, and as many children end as words fit: the next program runs."""
    tracer = spawn(Deaf, "--follow-fork", "--format", "json", "-o", tmp_path / "a.pb.gz", "--",
                   WORKLOADS / "crowd.nofp", 7000, "/bin/echo", "done")
    tracer.out.expect("ready")
    tracer.get_stuck(tmp_path)
    tracer.say()
    tracer.out.expect("done")
    tracer.hear()
    assert tracer.wait() == 0


def test_setuid_command_survives_our_death(spawn, tmp_path):
    """It is stopped for us when we are killed."""
    os.chmod(tmp_path, 0o755)
    echo = shutil.copy(shutil.which("echo"), tmp_path / f"mt{os.getpid()}")
    os.chown(echo, 65534, 65534)
    os.chmod(echo, 0o6755)
    tracer = spawn(Deaf, "-o", tmp_path / "a.pb.gz", "--", "sh", "-c", f"echo $$; read _; exec {echo} on")
    pid = int(tracer.out.next())
    tracer.get_stuck(tmp_path)
    tracer.say()

    def is_stopped():
        with open(f"/proc/{pid}/stat") as stat:
            name, state = stat.read().split("(")[1].rsplit(")", 1)
        return name == echo.name and state.split()[0] == "T"

    wait_for(is_stopped)
    tracer.signal(signal.SIGKILL)
    tracer.out.expect("on")
    tracer.hear()


def test_flood_of_events(spawn):
    """A process that calls the dynamic linker's hook all the time."""
    flood = spawn(Process, "python3", "-u", "-c",
                  "import ctypes\nlibc = ctypes.CDLL(None)\nlibc.dlvsym.restype = ctypes.c_void_p\n"
                  "hook = libc.dlvsym(None, b'_dl_debug_state', b'GLIBC_PRIVATE')\n"
                  "f = ctypes.CFUNCTYPE(None)(hook)\nprint('ready')\nwhile True: f()")
    flood.out.expect("ready")
    tracer = spawn(Tracer, "-p", flood.pid, interval=0.2)
    tracer.report()
    tracer.report()
    assert tracer.stop()


def test_many_mappings_of_code(spawn):
    """Each is looked up, not looked for: a report does not take minutes."""
    target = spawn(Process, "python3", "-u", "-c",
                   "import ctypes, sys\nfile = open(sys.executable, 'rb')\n"
                   "mmap = ctypes.CDLL(None).mmap\nmmap.restype = ctypes.c_void_p\n"
                   "for _ in range(20000): mmap(None, 4096, 5, 2, file.fileno(), 0)\n"
                   "print('ready')\ninput()")
    target.out.expect("ready")
    tracer = spawn(Tracer, "-p", target.pid)
    assert tracer.stop()
