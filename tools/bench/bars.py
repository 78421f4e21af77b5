# SPDX-License-Identifier: GPL-2.0-or-later
"""What was set as a goal, and what came of it."""
import statistics

import tables

MEMLEAK = ("memleak-bpfcc", "memleak's maps")


def added(costs, name):
    return costs[name].median_ns() - costs["none"].median_ns()


def of_floor(costs):
    return added(costs, "memtracebpf") / added(costs, "floor")


def against_memleak(costs):
    """How many times less is added than by memleak, and what stood for it."""
    name = next(name for name in MEMLEAK if name in costs and costs[name].ns)
    return added(costs, name) / added(costs, "memtracebpf"), name


def live_memory(costs):
    measured = costs["memtracebpf"]
    kib = statistics.median(measured.own_kib) + statistics.median(measured.kernel_kib)
    return kib / 1024, kib * 1024 / min(measured.operations)


def figures(result):
    """Lines of (goal, limit, figure) for all that was measured."""
    workloads = result.get("workloads", {})
    for name, limit in (("pair, depth 4", 1.25), ("pair, depth 30", 1.6),
                        ("pair, depth 4, 2 threads", 1.25)):
        if name in workloads and workloads[name][1]["memtracebpf"].ns:
            yield (f"added to a {name}, of what the floor adds", f"at most {limit}",
                   f"{of_floor(workloads[name][1]):.2f}")
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
