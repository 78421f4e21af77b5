#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""make bench: what tracing costs, as ratios within one run.

Every round runs each way of tracing once, in turn, so that a machine that gets slower meanwhile
slows all of them. The floor is empty BPF programs on the same probes, attached the same way: what
the kernel costs before any profiler does anything.
"""
import argparse
import json
import os
import pathlib
import platform
import shutil
import signal
import statistics
import subprocess
import sys
import time

import snapshot

BUILD = pathlib.Path(os.environ.get("BUILD", "build")).resolve()
PAIRS = 60_000
RUNS = 10    # of them the fastest counts: what is slower was disturbed


class Target:
    """A workload that waits on its input."""

    def __init__(self, *command):
        self.process = subprocess.Popen([str(c) for c in command], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        self.process.stdout.readline()    # it is ready

    def once(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())

    def end(self):
        self.process.stdin.close()
        self.process.wait()


class Tracer:
    """Something that says "tracing ..." on stderr when it counts, and stops at SIGINT."""

    def __init__(self, *command):
        begin = time.monotonic()
        self.process = subprocess.Popen([str(c) for c in command], stdout=subprocess.DEVNULL,
                                        stderr=subprocess.PIPE, text=True)
        for line in self.process.stderr:
            if line.startswith("tracing"):
                break
        else:
            sys.exit(f"{command[0]} did not start")
        self.attach_s = time.monotonic() - begin

    def end(self):
        self.process.send_signal(signal.SIGINT)
        self.process.communicate()


def ways(pid):
    return {
        "none": None,
        "floor": [BUILD / "bench" / "floor", "-p", pid],
        "memtracebpf": [BUILD / "memtracebpf", "-p", pid, "-i", "3600"],
    }


def pair_cost(depth, threads, rounds):
    """{way: [nanoseconds a pair]}: every process anew, so that no way inherits another's state."""
    costs = {}
    for _ in range(rounds):
        for way in ways(0):
            target = Target(BUILD / "bench" / "pair", depth, PAIRS, threads)
            command = ways(target.process.pid)[way]
            tracer = Tracer(*command) if command else None
            costs.setdefault(way, []).append(min(target.once() for _ in range(RUNS)))
            if tracer:
                tracer.end()
            target.end()
    return costs


def spread(values):
    return f"{statistics.median(values):.0f} ({min(values):.0f}..{max(values):.0f})"


def pairs_table(rounds):
    rows = []
    for name, depth, threads in (("depth 4", 1, 1), ("depth 30", 27, 1),
                                 ("depth 4, 2 threads", 1, 2)):
        costs = pair_cost(depth, threads, rounds)
        none, floor, ours = (statistics.median(costs[w]) for w in ("none", "floor", "memtracebpf"))
        rows.append({
            "workload": f"malloc/free pair, {name}",
            "none_ns": costs["none"], "floor_ns": costs["floor"],
            "memtracebpf_ns": costs["memtracebpf"],
            "of_floor": ours / floor,
            "added_of_floor": (ours - none) / (floor - none),
        })
        print(f"| {rows[-1]['workload']} | {spread(costs['none'])} | {spread(costs['floor'])} | "
              f"{spread(costs['memtracebpf'])} | {rows[-1]['of_floor']:.2f} | "
              f"{rows[-1]['added_of_floor']:.2f} |", flush=True)
    shallow, deep = (statistics.median(rows[i]["memtracebpf_ns"]) for i in (0, 1))
    print(f"\nA frame costs {(deep - shallow) / 26:.1f} ns.\n")
    return rows


def attach_times(rounds):
    """Seconds from the start of memtracebpf to counting, and the kernel memory that it took."""
    targets = {"python3": ["/usr/bin/python3", "-c", "input()"]}
    if shutil.which("redis-server"):
        targets["redis-server"] = ["redis-server", "--port", "0", "--save", "",
                                   "--unixsocket", str(BUILD / "bench" / "redis.sock")]
    if shutil.which("clang"):
        targets["clang with libLLVM (100 MB of code)"] = ["clang", "-x", "c", "-", "-fsyntax-only"]
    rows = []
    for name, command in targets.items():
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        wait_until_it_waits(process.pid)
        times = []
        for _ in range(rounds):
            tracer = Tracer(BUILD / "memtracebpf", "-p", process.pid)
            times.append(tracer.attach_s)
            tracer.end()
        process.kill()
        process.wait()
        rows.append({"target": name, "attach_s": times})
        print(f"| {name} | {statistics.median(times):.2f} | {min(times):.2f} | {max(times):.2f} |",
              flush=True)
    return rows


def wait_until_it_waits(pid):
    """Its libraries are loaded when it has slept for some looks in a row."""
    asleep = 0
    while asleep < 20:
        state = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1][0]
        if state == "Z":
            sys.exit(f"process {pid} ended at once")
        asleep = asleep + 1 if state == "S" else 0
        time.sleep(0.01)


def report_cost(rounds):
    """Seconds and KiB that `report` takes for 1,000,000 traces at 100,000 distinct tracebacks."""
    path = BUILD / "bench" / "large.pb.gz"
    if not path.exists():
        snapshot.write(path, 1_000_000, 100_000)
    rows = []
    for group_by in "line", "traceback":
        command = [str(BUILD / "memtracebpf"), "report", str(path), "--group-by", group_by]
        times = []
        for _ in range(rounds):
            begin = time.monotonic()
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
            _, status, usage = os.wait4(process.pid, 0)
            times.append(time.monotonic() - begin)
            if status:
                sys.exit(f"{command} failed")
        rows.append({"group_by": group_by, "report_s": times, "max_rss_kib": usage.ru_maxrss})
        print(f"| {group_by} | {statistics.median(times):.2f} | {min(times):.2f} | "
              f"{max(times):.2f} | {usage.ru_maxrss / 1024:.0f} |", flush=True)
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=pathlib.Path, default=BUILD / "bench" / "bench.json")
    options = parser.parse_args()
    print(f"Linux {platform.release()}, {os.cpu_count()} CPUs; medians of {options.rounds} rounds "
          f"(lowest..highest), load {os.getloadavg()[0]:.1f}\n")
    print("| workload | untraced, ns | empty programs, ns | memtracebpf, ns | of empty | "
          "added, of what empty adds |")
    print("| --- | --- | --- | --- | --- | --- |")
    result = {"pairs": pairs_table(options.rounds)}
    print("| attach to | median, s | lowest | highest |\n| --- | --- | --- | --- |")
    result["attach"] = attach_times(options.rounds)
    print("\n| report 1,000,000 traces by | median, s | lowest | highest | MiB |")
    print("| --- | --- | --- | --- | --- |")
    result["report"] = report_cost(options.rounds)
    options.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
