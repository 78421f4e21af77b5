# SPDX-License-Identifier: GPL-2.0-or-later
"""What was set as a goal, and what came of it."""
import statistics

import programs
import tables

MEMLEAK = ("memleak-bpfcc", "memleak's maps")


def added(costs, name):
    return costs[name].median_ns() - costs["none"].median_ns()


def of_floor(costs, name="memtracebpf"):
    """Of CPU time: what is added, of what the floor adds."""
    none, floor, ours = (statistics.median(costs[way].cpu_ns) for way in ("none", "floor", name))
    return (ours - none) / (floor - none)


def against_memleak(costs):
    """How many times less is added than by memleak, and what stood for it."""
    name = next(name for name in MEMLEAK if name in costs and costs[name].ns)
    return added(costs, name) / added(costs, "memtracebpf"), name


def live_memory(costs):
    measured = costs["memtracebpf"]
    kib = statistics.median(measured.own_kib) + statistics.median(measured.kernel_kib)
    return kib / 1024, kib * 1024 / min(measured.operations)


LIMITS = {"jq": 1.4, "perl": 1.42, "sqlite3": 1.4, "clang -O2": 1.5}


def programs_figures(result):
    rows = result.get("whole_programs", [])
    cpu, wall = programs.medians(rows, "cpu"), programs.medians(rows, "wall")
    for name, limit in LIMITS.items():
        if name in cpu:
            yield (f"added to {name}, of what the floor adds, CPU time", f"at most {limit}",
                   f"{programs.of_floor(cpu[name]):.2f}")
    if "clang -O2 beside a busy loop" in cpu:
        beside = "clang -O2 beside a busy loop"
        yield (f"{beside}: the same of wall time, of that of CPU time", "at most 1.6",
               f"{programs.of_floor(wall[beside]) / programs.of_floor(cpu[beside]):.2f}")
    if "cut_stacks" in result:
        yield ("cut stacks of a second clang", "at most 1 %",
               f"{result['cut_stacks']['second']:.1%}")
    for row in result.get("attach", []):
        if row["target"] == "redis-server":
            yield ("attaching to redis-server", "at most 0.25 s",
                   f"{statistics.median(row['seconds']):.2f} s")


def figures(result):
    """Lines of (goal, limit, figure) for all that was measured."""
    workloads = result.get("workloads", {})
    for name, limit in (("pair, depth 4", 1.25), ("pair, depth 30", 1.28),
                        ("pair, depth 4, 2 threads", 1.3)):
        if name in workloads and workloads[name][1]["memtracebpf"].cpu_ns:
            yield (f"added to a {name}, of what the floor adds", f"at most {limit}",
                   f"{of_floor(workloads[name][1]):.2f}")
    if "memtracebpf, sampling" in workloads.get("pair, depth 4", (None, {}))[1]:
        share = of_floor(workloads["pair, depth 4"][1], "memtracebpf, sampling")
        yield "the same with --sample-bytes 512K", "at most 0.95", f"{share:.2f}"
    yield from programs_figures(result)
    if "pair, depth 4" in workloads:
        try:
            times, name = against_memleak(workloads["pair, depth 4"][1])
            yield f"less added to a pair than by {name}", "at least 8 times", f"{times:.1f} times"
        except StopIteration:
            pass
    if "2,000,011 live blocks" in workloads:
        kind, costs = workloads["2,000,011 live blocks"]
        mib, per_block = live_memory(costs)
        if min(costs["memtracebpf"].operations) == kind.operations:
            yield "memory for 2,000,011 live blocks", "at most 64 MiB", f"{mib:.0f} MiB"
        yield "memory for one", "at most 32 bytes", f"{per_block:.0f} bytes"
    for row in result.get("intervals", []):
        if "cpu_ms" in row:
            yield (f"CPU of an interval, {row['format']}: 10,000 sites, 4,000,000 blocks",
                   "under 50 ms", f"{row['cpu_ms']:.1f} ms")
    if "naming" in result:
        seconds = statistics.median(row["cpu_s"] for row in result["naming"])
        yield "10,000 new names in 105 MB of DWARF", "under 3 s of CPU", f"{seconds:.2f} s"
    if "cpu_share" in result.get("idle", {}):
        yield ("the whole machine while nothing allocates", "under 0.1 % of a CPU",
               f"{result['idle']['cpu_share']:.3%}")
    for row in result.get("user_memory", []):
        yield (f"user half while tracing {row['program']}", "under 40 MiB",
               f"{row['rss_kib'] / 1024:.1f} MiB")


def table(result):
    return tables.rows(["goal", "limit", "measured"], list(figures(result)))
