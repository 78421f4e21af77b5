# SPDX-License-Identifier: GPL-2.0-or-later
"""One clear sentence, the right exit status, nothing left attached."""

import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

import pytest

from tracing import MEMTRACEBPF, TIMEOUT, WORKLOADS, Process, Tracer, Workload


def run(*arguments, command=(MEMTRACEBPF,), **kwargs):
    return subprocess.run([str(word) for word in (*command, *arguments)], capture_output=True,
                          text=True, timeout=TIMEOUT, stdin=subprocess.DEVNULL, **kwargs)


def assert_refused(result, *words, status=1):
    """One sentence on stderr that has all the words, and nothing else anywhere."""
    assert result.returncode == status, result
    assert result.stdout == ""
    lines = result.stderr.splitlines()
    assert 1 <= len(lines) <= (2 if status == 2 else 1), lines
    assert lines[0].startswith("memtracebpf: ")
    for word in words:
        assert word in result.stderr


def test_no_such_process(spawn):
    gone = spawn(Process, "true")
    gone.wait()
    assert_refused(run("-p", gone.pid), str(gone.pid))


def test_pid_that_no_kernel_gives():
    assert_refused(run("-p", 999999999), "no process 999999999")


def test_kernel_thread():
    assert pathlib.Path("/proc/2/comm").read_text() == "kthreadd\n"
    assert_refused(run("-p", 2), "2", "kernel thread")


def test_zombie():
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
    try:
        assert_refused(run("-p", child), str(child), "zombie")
    finally:
        os.waitpid(child, 0)


def test_process_without_an_allocator(spawn):
    bare = spawn(Process, WORKLOADS / "bare")
    assert_refused(run("-p", bare.pid), str(bare.pid), "malloc")
    assert bare.alive()


def test_command_without_an_allocator(spawn):
    tracer = spawn(Tracer, "--", WORKLOADS / "bare")
    assert "no known allocator" in tracer.stop()["note"]


def test_itself():
    result = run(command=("sh", "-c", f'exec "{MEMTRACEBPF}" -p $$'))
    assert_refused(result, "itself")


def readable_copy(tmp):
    """Where a user without privileges can run it."""
    os.chmod(tmp, 0o755)
    return shutil.copy(MEMTRACEBPF, tmp)


def test_without_privileges(spawn):
    workload = spawn(Workload, "alloc.fp", "entry_points")
    with tempfile.TemporaryDirectory() as tmp:
        result = run("-p", workload.pid, command=(
            "setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups",
            readable_copy(tmp)))
    assert_refused(result, "CAP_BPF", "CAP_PERFMON", "root")
    assert workload.run()


def test_help_needs_no_privileges():
    with tempfile.TemporaryDirectory() as tmp:
        copy = readable_copy(tmp)
        for option in ("--help", "--version"):
            result = run(option, command=("setpriv", "--reuid", "65534", "--regid", "65534",
                                          "--clear-groups", copy))
            assert (result.returncode, result.stderr) == (0, "")
            assert "memtracebpf" in result.stdout


def test_without_btf(spawn):
    workload = spawn(Workload, "alloc.fp", "entry_points")
    result = run("-p", workload.pid, command=(
        "unshare", "--mount", "sh", "-c",
        'mount -t tmpfs none /sys/kernel/btf && exec "$0" "$@"', MEMTRACEBPF))
    assert_refused(result, "BTF")


@pytest.mark.parametrize("arguments", [
    ["--"],
    ["-p"],
    ["-p", "abc"],
    ["-p", "0"],
    ["-p", "-1"],
    ["-p", "1x"],
    ["-p", "99999999999999999999"],
    ["-p", "1", "--interval", "0"],
    ["-p", "1", "--interval", "-1"],
    ["-p", "1", "--interval", "nan"],
    ["-p", "1", "--interval", "1e99"],
    ["-p", "1", "--count", "0x"],
    ["-p", "1", "--duration", "soon"],
    ["-p", "1", "--top", "-3"],
    ["-p", "1", "--group-by", "moon"],
    ["-p", "1", "--format", "xml"],
    ["-p", "1", "--nframe", "0"],
    ["-p", "1", "--nframe", "128"],
    ["-p", "1", "--min-size", "big"],
    ["-p", "1", "--max-blocks", "0"],
    ["-p", "1", "--max-stacks", "-1"],
    ["-p", "1", "--no-such-option"],
    ["-p", "1", "word"],
    ["-p", "1", "--", "true"],
], ids=" ".join)
def test_usage(arguments):
    assert_refused(run(*arguments), status=2)


def test_command_not_found():
    assert_refused(run("--", "no-such-command"), "no-such-command", status=127)


def test_command_not_executable(tmp_path):
    file = tmp_path / "file"
    file.write_text("no program")
    assert_refused(run("--", file), str(file), status=126)


def test_closed_pipe(spawn):
    """As under `| head -1`: no complaint, and the target runs on."""
    workload = spawn(Workload, "alloc.fp", "entry_points")
    read, write = os.pipe()
    tracer = subprocess.Popen([MEMTRACEBPF, "-p", str(workload.pid), "-i", "0.05"],
                              stdout=write, stderr=subprocess.PIPE, text=True)
    try:
        os.close(write)
        assert os.read(read, 1)
        os.close(read)
        _, err = tracer.communicate(timeout=TIMEOUT)
    finally:
        tracer.kill()
    assert tracer.returncode in (0, -signal.SIGPIPE)
    assert [line for line in err.splitlines() if not line.startswith("tracing ")] == []
    assert workload.run()


def test_full_disk(spawn):
    workload = spawn(Workload, "alloc.fp", "entry_points")
    with open("/dev/full", "w") as full:
        result = subprocess.run([MEMTRACEBPF, "-p", str(workload.pid), "-i", "0.05"], stdout=full,
                                stderr=subprocess.PIPE, text=True, timeout=TIMEOUT)
    assert result.returncode == 1
    assert "No space left" in result.stderr


def test_closed_stdout(spawn):
    """Nothing that memtracebpf opens takes its place."""
    workload = spawn(Workload, "alloc.fp", "entry_points")
    result = run("-p", workload.pid, "-n", 1, "-i", "0.05",
                 command=("sh", "-c", 'exec "$0" "$@" >&-', MEMTRACEBPF))
    assert (result.returncode, result.stdout) == (1, "")
    assert "Bad file descriptor" in result.stderr
    assert workload.run()


def test_one_of_two_pids_is_wrong(spawn):
    workload = spawn(Workload, "alloc.fp", "entry_points")
    gone = spawn(Process, "true")
    gone.wait()
    assert_refused(run("-p", workload.pid, "-p", gone.pid), str(gone.pid))
    assert workload.run()


def test_traced_process_may_be_stopped(spawn):
    """A target under SIGSTOP is attached to like any other."""
    workload = spawn(Workload, "alloc.fp", "entry_points")
    workload.signal(signal.SIGSTOP)
    tracer = spawn(Tracer, "-p", workload.pid)
    workload.signal(signal.SIGCONT)
    truth = workload.run()
    assert tracer.stop()["traced"]["count"] == truth["count"]
