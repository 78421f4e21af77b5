# SPDX-License-Identifier: GPL-2.0-or-later
"""
Python's tracemalloc as the oracle: random snapshots, and every row that memtracebpf prints compared
with the one that Python computes, in the same order.
"""
import json
import os
import random
import subprocess
import tracemalloc

import pytest

import pprof_file as pprof

MEMTRACEBPF = os.environ.get("MEMTRACEBPF", "build/memtracebpf")
FILES = ["/s/a.c", "/s/b.c", "/s/dir/a.c", "/s/ü.c", "/t/€uro.c", "z.c"]
UNKNOWN = ("<unknown>", 0)
KEYS = {"lineno": "line", "filename": "file", "traceback": "traceback"}


def random_traces(rng):
    """Few files, lines and sizes, so that there are many ties; recursion too."""
    frames = [(rng.choice(FILES), rng.randint(1, 4)) for _ in range(8)] + [UNKNOWN]
    stacks = [tuple(rng.choice(frames) for _ in range(rng.randint(1, 5))) for _ in range(12)]
    sizes = [rng.choice((1, 8, 8, 100, rng.randint(1, 1 << 33))) for _ in range(4)]
    return [(rng.choice((0, 0, 1, 2)), rng.choice(sizes), stack, len(stack))
            for stack in (rng.choice(stacks) for _ in range(rng.randint(0, 40)))]


def random_filters(rng):
    """(options, tracemalloc filters)"""
    options, filters = [], []
    all_frames = rng.random() < 0.5
    for _ in range(rng.randint(1, 3)):
        inclusive = rng.random() < 0.6
        word = "include" if inclusive else "exclude"
        if rng.random() < 0.3:
            domain = rng.randint(0, 3)
            options += [f"--{word}-domain", pprof.domain_name(domain)]
            filters.append(tracemalloc.DomainFilter(inclusive, domain))
            continue
        pattern = rng.choice(FILES + ["*", "*.c", "/s/*", "/s/?.c", "/s/[ab].c", "/s/[!a]*", "*a*",
                                      "<unknown>", "nothing", "*\\*"])
        line = rng.choice((None, None, 1, 2))
        options += [f"--{word}", pattern + (f":{line}" if line else "")]
        filters.append(tracemalloc.Filter(inclusive, pattern, line, all_frames))
    return options + ["--all-frames"] * all_frames, filters


def run(*args):
    return subprocess.run([MEMTRACEBPF, *args], check=True, stdout=subprocess.PIPE).stdout


def our_rows(*args):
    rows = json.loads(run(*args, "--format", "json", "--top", "0", "--no-wrappers"))["statistics"]
    return [(tuple((frame["file"] or "<unknown>", frame["line"]) for frame in row["traceback"]),
             row["size"], row["size_diff"], row["count"], row["count_diff"]) for row in rows]


def python_rows(statistics):
    return [(tuple((frame.filename, frame.lineno) for frame in reversed(s.traceback)),
             s.size, getattr(s, "size_diff", 0), s.count, getattr(s, "count_diff", 0))
            for s in statistics]


class Pair:
    """The same traces in Python and in a file."""

    def __init__(self, rng, path):
        self.path = str(path)
        self.traces = random_traces(rng)
        self.python = tracemalloc.Snapshot(self.traces, 5)
        pprof.write(self.path, self.traces)


def groupings():
    for key, name in KEYS.items():
        yield key, False, ["--group-by", name]
        if key != "traceback":
            yield key, True, ["--group-by", name, "--cumulative"]


@pytest.mark.parametrize("seed", range(100))
def test_rows(seed, tmp_path):
    rng = random.Random(seed)
    new, old = Pair(rng, tmp_path / "new.pb.gz"), Pair(rng, tmp_path / "old.pb.gz")
    options, filters = random_filters(rng)
    for key, cumulative, group_by in groupings():
        assert our_rows("report", new.path, *group_by) == \
            python_rows(new.python.statistics(key, cumulative))
        assert our_rows("diff", old.path, new.path, *group_by) == \
            python_rows(new.python.compare_to(old.python, key, cumulative))
        assert our_rows("report", new.path, *group_by, *options) == \
            python_rows(new.python.filter_traces(filters).statistics(key, cumulative)), options


@pytest.mark.parametrize("seed", range(100, 120))
def test_text(seed, tmp_path):
    """str() of a statistic is what the text report prints; by file Python adds the line 0."""
    rng = random.Random(seed)
    new, old = Pair(rng, tmp_path / "new.pb.gz"), Pair(rng, tmp_path / "old.pb.gz")

    def lines(*args):
        text = run(*args, "--top", "0", "--no-wrappers").decode().splitlines()
        assert text[0].startswith("[ ") and text[-1].startswith("Total: ")
        return text[1:-1]

    assert lines("report", new.path) == [str(s) for s in new.python.statistics("lineno")]
    compared, *rows = lines("diff", old.path, new.path)
    assert compared.startswith("from ")
    assert rows == \
        [str(s) for s in new.python.compare_to(old.python, "lineno")]


@pytest.mark.parametrize("seed", range(120, 150))
def test_pickle(seed, tmp_path):
    """What --format tracemalloc writes, Python loads; sums are the same, single sizes are not known."""
    pair = Pair(random.Random(seed), tmp_path / "new.pb.gz")
    path = tmp_path / "pickle"
    path.write_bytes(run("report", pair.path, "--format", "tracemalloc"))
    loaded = tracemalloc.Snapshot.load(path)
    assert len(loaded.traces) == len(pair.traces)
    for key, cumulative, _ in groupings():
        assert python_rows(loaded.statistics(key, cumulative)) == \
            python_rows(pair.python.statistics(key, cumulative))
    in_malloc = [tracemalloc.DomainFilter(True, 0)]
    assert python_rows(loaded.filter_traces(in_malloc).statistics("traceback")) == \
        python_rows(pair.python.filter_traces(in_malloc).statistics("traceback"))
