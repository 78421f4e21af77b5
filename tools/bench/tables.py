# SPDX-License-Identifier: GPL-2.0-or-later
"""Results as Markdown."""
import statistics


def rows(titles, lines):
    """A table; "" if it has no lines."""
    if not lines:
        return ""
    out = ["| " + " | ".join(titles) + " |", "|" + " --- |" * len(titles)]
    out += ["| " + " | ".join(str(cell) for cell in line) + " |" for line in lines]
    return "\n".join(out) + "\n"


def number(value):
    """Three digits that count."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def spread(values):
    return (f"{number(statistics.median(values))} "
            f"({number(min(values))}..{number(max(values))})")


def slowdown(costs, name):
    """Of one way, against that which it belongs to; None without figures."""
    one, other = costs.get(name), costs.get(costs[name].against if name in costs else None)
    return one.median_ns() / other.median_ns() if one and one.ns and other and other.ns else None


def summary(results):
    """A line a way, a column a workload."""
    names = [name for name in next(iter(results.values()))[1] if name != "none"]
    lines = []
    for name in names:
        cells = [slowdown(costs, name) for _, costs in results.values()]
        if any(cells):
            lines.append([name] + [f"{number(cell)}x" if cell else "-" for cell in cells])
    return rows(["slowdown"] + list(results), lines)


def workload(kind, costs):
    lines, failures = [], []
    untraced = costs["none"]
    for name, measured in costs.items():
        if measured.failure:
            failures.append(f"- {name}: {measured.failure}")
        if not measured.ns:
            continue
        of, fewer = slowdown(costs, name), min(measured.operations)
        same = not kind.holds or fewer >= min(untraced.operations)
        lines.append([
            name, spread(measured.ns), f"{number(of)}" if of else "-",
            f"{statistics.median(measured.own_cpu):.1%}",
            f"{measured.median_added_kib(untraced) / 1024:.0f}" if same else "-",
            f"{fewer:,}" if fewer < kind.operations else "",
        ])
    table = rows([kind.name, f"ns a {kind.unit}", "slowdown", "own CPU", "memory, MiB",
                  f"fewer {kind.unit}s"], lines)
    return table + ("\n" + "\n".join(failures) + "\n" if failures else "")


def attach(results):
    return rows(["attach to", "s"], [[r["target"], spread(r["seconds"])] for r in results])


def programs(results):
    lines = [[r["name"], f"{r['verified']:,}", number(r["load_ms"]) if r["load_ms"] else "-",
              f"{r['instructions']:,}", f"{r['jited_bytes']:,}",
              number(r["run_ns"] / r["runs"]) if r["runs"] else "-"] for r in results]
    return rows(["program", "verified instructions", "ms to load", "instructions",
                 "bytes, compiled", "ns a run"], lines)


def whole_programs(results):
    """A line a program and way: seconds, how many times those of no profiler, of the floor's."""
    lines = []
    medians = {(r["program"], r["way"], key): statistics.median(r[key])
               for r in results for key in ("cpu", "wall")}
    for r in results:
        cells = [r["program"], r["way"]]
        for key in "cpu", "wall":
            own, none, floor = (medians[r["program"], way, key]
                                for way in (r["way"], "none", "floor"))
            cells += [f"{own:.3f}", f"{own / none:.2f}",
                      f"{(own - none) / (floor - none):.2f}" if r["way"] != "none" else "-"]
        lines.append(cells)
    return rows(["program", "", "CPU, s", "times", "added, of the floor's", "wall, s", "times",
                 "added, of the floor's"], lines)


def cut_stacks(result):
    return rows(["the first clang", "the second"],
                [[f"{result['first']:.1%}", f"{result['second']:.1%}"]])


def intervals(results):
    return rows(["reports", "CPU of one, ms", "a pair meanwhile, ns"],
                [[f"{r['format']}, every 0.1 s" if "cpu_ms" in r else "none",
                  number(r["cpu_ms"]) if "cpu_ms" in r else "-", number(r["pair_ns"])]
                 for r in results])


def naming(results):
    def of(key, scale=1):
        return spread([r[key] / scale for r in results])

    return rows(["CPU, s", "MiB before", "at most", "after"],
                [[of("cpu_s"), of("rss_before_kib", 1024), of("rss_peak_kib", 1024),
                  of("rss_after_kib", 1024)]])


def report(results):
    return rows(["1,000,000 traces by", "s", "MiB"],
                [[r["group_by"], spread(r["seconds"]), f"{r['max_rss_kib'] / 1024:.0f}"]
                 for r in results])


def user_memory(results):
    return rows(["program", "MiB of the user half", "at most", "mapped tables"],
                [[r["program"], number(r["rss_kib"] / 1024), number(r["peak_kib"] / 1024),
                  number(r["tables_kib"] / 1024)] for r in results])
