# SPDX-License-Identifier: GPL-2.0-or-later
"""--sample-bytes: estimates that are right within the errors they name."""

import json
import subprocess

import pytest

from tracing import MEMTRACEBPF, assert_nothing_lost, lines_of_truth, trace

# Of a normal distribution all but one in 2 million lie within; a small sample is less normal.
DEVIATIONS = 5


def estimates(report):
    return {f["line"]: stat for stat in report["statistics"]
            if (f := stat["traceback"][0])["file"] and f["file"].endswith("samples.c")}


def assert_within(value, truth, error):
    assert abs(value - truth) <= DEVIATIONS * error + 1e-6 * truth + 1, (value, truth, error)


@pytest.mark.parametrize("program", ["samples.nofp", "samples.musl"])
@pytest.mark.parametrize("sample_bytes", [1, 1024, 65536, 524288])
def test_estimates(spawn, program, sample_bytes):
    report, truth = trace(spawn, program, "samples", options=["--sample-bytes", sample_bytes])
    expected = {line: books for (_, line), books in lines_of_truth(truth).items()}
    found = estimates(report)
    assert_nothing_lost(report)
    assert report["sample_bytes"] == sample_bytes
    assert set(found) <= set(expected)
    for line, books in expected.items():
        if line not in found:    # so few bytes that no sample hit them
            assert books.alloc_size < 20 * sample_bytes
            continue
        stat = found[line]
        assert_within(stat["size"], books.size, stat["size_error"])
        assert_within(stat["count"], books.count, stat["count_error"])
    # What is much larger than the interval is always hit.
    huge = next(books for books in expected.values() if books.size == 12 * (32 << 20))
    assert (huge.size, 12, 0) in [(s["size"], s["count"], round(s["size_error"]))
                                  for s in found.values()]
    variance = sum(s["size_error"] ** 2 for s in report["statistics"])
    assert_within(report["traced"]["size"], truth["size"], variance ** 0.5)


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
