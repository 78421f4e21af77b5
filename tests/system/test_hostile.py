# SPDX-License-Identifier: GPL-2.0-or-later
"""What another user's processes and files must not be able to make root do."""

import ctypes
import fcntl
import json
import os
import pathlib
import shutil
import signal
import stat
import struct
import subprocess

import pytest

from tracing import MEMTRACEBPF, WORKLOADS, Process, Tracer

STRANGER = ("/usr/bin/setpriv", "--reuid=12345", "--regid=12345", "--clear-groups")
IN_OPEN = 0x20
FULL = os.makedev(1, 7)     # opening /dev/full does nothing

libc = ctypes.CDLL(None, use_errno=True)


class Opens:
    """Counts who opens a file from now on; a descriptor to look at it only is no opening."""

    def __init__(self, path):
        self.fd = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        assert libc.inotify_add_watch(self.fd, os.fsencode(path), IN_OPEN) >= 0

    def count(self):
        n = 0
        try:
            while events := os.read(self.fd, 65536):
                while events:
                    name_size, = struct.unpack_from("I", events, 12)
                    events = events[16 + name_size:]
                    n += 1
        except BlockingIOError:
            return n


@pytest.fixture
def device():
    """A device in our /dev of which no driver minds."""
    path = pathlib.Path(f"/dev/mt{os.getpid()}")
    os.mknod(path, stat.S_IFCHR | 0o666, FULL)
    yield path
    path.unlink()


@pytest.mark.alone
def test_program_named_as_a_device(spawn, public, device):
    """In a user's own /dev a program has the name of a device in ours; it ends before we look."""
    program = shutil.copy(WORKLOADS / "quick.musl-static", public)
    opens = Opens(device)
    with open(device):
        assert opens.count() == 1
    tracer = spawn(Tracer, interval=0.1)
    script = 'mount -t tmpfs none /dev && cp "$0" "$1" && for i in $(seq 30); do "$1"; done'
    runs = spawn(Process, *STRANGER, "unshare", "-Urm", "sh", "-ec", script, program, device)
    assert runs.wait() == 0, runs.err.lines
    tracer.pass_interval()
    tracer.stop()
    assert opens.count() == 0


# ---- source lines ----

def compile_claims(path, claims, *flags):
    """A program that allocates once for each (file, line) which it claims to be compiled from."""
    body = "\n".join(f'# {line} "{file}"\n\tblocks[{i}] = malloc({100 + i});'
                     for i, (file, line) in enumerate(claims))
    program = ("#include <stdio.h>\n#include <stdlib.h>\n"
               f"void *volatile blocks[{len(claims)}];\nint main(void)\n{{\n"
               '\tputs("ready");\n\tfflush(stdout);\n\tgetchar();\n' + body +
               '\n\tputs("done");\n\tfflush(stdout);\n\tgetchar();\n\treturn 0;\n}\n')
    subprocess.run(["gcc", "-g", "-O1", *flags, "-x", "c", "-", "-o", path], input=program.encode(),
                   check=True)
    return path


class Claimant(Process):
    """It runs, and waits to be let go."""

    def __init__(self, *command):
        super().__init__(*command)
        self.out.expect("ready")

    def run(self):
        self.say()
        self.out.expect("done")


def report_of(spawn, by, claimants, *options):
    """The lines of the last report in text, when they have allocated."""
    tracer = spawn(Process, MEMTRACEBPF, *by, "-i", 0.1, "-t", 0, *options)
    for _ in range(2):      # it has read all that is mapped by then
        tracer.out.expect("Total: ")
    for claimant in claimants:
        claimant.run()
    tracer.signal(signal.SIGINT)
    assert tracer.wait() == 0, tracer.err.lines
    lines = tracer.out.lines
    last = max(i for i, line in enumerate(lines) if line.startswith("[ "))
    return lines[last:]


def text_under(report, file):
    """Of the report's entry for a line of the file; None: there is none."""
    entry, = (i for i, line in enumerate(report) if line.startswith(f"{file}:"))
    below = report[entry + 1] if entry + 1 < len(report) else ""
    return below.strip() if below.startswith("    ") else None


