# SPDX-License-Identifier: GPL-2.0-or-later
"""What is printed, and when: options on a live target. Forms are the unit tests' business."""

import datetime
import json
import os
import re
import shutil

import pytest

from tracing import (MEMTRACEBPF, ROOT, WORKLOADS, Process, Tracer, Workload, functions, lines_of,
                     lines_of_truth, trace)

SIZE = r"[\d.]+ (B|KiB|MiB|GiB)"
HEADER = r"\[ \d\d:\d\d:\d\d · alloc\.fp \(\d+\) · [\d.]+ s traced \]"
ENTRY = (rf".*alloc\.c:(\d+): size={SIZE}( \([+-]{SIZE}\))?, count=(\d+)( \([+-]\d+\))?, "
         rf"average={SIZE}")


class TextTracer(Process):
    def __init__(self, *arguments):
        super().__init__(MEMTRACEBPF, *arguments)
        self.err.expect("tracing ")


def text(spawn, *options):
    workload = spawn(Workload, "alloc.fp", "entry_points")
    tracer = spawn(TextTracer, "-p", workload.pid, "-i", 3600, *options)
    truth = workload.run()
    tracer.signal(2)
    assert tracer.wait() == 0
    return tracer.out.lines, truth


def test_text(spawn):
    """Biggest first, the source below each line, the rest and the total in a line each."""
    lines, truth = text(spawn, "--top", 3)
    assert re.fullmatch(HEADER, lines[0]), lines[0]
    biggest = sorted(truth["lines"], key=lambda line: -line["size"])
    shown = [re.fullmatch(ENTRY, line) for line in lines]
    assert [int(m[1]) for m in shown if m] == [line["line"] for line in biggest[:3]]
    source = (ROOT / "tests/workloads/alloc.c").read_text().splitlines()
    for line, match in zip(lines[1:], shown):
        if match:
            assert line.strip() == source[int(match[1]) - 1].strip()
    others = next(line for line in lines if "other lines" in line)
    assert re.fullmatch(rf"\d+ other lines: size={SIZE}, count={truth['count'] - 3}", others)
    assert re.fullmatch(
        rf"Total: size={SIZE}, count={truth['count']}, peak={SIZE}", lines[-1])


def test_differences_from_the_second_report_on(spawn):
    workload = spawn(Workload, "loader.nofp", "late", WORKLOADS / "plugin1.so")
    tracer = spawn(Tracer, "-p", workload.pid, interval=0.05)
    first = tracer.report()
    assert first["traced"]["count"] == 0
    workload.say()
    workload.out.expect("loaded")
    truth = workload.run()
    seen = None
    while not seen:
        for stat in tracer.report()["statistics"]:
            if (stat["traceback"][0]["file"] or "").endswith("plugin.c"):
                seen = stat
    line, = truth["lines"]
    assert (seen["size_diff"], seen["count_diff"]) == (line["size"], line["count"])
    last = tracer.stop()
    stat, = [s for s in last["statistics"]
             if (s["traceback"][0]["file"] or "").endswith("plugin.c")]
    assert (stat["size_diff"], stat["count_diff"]) == (0, 0)


def test_traceback_text(spawn):
    lines, _ = text(spawn, "--group-by", "traceback", "--top", 1)
    start = next(i for i, line in enumerate(lines) if "memory block" in line)
    assert re.fullmatch(rf"\d+ memory blocks?: {SIZE}.*", lines[start])
    assert re.fullmatch(r'\s+File ".*/alloc\.c", line \d+, in entry_points', lines[start + 1])
    assert any(re.fullmatch(r'\s+File ".*/truth\.c", line \d+, in main', line) for line in lines)


@pytest.mark.parametrize("alias, name", [("lineno", "line"), ("filename", "file")])
def test_group_by_aliases(spawn, alias, name):
    report, _ = trace(spawn, "alloc.fp", "entry_points", options=["--group-by", alias])
    assert report["group_by"] == name


def test_group_by_file(spawn):
    report, truth = trace(spawn, "alloc.fp", "entry_points", options=["--group-by", "file"])
    stat, = report["statistics"]
    assert os.path.basename(stat["traceback"][0]["file"]) == "alloc.c"
    assert (stat["size"], stat["count"]) == (truth["size"], truth["count"])


