# SPDX-License-Identifier: GPL-2.0-or-later
"""Files that are not what their paths say: other mount namespaces, roots, layers and versions."""

import os
import pathlib
import re
import shutil
import subprocess

import pytest

from tracing import (MEMTRACEBPF, WORKLOADS, Tracer, Workload, assert_lines, book_of, in_file, losses,
                     sum_of)

pytestmark = pytest.mark.alone

# No other processes are called that.
BOX = f"box{os.getpid()}"
LIBC = "lib/x86_64-linux-gnu/libc.so.6"


def files_of(program):
    """The libraries that it needs, and the linker which says so; a static program needs none."""
    headers = subprocess.run(["readelf", "-l", program], capture_output=True, text=True, check=True)
    linker = re.search("program interpreter: (.*)]", headers.stdout)
    if not linker:
        return []
    listing = subprocess.run([linker[1], "--list", program], capture_output=True, text=True,
                             check=True)
    return {linker[1], *re.findall(r"=> (/\S+) \(0x", listing.stdout)}


def make_root(root, program):
    """A file system of its own with the program and what it needs, all new files."""
    for file in files_of(WORKLOADS / program):
        copy = root / file.lstrip("/")
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, copy)
    root.mkdir(exist_ok=True)
    shutil.copy(WORKLOADS / program, root / BOX)
    return root


def change_build(library):
    """Makes it another build: with an id of its own, here the same one backwards."""
    said = subprocess.run(["readelf", "-n", library], capture_output=True, text=True, check=True)
    old = bytes.fromhex(re.search("Build ID: ([0-9a-f]+)", said.stdout)[1])
    content = library.read_bytes()
    assert content.count(old) == 1
    library.write_bytes(content.replace(old, old[::-1]))


class Container(Workload):
    """A workload in namespaces of its own; `pid` is that of the program, as we see it."""

    def __init__(self, root, *scenario, unshare=("--mount", "--pid"), mounted_at=None):
        mount = ()
        if mounted_at:
            mount = ("sh", "-c", 'mount --bind "$0" "$2" && exec "$@"', root)
        super().__init__("/usr/bin/unshare", *unshare, "--fork", *mount, "chroot",
                         mounted_at or root, f"/{BOX}", *scenario)
        task = pathlib.Path(f"/proc/{self.pid}/task/{self.pid}/children")
        self.pid, = map(int, task.read_text().split())

    def end(self):
        self.pid = self.popen.pid
        super().end()


def is_own(stat, truths):
    """Is it a line of the workloads, and not what a C library takes before main? That is seen only
    where its file was attached to by then."""
    files = {line["file"] for truth in truths for line in truth["lines"]}
    return any(in_file(frame, files) for frame in stat["traceback"])


def assert_each(report, workloads, truths):
    """Lines of the same file are one entry, whoever runs it; the totals are each process' own."""
    assert_lines(report, sum_of(truths))
    for workload, truth in zip(workloads, truths):
        book = book_of(report, workload.pid)
        others = [stat for stat in report["statistics"]
                  if stat["pids"] == [workload.pid] and not is_own(stat, truths)]
        assert (book["size"], book["count"]) == tuple(
            truth[field] + sum(stat[field] for stat in others) for field in ("size", "count"))
    # The very first block of a new file's may come before the file could be read.
    assert losses(report).keys() <= {"frames_cut"}


def owners(report, path):
    """The processes of each entry that has frames of such a file."""
    return {tuple(sorted(stat["pids"])) for stat in report["statistics"]
            if any(path in (frame["module"] or "") for frame in stat["traceback"])}


class Late:
    """A tracer that is there before what it traces, or after it."""

    def __init__(self, spawn, when, *arguments):
        self.start = lambda: spawn(Tracer, "--comm", BOX, *arguments, interval=0.1)
        self.tracer = self.start() if when == "after" else None

    def run(self, workloads):
        self.tracer = self.tracer or self.start()
        self.tracer.pass_interval()     # it has read all that is mapped by now
        truths = [workload.run() for workload in workloads]
        return self.tracer.stop(), truths


@pytest.mark.parametrize("when", ["before", "after"])
def test_roots(spawn, tmp_path, when):
    """glibc, the same once more, another build of it at the same path, musl, and a static program."""
    roots = [make_root(tmp_path / f"{i}{program}", program) for i, program in
             enumerate(["alloc.fp", "alloc.fp", "alloc.fp", "alloc.musl", "processes.static"])]
    change_build(roots[2] / LIBC)
    late = Late(spawn, when, "--group-by", "traceback")
    scenarios = [("mixed", 1000), ("mixed", 1000), ("mixed", 2000), ("mixed", 3000), ("hold", 20)]
    workloads = [spawn(Container, root, *scenario) for root, scenario in zip(roots, scenarios)]
    report, truths = late.run(workloads)
    assert_each(report, workloads, truths)
    pids = [workload.pid for workload in workloads]
    assert owners(report, LIBC) == {tuple(sorted(pids[:2])), (pids[2],)}
    own = [stat for stat in report["statistics"] if is_own(stat, truths)]
    assert {tuple(stat["pids"]) for stat in own} == {
        tuple(sorted(pids[:2])), *((pid,) for pid in pids[2:])}