@pytest.fixture
def leased(public):
    """Who opens it has to wait for 45 s, if he lets himself be made wait."""
    path = public / "leased.c"
    path.write_text("leased\n")
    path.chmod(0o666)
    before = signal.signal(signal.SIGIO, signal.SIG_IGN)
    with open(path, "r+b") as file:
        fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        yield path
    signal.signal(signal.SIGIO, before)


@pytest.mark.parametrize("mode", ["pid", pytest.param("machine", marks=pytest.mark.alone)])
def test_sources_of_a_stranger(spawn, public, device, leased, mode):
    """Who compiled it says which files to show. Those that he could read are shown, and no others."""
    for name, mode_of in ("open.c", 0o644), ("secret.c", 0o600), ("group.c", 0o640), ("far.c", 0o644):
        (public / name).write_text(f"text of {name}\n")
        (public / name).chmod(mode_of)
    (public / "far.c").write_bytes(b"\n" * (8 << 20))
    (public / "huge.c").write_bytes(b"\n" * (17 << 20))
    os.mkfifo(public / "fifo.c", 0o666)
    (public / "link.c").symlink_to(public / "secret.c")
    closed = public / "closed"
    closed.mkdir(mode=0o700)
    (closed / "open.c").write_text("behind a door\n")
    files = [public / name for name in ("open.c", "secret.c", "group.c", "link.c")]
    others = ["/proc/self/environ", "/proc/version", "/sys/kernel/notes", str(device),
              public / "fifo.c", closed / "open.c", leased, "/etc/shadow"]
    claims = [*((file, 1) for file in files + others), ("/proc/kmsg", 100000),
              (public / "far.c", 2000000000), (public / "huge.c", 1)]
    opens = [Opens(path) for path in (device, public / "fifo.c", public / "secret.c", "/etc/shadow")]
    program = compile_claims(public / f"mt{os.getpid()}", claims)
    claimant = spawn(Claimant, *STRANGER, program)
    by = ["-p", claimant.pid] if mode == "pid" else ["--comm", program.name]
    report = report_of(spawn, by, [claimant])
    shown = {str(file): text_under(report, file) for file, _ in claims}
    assert {file: text for file, text in shown.items() if text} == {
        str(public / "open.c"): "text of open.c"}
    assert [watch.count() for watch in opens] == [0] * len(opens)


def test_sources_of_a_group(spawn, public):
    """The owner's groups count, too, and root's own processes show what root may read."""
    (public / "group.c").write_text("for the group\n")
    os.chown(public / "group.c", 0, 4242)
    (public / "group.c").chmod(0o640)
    program = compile_claims(public / "program", [(public / "group.c", 1)])
    for user, text in (("--groups=4242", "for the group"), ("--groups=4243", None)):
        claimant = spawn(Claimant, *STRANGER[:-1], user, program)
        assert text_under(report_of(spawn, ["-p", claimant.pid], [claimant]),
                          public / "group.c") == text
    claimant = spawn(Claimant, program)
    assert text_under(report_of(spawn, ["-p", claimant.pid], [claimant]),
                      public / "group.c") == "for the group"
    claimant = spawn(Claimant, program)
    assert text_under(report_of(spawn, ["-p", claimant.pid], [claimant], "--no-source"),
                      public / "group.c") is None


def test_sources_of_a_snapshot(spawn, public):
    """Of a file as who runs report could read it, and under sudo who called that."""
    for name, mode in ("open.c", 0o644), ("secret.c", 0o600):
        (public / name).write_text(f"text of {name}\n")
        (public / name).chmod(mode)
    program = compile_claims(public / "program", [(public / "open.c", 1), (public / "secret.c", 1),
                                                  ("/proc/kmsg", 1)])
    claimant = spawn(Claimant, *STRANGER, program)
    snapshot = public / "snapshot.pb.gz"
    report_of(spawn, ["-p", claimant.pid], [claimant], "-o", snapshot)
    snapshot.chmod(0o644)
    memtracebpf = shutil.copy(MEMTRACEBPF, public)

    def texts(*command, **env):
        said = subprocess.run([*command, memtracebpf, "report", "-t", "0", snapshot], check=True,
                              capture_output=True, text=True, env={**os.environ, **env})
        report = said.stdout.splitlines()
        return [text_under(report, file)
                for file in (public / "open.c", public / "secret.c", "/proc/kmsg")]

    both, one = ["text of open.c", "text of secret.c", None], ["text of open.c", None, None]
    assert texts() == both
    assert texts(*STRANGER) == one
    assert texts(SUDO_UID="12345", SUDO_GID="12345") == one
    assert texts(SUDO_UID="0", SUDO_GID="0") == both


