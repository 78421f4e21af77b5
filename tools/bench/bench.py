#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""make bench: what tracing costs, as ratios within one run, next to other profilers.

The floor is empty BPF programs on the same probes, attached the same way: what the kernel costs
before any profiler does anything.
"""
import argparse
import dataclasses
import json
import os
import pathlib
import platform
import sys

import bars
import costs
import process
import profilers
import programs
import reports
import tables
import workloads
from workloads import BENCH, Failed

# What --update replaces in a document.
BEGIN, END = "<!-- make bench -->\n", "<!-- end of make bench -->\n"

# A pair takes some 10 ns; one trap more than that.
DISTURBED_NS = 300


class Output:
    """Markdown, on stdout as it comes and in a file at the end."""

    def __init__(self):
        self.text = ""

    def add(self, text):
        print(text, flush=True)
        self.text += text + "\n"


def compare_workloads(options, output):
    """{name of the workload: (kind, {name of the way: Measurement})}"""
    ways = [way for way in profilers.WAYS if not options.only or way.name in options.only]
    for way in [way for way in ways if way.missing()]:
        output.add(f"{way.name} is left out: no {way.needs} here (package {way.package}).\n")
        ways.remove(way)
    output.add("".join(f"- {way.name}: {way.what}\n" for way in ways))
    results = {}
    for kind in workloads.KINDS:
        if options.workloads and not any(part in kind.name for part in options.workloads):
            continue
        if kind.missing():
            output.add(f"{kind.name} is left out: no {kind.needs} here.\n")
            continue
        measured = costs.compare(kind, ways, options.rounds)
        ways = [way for way in ways if measured[way.name].starts]
        results[kind.name] = kind, measured
        output.add(tables.workload(kind, measured))
        if kind.unit == "pair" and measured["none"].median_ns() > DISTURBED_NS:
            output.add("Worthless: somebody else traces malloc of the whole machine.\n")
    if results:
        output.add("### Slowdown\n\n" + tables.summary(results))
    return results


def measure_reports(options, output):
    result = {}
    for name, title, measure, show in (
            ("whole_programs", "Whole programs", lambda: programs.compare(options.rounds),
             tables.whole_programs),
            ("cut_stacks", "Stacks that are cut", programs.cut_stacks, tables.cut_stacks),
            ("attach", "Attaching", lambda: reports.attach_times(options.rounds), tables.attach),
            ("programs", "The BPF programs", reports.programs, tables.programs),
            ("intervals", "An interval with 10,000 sites and 4,000,000 live blocks",
             reports.intervals, tables.intervals),
            ("naming", "10,000 new addresses in 105 MB of DWARF",
             lambda: reports.naming(options.rounds), tables.naming),
            ("report", "A report of a file", lambda: reports.report_cost(options.rounds),
             tables.report),
            ("user_memory", "Memory of the user half", reports.user_memory, tables.user_memory),
            ("idle", "The whole machine, idle", reports.idle,
             lambda row: f"{row['cpu_share']:.3%} of a CPU\n")):
        try:
            result[name] = measure()
            output.add(f"### {title}\n\n" + show(result[name]))
        except Failed as failure:
            output.add(f"### {title}\n\nNot measured: {failure}\n")
    return result


def plain(result):
    """For JSON."""
    return {**result, "workloads": {
        name: {way: dataclasses.asdict(measured) for way, measured in measured_ways.items()}
        for name, (_, measured_ways) in result["workloads"].items()}}


def machine():
    info = process.read("/proc/cpuinfo").splitlines()
    model = next((line.split(": ")[1] for line in info if line.startswith("model name")), "CPU")
    virtual = any(line.startswith("flags") and " hypervisor" in line for line in info)
    return (f"Linux {platform.release()}, {os.cpu_count()} {'virtual ' * virtual}CPUs ({model}), "
            f"{' '.join(platform.libc_ver())}")


def update(path, text):
    before, rest = path.read_text().split(BEGIN)
    after = rest.split(END)[1]
    path.write_text(before + BEGIN + "\n" + text + "\n" + END + after)


def parse():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workloads", nargs="*", help="parts of names; default: all")
    parser.add_argument("--only", nargs="*", metavar="WAY", help='besides "none"; default: all')
    parser.add_argument("--no-reports", action="store_true", help="workloads alone")
    parser.add_argument("--no-workloads", action="store_true", help="reports alone")
    parser.add_argument("--json", type=pathlib.Path, default=BENCH / "bench.json")
    parser.add_argument("--markdown", type=pathlib.Path, default=BENCH / "bench.md")
    parser.add_argument("--update", type=pathlib.Path, metavar="FILE",
                        help="put the Markdown between the marks in this file, too")
    options = parser.parse_args()
    if options.only:
        options.only.append("none")
    return options


def main():
    options = parse()
    output = Output()
    if os.geteuid():
        sys.exit("make bench needs root, as tracing does")
    output.add(f"{machine()}; medians of {options.rounds} rounds (lowest..highest); load at the "
               f"start {os.getloadavg()[0]:.1f}.\n")
    result = {"machine": machine(), "rounds": options.rounds, "workloads": {}}
    if not options.no_workloads:
        result["workloads"] = compare_workloads(options, output)
    if not options.no_reports:
        result |= measure_reports(options, output)
    output.add("### Goals\n\n" + bars.table(result))
    options.json.write_text(json.dumps(plain(result), indent=1) + "\n")
    options.markdown.write_text(output.text)
    if options.update:
        update(options.update, output.text)


if __name__ == "__main__":
    main()