def test_no_build_id(spawn, tmp_path):
    """Two programs at the same path, which nothing in the files themselves tells apart."""
    workloads = []
    path = tmp_path / "mounted"
    path.mkdir()
    for variant, n in ("fp", 1000), ("nofp", 2000):
        root = make_root(tmp_path / variant, f"alloc.{variant}")
        subprocess.run(["objcopy", "--remove-section=.note.gnu.build-id", root / BOX], check=True)
        workloads.append(spawn(Container, root, "mixed", n, mounted_at=path))
    tracer = spawn(Tracer, "--comm", BOX, "--group-by", "traceback", interval=0.1)
    tracer.pass_interval()
    truths = [workload.run() for workload in workloads]
    report = tracer.stop()
    assert_each(report, workloads, truths)
    for workload, truth in zip(workloads, truths):
        own = [stat for stat in report["statistics"] if stat["pids"] == [workload.pid]]
        assert_lines({"statistics": own}, truth)
    assert len(owners(report, str(path / BOX))) == 2


def test_overlay(spawn, tmp_path):
    """A library in the lower layer, seen from two places, and copied up while it runs."""
    lower = make_root(tmp_path / "lower", "alloc.fp")
    merged = tmp_path / "merged"
    for name in "upper", "work", "merged":
        (tmp_path / name).mkdir()
    mount = ["mount", "-t", "overlay", "overlay", "-o",
             f"lowerdir={lower},upperdir={tmp_path / 'upper'},workdir={tmp_path / 'work'}", merged]
    made = subprocess.run(mount, capture_output=True, text=True)
    if made.returncode:
        pytest.skip(made.stderr)
    try:
        workloads = [spawn(Container, lower, "mixed", 500), spawn(Container, merged, "mixed", 1000)]
        tracer = spawn(Tracer, "--comm", BOX, interval=0.1)
        os.utime(merged / LIBC)
        assert (tmp_path / "upper" / LIBC).exists()
        workloads.append(spawn(Container, merged, "mixed", 2000))
        tracer.pass_interval()
        truths = [workload.run() for workload in workloads]
        assert_each(tracer.stop(), workloads, truths)
    finally:
        subprocess.run(["umount", "-l", merged], check=True)


@pytest.mark.parametrize("when", ["before", "after"])
def test_upgrade(spawn, tmp_path, when):
    """The library is replaced while it runs; who comes later has the new one."""
    root = make_root(tmp_path / "root", "alloc.fp")
    late = Late(spawn, when, "--group-by", "traceback")
    workloads = [spawn(Container, root, "mixed", 1000)]
    new = shutil.copy(root / LIBC, tmp_path / "new")
    change_build(new)
    os.rename(new, root / LIBC)
    workloads.append(spawn(Container, root, "mixed", 2000))
    report, truths = late.run(workloads)
    assert_each(report, workloads, truths)
    old, new = (workload.pid for workload in workloads)
    assert owners(report, LIBC) == {(old,), (new,)}


def test_user_namespace(spawn, tmp_path):
    root = make_root(tmp_path / "root", "alloc.fp")
    workload = spawn(Container, root, "mixed", 1000,
                     unshare=("--user", "--map-root-user", "--mount", "--pid"))
    tracer = spawn(Tracer, "-p", workload.pid)
    truth = workload.run()
    assert_each(tracer.stop(), [workload], [truth])


def test_proc_of_another_pid_namespace():
    """What it says of other pids is not taken for ours."""
    result = subprocess.run(["unshare", "--pid", "--fork", MEMTRACEBPF, "-p", "1"],
                            capture_output=True, text=True)
    assert result.returncode == 1
    assert re.fullmatch(r"memtracebpf: /proc is that of another pid namespace: .*\n", result.stderr)


@pytest.mark.parametrize("by", [["-p", "1"], []])
def test_inside_a_pid_namespace(spawn, by):
    """Numbers are those of the namespace, and so is the machine."""
    outside = spawn(Workload, "processes.nofp", "hold", 10)
    workload = spawn(Workload, "/usr/bin/unshare", "--pid", "--fork", "--mount-proc",
                     WORKLOADS / "processes.nofp", "hold", 20)
    first = pathlib.Path(f"/proc/{workload.pid}/task/{workload.pid}/children").read_text().strip()
    tracer = spawn(Tracer, *by, interval=0.1,
                   within=("/usr/bin/nsenter", "--target", first, "--pid", "--mount"))
    outside.run()
    truth = workload.run()
    tracer.pass_interval()
    report = tracer.report()
    assert "pids are those of this container" in tracer.err.lines
    assert report["pids"] == [1]
    assert book_of(report, 1)["count"] == truth["count"]
    assert_lines(report, truth)
