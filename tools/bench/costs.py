# SPDX-License-Identifier: GPL-2.0-or-later
"""What each way of tracing costs each workload.

Every round runs each way once, in turn, so that a machine that gets slower meanwhile slows all of
them; every process is new, so that no way inherits another's state.
"""
import dataclasses
import statistics
import time

import process
from workloads import Failed, NotStarted

BUDGET = 1.2    # seconds of runs that a way may take for a workload in a round
RUNS = 10       # of them the fastest counts: what is slower was disturbed


@dataclasses.dataclass
class Measurement:
    """Of one way on one workload: a value a round each."""

    way: str
    against: str
    operations: list = dataclasses.field(default_factory=list)
    ns: list = dataclasses.field(default_factory=list)          # an operation,
    cpu_ns: list = dataclasses.field(default_factory=list)      # and of CPU time, where known
    own_cpu: list = dataclasses.field(default_factory=list)     # share of the runs' time
    target_kib: list = dataclasses.field(default_factory=list)  # resident memory of the workload,
    own_kib: list = dataclasses.field(default_factory=list)     # of the profiler's processes,
    kernel_kib: list = dataclasses.field(default_factory=list)  # and its BPF tables
    failure: str = None         # why there are no figures
    starts: bool = True

    def median_ns(self):
        return statistics.median(self.ns)

    def median_added_kib(self, untraced):
        """Memory that would not be used without it."""
        target = statistics.median(self.target_kib) - statistics.median(untraced.target_kib)
        return target + statistics.median(self.own_kib) + statistics.median(self.kernel_kib)


def affordable(kind, workload, seconds):
    """How many operations take so long, at most those of a whole run."""
    count = max(kind.operations // 100, 1)
    # The first time, profilers look at libraries and stacks that they have never seen.
    workload.run(count)
    while True:
        taken = workload.run(count)
        if count == kind.operations or taken > seconds / 4:
            return max(1, min(kind.operations, int(count * seconds / taken)))
        count = min(kind.operations, 4 * count)


def fastest_run(kind, workload):
    """(operations, seconds, seconds of CPU time or None)"""
    count = affordable(kind, workload, 15 * BUDGET if kind.once else BUDGET)
    runs, cpu = [workload.run(count)], [getattr(workload, "cpu", None)]
    while not kind.once and len(runs) < RUNS and sum(runs) + runs[-1] < BUDGET:
        runs.append(workload.run(count))
        cpu.append(getattr(workload, "cpu", None))
    return count, min(runs), min(cpu) if None not in cpu else None


def target_of(kind, members):
    """Which of the processes is the workload: heaptrack is a parent of it, valgrind runs as it."""
    return next((pid for pid in members if process.comm(pid) == kind.program), members[0])


def kernel_kib(pids, before):
    """BPF tables that came since then, if the processes have any."""
    if not any(process.descriptors(pid, "map_id") for pid in pids):
        return 0
    return sum(size for number, size in process.bpf_maps().items() if number not in before) / 1024


def measure_round(kind, way, measured):
    maps_before = process.bpf_maps()
    workload = kind.start(way.wrap)
    session = None
    try:
        members = process.family(workload.process.pid)
        target = target_of(kind, members)
        if way.command:
            session = way.attach(target)
            members += process.family(session.process.pid)
        own = [pid for pid in members if pid != target]
        cpu_before = sum(process.cpu_seconds(pid) for pid in own)
        begin = time.monotonic()
        count, fastest, cpu = fastest_run(kind, workload)
        measured.operations.append(count)
        if cpu is not None:
            measured.cpu_ns.append(cpu / count * 1e9)
        measured.ns.append(fastest / count * 1e9)
        measured.own_cpu.append((sum(process.cpu_seconds(pid) for pid in own) - cpu_before)
                                / (time.monotonic() - begin))
        measured.target_kib.append(process.resident_kib(target)[0])
        measured.own_kib.append(sum(process.resident_kib(pid)[0] for pid in own))
        measured.kernel_kib.append(kernel_kib(own, maps_before))
    finally:
        if session:
            session.end()
        workload.end()


def compare(kind, ways, rounds):
    """{name of the way: Measurement}"""
    costs = {way.name: Measurement(way.name, way.against) for way in ways}
    for _ in range(rounds):
        for way in ways:
            measured = costs[way.name]
            if measured.failure:
                continue
            try:
                measure_round(kind, way, measured)
            except Failed as failure:
                measured.failure = str(failure)
                measured.starts = not isinstance(failure, NotStarted)
    return costs
