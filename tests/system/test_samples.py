# SPDX-License-Identifier: GPL-2.0-or-later
"""--sample-bytes: estimates that are as near to the truth as chance lets them be."""

import collections
import json
import math
import subprocess

import pytest

from tracing import MEMTRACEBPF, assert_nothing_lost, lines_of_truth, trace

# What the lines of samples.c hold at the end, in their order: {size: blocks}.
SIZES = [collections.Counter(sizes) for sizes in (
    [16] * 200_000,
    [32 << 20] * 12,
    [i % 5000 for i in range(0, 200_000, 2)],
    [],
    [9000] * 20_000,
    [2048] * 20_000,
)]

# Each comparison below may fail by chance so often on either side. There are 25 in each of 8 runs,
# so that a run of these tests fails by chance 4 times in 100 million.
CHANCE = 1e-10


def probability(size, sample_bytes):
    """That a block is recorded; one of no bytes counts as one of one."""
    return -math.expm1(-max(size, 1) / sample_bytes)


def bounds(blocks):
    """
    Of the sum of the weights of blocks that are recorded, each independently: what it is neither
    below nor above, but for CHANCE. `blocks`: [(n, probability, weight)]. This is Chernoff's bound,
    P(X >= x) <= E exp(aX) / exp(ax), which holds for any a > 0 and any number of blocks.
    """
    heaviest = max((weight for _, _, weight in blocks), default=0)
    if not heaviest:
        return 0, 0

    def log_mean_exp(a):
        return sum(n * math.log(1 - p + p * math.exp(a * weight)) for n, p, weight in blocks)

    steps = [500 / 1.4 ** i / heaviest for i in range(60)]
    return (max(0, *((-log_mean_exp(-a) + math.log(CHANCE)) / a for a in steps)),
            min((log_mean_exp(a) - math.log(CHANCE)) / a for a in steps))


def assert_within(value, blocks, rounding, root=lambda x: x):
    low, high = bounds(blocks)
    assert root(low) - rounding <= value <= root(high) + rounding


def assert_by_chance(stat, sizes, sample_bytes):
    """Size and count, and what the report says of their deviation, whose square is a sum, too."""
    blocks = [(n, probability(size, sample_bytes), size) for size, n in sizes.items()]
    rounding = len(sizes) / 2 + 1
    assert_within(stat["size"], [(n, p, size / p) for n, p, size in blocks], rounding)
    assert_within(stat["count"], [(n, p, 1 / p) for n, p, _ in blocks], rounding)
    variances = [(n, p, (1 - p) / p ** 2) for n, p, _ in blocks]
    assert_within(stat["count_error"], variances, 1, math.sqrt)
    assert_within(stat["size_error"], [(n, p, v * size ** 2) for (n, p, v), (_, _, size)
                                       in zip(variances, blocks)], 1, math.sqrt)


def estimates(report):
    return {f["line"]: stat for stat in report["statistics"]
            if (f := stat["traceback"][0])["file"] and f["file"].endswith("samples.c")}


NEVER_HIT = {"size": 0, "count": 0, "size_error": 0, "count_error": 0}


@pytest.mark.parametrize("program", ["samples.nofp", "samples.musl"])
@pytest.mark.parametrize("sample_bytes", [1, 1024, 65536, 524288])
def test_estimates(spawn, program, sample_bytes):
    report, truth = trace(spawn, program, "samples", options=["--sample-bytes", sample_bytes])
    expected = lines_of_truth(truth)
    assert [(books.size, books.count) for books in expected.values()] == [
        (sum(sizes.elements()), sizes.total()) for sizes in SIZES]
    found = estimates(report)
    assert_nothing_lost(report)
    assert report["sample_bytes"] == sample_bytes
    assert set(found) <= {line for _, line in expected}
    for (_, line), sizes in zip(expected, SIZES):
        assert_by_chance(found.get(line, NEVER_HIT), sizes, sample_bytes)
    everything = sum(SIZES, collections.Counter())
    assert_within(report["traced"]["size"], [
        (n, p := probability(size, sample_bytes), size / p) for size, n in everything.items()],
                  len(everything))
    # What is much larger than the interval is always hit.
    assert (12 * (32 << 20), 12, 0) in [(s["size"], s["count"], round(s["size_error"]))
                                        for s in found.values()]


def test_profile_says_what_it_is(spawn, tmp_path):
    """The values of the file are the estimates, and its period the interval."""
    path = tmp_path / "samples.pb.gz"
    report, _ = trace(spawn, "samples.nofp", "samples",
                      options=["--sample-bytes", 65536, "-o", path])
    raw = subprocess.run(["go", "tool", "pprof", "-raw", path], capture_output=True, text=True,
                         check=True).stdout
    assert "Period: 65536" in raw
    again = json.loads(subprocess.run([MEMTRACEBPF, "report", path, "--format", "json", "-t", "0"],
                                      capture_output=True, text=True, check=True).stdout)
    assert again["traced"]["size"] == report["traced"]["size"]
    assert again["sample_bytes"] == 65536


def test_every_allocation_without(spawn):
    report, truth = trace(spawn, "samples.nofp", "samples")
    assert report["sample_bytes"] is None
    assert {line: stat["count"] for line, stat in estimates(report).items()} == {
        line: books.count for (_, line), books in lines_of_truth(truth).items()}
