# SPDX-License-Identifier: GPL-2.0-or-later
import fcntl
import os
import pathlib
import shutil
import tempfile

import pytest

pytest.register_assert_rewrite("tracing")

import tracing  # noqa: E402


def pytest_configure(config):
    config.addinivalue_line("markers", "alone: traces the whole machine, so no other test runs beside it")
    config.addinivalue_line("markers", "soak: takes long, and is run by make soak")
    if os.geteuid() != 0:
        raise pytest.UsageError("the system tests attach probes: run them as root")
    if not tracing.MEMTRACEBPF.exists():
        raise pytest.UsageError(f"{tracing.MEMTRACEBPF} is not built: run make")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    if config.option.markexpr != "soak":
        items[:] = [item for item in items if not item.get_closest_marker("soak")]
    items.sort(key=lambda item: item.get_closest_marker("alone") is not None)


@pytest.fixture(autouse=True)
def room_for_one_or_many(request):
    """With pytest -n, tests run beside each other; those marked `alone` do not."""
    tracing.alone = request.node.get_closest_marker("alone") is not None
    with open(tracing.MEMTRACEBPF, "rb") as lock:   # in `make kernels` nothing can be written
        fcntl.flock(lock, fcntl.LOCK_EX if tracing.alone else fcntl.LOCK_SH)
        yield


@pytest.fixture
def spawn():
    """spawn(Class, ...) starts a process that ends with the test, however that ends."""
    processes = []

    def start(kind, *args, **kwargs):
        process = kind(*args, **kwargs)
        processes.append(process)
        return process

    yield start
    for process in reversed(processes):
        process.end()


@pytest.fixture
def public():
    """A directory that everybody may use."""
    directory = pathlib.Path(tempfile.mkdtemp(prefix="memtracebpf-"))
    directory.chmod(0o777)
    yield directory
    shutil.rmtree(directory)
