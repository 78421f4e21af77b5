# SPDX-License-Identifier: GPL-2.0-or-later
"""Memory of memtracebpf itself, as the kernel counts it."""

import subprocess

from tracing import WORKLOADS, Tracer, Workload

MIB = 1 << 20
DEBUG_SECTION = 128 * MIB    # read by libdw, like any section of DWARF
LIMIT = 40 * MIB             # with the tables of the kernel half that are mapped


def status(process):
    """{"VmRSS": bytes, ...}"""
    with open(f"/proc/{process.pid}/status") as lines:
        pairs = (line.split()[:2] for line in lines if line.endswith("kB\n"))
        return {name[:-1]: int(kib) * 1024 for name, kib in pairs}


def test_memory_of_debug_information_is_given_back(spawn, tmp_path):
    zeros = tmp_path / "zeros"
    with open(zeros, "wb") as file:
        file.truncate(DEBUG_SECTION)
    program = tmp_path / "alloc"
    subprocess.run(["objcopy", f"--add-section=.debug_macinfo={zeros}",
                    WORKLOADS / "alloc.nofp", program], check=True)
    workload = spawn(Workload, program, "entry_points")
    tracer = spawn(Tracer, "-p", workload.pid, interval=0.1)
    workload.run()
    while not tracer.report()["statistics"]:
        pass
    used = status(tracer)
    assert used["VmHWM"] > DEBUG_SECTION    # it was needed for the names
    assert used["VmRSS"] < LIMIT
