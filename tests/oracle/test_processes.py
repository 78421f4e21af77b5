# SPDX-License-Identifier: GPL-2.0-or-later
"""Several processes: whose memory it is, and which files are one file, worked out once more here."""
import collections
import json
import os
import random
import subprocess

import pytest

import pprof_file as pprof

MEMTRACEBPF = os.environ.get("MEMTRACEBPF", "build/memtracebpf")
MODULES = [("/lib/c.so", "aa"), ("/lib/c.so", "bb"), ("/merged/c.so", "aa"), ("/lib/c.so", ""),
           ("/bin/x", "")]


def random_traces(rng):
    """Two processes at least; a place means the same wherever a file with this build id lies."""
    processes = [(pid, rng.choice("ab"), rng.choice(("/x", "/y", "")))
                 for pid in rng.sample(range(1, 1 << 22), rng.randint(2, 6))]
    traces = []
    for i in range(rng.randint(2, 60)):
        module, line = rng.choice(MODULES), rng.randint(1, 3)
        known = rng.random() < 0.6
        traces.append(pprof.Trace(
            *processes[i if i < 2 else rng.randrange(len(processes))], rng.choice((1, 8, 1 << 40)),
            module, 16 * line, f"f{line}", "/s/v.h" if known else "", line if known else 0))
    return traces


def identity(trace):
    path, build_id = trace.module
    return build_id or path


KEYS = {
    "process": lambda t: t.pid,
    "cgroup": lambda t: t.cgroup,
    "library": identity,
    "function": lambda t: (identity(t), t.function, t.file),
    "file": lambda t: (identity(t), t.file),
    "line": lambda t: (identity(t), t.file, t.line if t.file else t.offset),
    "traceback": lambda t: (identity(t), t.file, t.line if t.file else t.offset),
}


def expected(key, new, old):
    """Of each group: size, its difference, count, its difference, pids."""
    groups = collections.defaultdict(lambda: [0, 0, 0, 0, set(), set()])
    for traces, sign in ((new, 1), (old, -1)):
        for t in traces:
            group = groups[KEYS[key](t)]
            group[1] += sign * t.size
            group[3] += sign
            group[4 if sign > 0 else 5].add(t.pid)
            if sign > 0:
                group[0] += t.size
                group[2] += 1
    return sorted((*group[:4], sorted(group[4] or group[5])) for group in groups.values())


def actual(key, *args):
    out = subprocess.run([MEMTRACEBPF, *args, "--group-by", key, "--format", "json", "--top", "0",
                          "--no-wrappers"], check=True, stdout=subprocess.PIPE).stdout
    report = json.loads(out)
    return report, sorted((row["size"], row["size_diff"], row["count"], row["count_diff"],
                           row["pids"]) for row in report["statistics"])


@pytest.mark.parametrize("seed", range(30))
def test_groups(seed, tmp_path):
    rng = random.Random(seed)
    new, old = random_traces(rng), random_traces(rng)
    # Most of the processes were there before.
    old += [t for t in new if rng.random() < 0.7]
    paths = [str(tmp_path / name) for name in ("old.pb.gz", "new.pb.gz")]
    for path, traces in zip(paths, (old, new)):
        pprof.write_processes(path, traces)
    for key in KEYS:
        report, rows = actual(key, "diff", *paths)
        assert rows == expected(key, new, old), key
        assert sorted(p["pid"] for p in report["processes"]) == sorted({t.pid for t in new})
        report, rows = actual(key, "report", paths[1])
        assert [(row[0], row[2], row[4]) for row in rows] == \
            [(row[0], row[2], row[4]) for row in expected(key, new, [])], key