def test_group_by_function(spawn):
    report, truth = trace(spawn, "lifecycle.fp", "second", options=["--group-by", "function"])
    stat, = report["statistics"]
    assert functions(stat) == ["second"]
    assert (stat["size"], stat["count"]) == (truth["size"], truth["count"])


def test_group_by_library(spawn):
    report, truth = trace(spawn, "alloc.nofp", "strings", options=["--group-by", "library"])
    assert all(s["traceback"][0]["module"] for s in report["statistics"])
    assert sum(s["size"] for s in report["statistics"]) == report["traced"]["size"]


def test_top_and_other_add_up(spawn):
    report, truth = trace(spawn, "alloc.fp", "entry_points", options=["--top", "4"])
    assert len(report["statistics"]) == 4
    shown = [s["size"] for s in report["statistics"]]
    assert shown == sorted((line["size"] for line in truth["lines"]), reverse=True)[:4]
    assert sum(shown) + report["other"]["size"] == truth["size"]
    counts = [s["count"] for s in report["statistics"]]
    assert sum(counts) + report["other"]["count"] == truth["count"]


def test_nframe(spawn):
    """A limit that was asked for is no loss."""
    report, _ = trace(spawn, "stacks.nofp", "deep", 30,
                      options=["--group-by", "traceback", "--nframe", "5"])
    for stat in report["statistics"]:
        assert len([f for f in stat["traceback"] if not f["inlined"]]) == 5
        assert stat["stopped"] == "limit_asked"
    assert report["lost"]["frames_cut"] == 0


def test_min_size(spawn):
    report, truth = trace(spawn, "alloc.fp", "entry_points", options=["--min-size", "200"])
    assert lines_of(report, "alloc.c") == {
        line: books for line, books in lines_of_truth(truth).items() if books.size >= 200}


def test_min_age(spawn):
    report, truth = trace(spawn, "alloc.fp", "entry_points", options=["--min-age", "3600"])
    assert sum(s["count"] for s in report["statistics"]) == 0
    report, truth = trace(spawn, "alloc.fp", "entry_points", options=["--min-age", "0"])
    assert sum(s["count"] for s in report["statistics"]) == truth["count"]


def test_count(spawn):
    workload = spawn(Workload, "alloc.fp", "entry_points")
    tracer = spawn(Tracer, "-p", workload.pid, "--count", 3, interval=0.05)
    reports = []
    while (report := tracer.report()) is not None:
        reports.append(report)
    assert tracer.wait() == 0
    assert len(reports) == 3
    elapsed = [report["elapsed_ms"] for report in reports]
    assert elapsed == sorted(elapsed)
    for report in reports:
        assert report["version"] == 1
        assert report["pids"] == [workload.pid]
        datetime.datetime.fromisoformat(report["time"].replace("Z", "+00:00"))
    assert workload.run()


def test_duration(spawn):
    workload = spawn(Workload, "alloc.fp", "entry_points")
    tracer = spawn(Tracer, "-p", workload.pid, "--duration", 0.2)
    assert tracer.last()["elapsed_ms"] >= 200
    assert workload.run()


@pytest.mark.parametrize("form", ["text", "json", "markdown", "csv"])
def test_names_cannot_move_the_cursor(spawn, tmp_path, form):
    """C0, C1 and direction marks of a path and a process' name, wherever these are written."""
    name = "a\x1b\nb\u009b\u202e"
    program = shutil.copy(WORKLOADS / "alloc.musl-static", tmp_path / name)
    workload = spawn(Workload, program, "entry_points")
    tracer = spawn(TextTracer, "-v", "-p", workload.pid, "--format", form, "-i", 3600, "-g", "library")
    workload.run()
    tracer.signal(2)
    assert tracer.wait() == 0
    said = tracer.out.lines, tracer.err.lines
    assert not any(re.search("[\x00-\x1f\x7f-\x9f\u202e]", line.rstrip("\r"))
                   for lines in said for line in lines), said
    assert not any(line.startswith("b") for lines in said for line in lines), said
    assert any(line.startswith("tracing a?") for line in tracer.err.lines)
    assert any(r"a\x1b\x0ab\xc2\x9b\xe2\x80\xae" in line for line in tracer.err.lines), said
    if form == "json":
        assert name in json.loads(tracer.out.lines[-1])["statistics"][0]["traceback"][0]["module"]
