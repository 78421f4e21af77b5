# SPDX-License-Identifier: GPL-2.0-or-later
import os

import pytest

pytest.register_assert_rewrite("tracing")

import tracing  # noqa: E402


def pytest_configure(config):
    if os.geteuid() != 0:
        raise pytest.UsageError("the system tests attach probes: run them as root")
    if not tracing.MEMTRACEBPF.exists():
        raise pytest.UsageError(f"{tracing.MEMTRACEBPF} is not built: run make")


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