class Contained(Claimant):
    """The program in a root directory and namespaces of its own."""

    def __init__(self, root, mounted_at):
        mount = 'mount --bind "$0" "$1" && exec chroot "$1" /program'
        super().__init__("/usr/bin/unshare", "--mount", "--pid", "--fork", "sh", "-c", mount, root,
                         mounted_at)
        task = pathlib.Path(f"/proc/{self.pid}/task/{self.pid}/children")
        self.traced, = map(int, task.read_text().split())


def test_sources_of_a_container(spawn, public):
    """They are the container's, or none; of two containers, what both agree on."""
    source = public / "program.c"
    source.write_text("outside\nouter\n")
    roots = [public / name for name in ("first", "second", "third")]
    inside = ["first\n" "both\n", "second\n" "both\n", None]
    for root, text in zip(roots, inside):
        copy = root / str(source).lstrip("/")
        copy.parent.mkdir(parents=True)
        if text:
            copy.write_text(text)
        compile_claims(root / "program", [(source, 1), (source, 2)], "-static")

    def texts(*roots, options=()):
        containers = [spawn(Contained, root, root) for root in roots]
        pids = ",".join(str(container.traced) for container in containers)
        report = report_of(spawn, ["-p", pids], containers, *options)
        return [text_under(report, f"{source}:{line}") for line in (1, 2)]

    snapshot = public / "snapshot.pb.gz"
    assert texts(roots[0], options=("-o", snapshot)) == ["first", "both"]
    assert texts(roots[2]) == [None, None]
    assert texts(roots[0], roots[1]) == [None, "both"]
    said = subprocess.run([MEMTRACEBPF, "report", "-t", "0", snapshot], check=True,
                          capture_output=True, text=True)
    assert text_under(said.stdout.splitlines(), f"{source}:1") is None


# ---- names ----

@pytest.mark.parametrize("first", ["victim", "twin", "copy"])
def test_twin(spawn, public, first):
    """A file with the path and the build id of another's names nothing of that, and joins nothing;
    a copy, byte for byte, is the same file."""
    flags = ("-static", "-Wl,--build-id=0x1234567890abcdef1234567890abcdef12345678")
    claims = {"victim": "/right.c", "twin": "/wrong.c", "copy": "/right.c"}
    roots = {name: public / name for name in claims}
    for name, claim in claims.items():
        roots[name].mkdir()
        compile_claims(roots[name] / "program", [(claim, 1)], *flags)
    shutil.copy(roots["victim"] / "program", roots["copy"] / "program")
    order = [first, *(name for name in claims if name != first)]
    (public / "mounted").mkdir()
    containers = {name: spawn(Contained, roots[name], public / "mounted") for name in order}
    snapshot = public / "snapshot.pb.gz"
    tracer = spawn(Tracer, "-p", ",".join(str(containers[name].traced) for name in order),
                   "-o", snapshot)
    for name in order:
        containers[name].run()
    pids = {name: container.traced for name, container in containers.items()}
    expected = {"/right.c": {pids["victim"], pids["copy"]}, "/wrong.c": {pids["twin"]}}

    def owners(report):
        return {stat["traceback"][0]["file"]: set(stat["pids"]) for stat in report["statistics"]
                if stat["traceback"][0]["file"] in expected}

    assert owners(tracer.stop()) == expected
    said = subprocess.run([MEMTRACEBPF, "report", "--format", "json", "-t", "0", snapshot],
                          check=True, capture_output=True)
    assert owners(json.loads(said.stdout)) == expected
