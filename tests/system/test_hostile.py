# SPDX-License-Identifier: GPL-2.0-or-later
"""What another user's processes and files must not be able to make root do."""

import ctypes
import os
import pathlib
import shutil
import stat
import struct
import tempfile

import pytest

from tracing import WORKLOADS, Process, Tracer

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
def public():
    """A directory that everybody may use."""
    directory = pathlib.Path(tempfile.mkdtemp(prefix="memtracebpf-"))
    directory.chmod(0o777)
    yield directory
    shutil.rmtree(directory)


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
