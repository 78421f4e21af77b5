# SPDX-License-Identifier: GPL-2.0-or-later
"""What is told of single lines, and what is done with snapshots of a living process."""

import json
import os
import pathlib
import re
import signal
import stat
import subprocess
import time

import pytest

from tracing import (MEMTRACEBPF, Process, Tracer, Workload, assert_lines, in_file, lines_of, losses,
                     needs, sum_of, trace)

FILE = "snapshots.c"
JIFFY = 0.01    # the longest that there is


def memtracebpf(*arguments, **kwargs):
    return subprocess.run([MEMTRACEBPF, *map(str, arguments)], capture_output=True, text=True,
                          **kwargs)


def report_file(path, *options):
    result = memtracebpf("report", path, "--format", "json", "--top", 0, *options)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


class Snapshots(Tracer):
    """memtracebpf with files on demand."""

    def __init__(self, directory, *arguments):
        self.directory = pathlib.Path(directory)
        self.taken = 0
        super().__init__("-o", self.directory / "s.pb.gz", *arguments)

    def snapshot(self):
        """The path of one that is taken now."""
        self.signal(signal.SIGUSR1)
        self.taken += 1
        path = self.directory / f"s.{self.taken}.pb.gz"
        assert self.err.expect("wrote ") == f"wrote {path}"
        return path

    def clear(self):
        self.signal(signal.SIGUSR2)
        self.err.expect("cleared ")


def details(report, file=FILE):
    """{line: statistic} of the workload's file; by line they are one each."""
    found = {}
    for s in report["statistics"]:
        if in_file(s["traceback"][0], [file]):
            assert s["traceback"][0]["line"] not in found
            found[s["traceback"][0]["line"]] = s
    return found


def expect_lines(truth, *keys):
    return {line["line"]: tuple(line[key] for key in keys) for line in truth["lines"]}


def see_lines(report, *keys):
    return {line: tuple(s[key] for key in keys) for line, s in details(report).items()}


# ---- the peak ----

def test_what_each_line_held_at_the_peak(spawn, tmp_path):
    workload = spawn(Workload, "snapshots.nofp", "peaks")
    tracer = spawn(Snapshots, tmp_path, "-p", workload.pid)
    truth = workload.run()
    steps = 0
    while truth["count"] or steps < 6:
        report = report_file(tracer.snapshot())
        assert report["traced"]["peak_size"] == truth["peak_size"]
        expected = expect_lines(truth, "size", "count", "peak_size", "peak_count")
        assert see_lines(report, "size", "count", "peak_size", "peak_count") == expected, steps
        steps += 1
        truth = workload.run()
    report = tracer.stop()
    assert report["traced"] == {"size": 0, "count": 0, "peak_size": 10000}
    assert see_lines(report, "peak_size") == expect_lines(truth, "peak_size")
    assert sum(line["peak_size"] for line in truth["lines"]) == 10000


@pytest.mark.parametrize("seed", range(1, 9))
@pytest.mark.parametrize("program", ["snapshots.nofp", "snapshots.musl"])
def test_peaks_of_a_random_walk(spawn, program, seed):
    report, truth = trace(spawn, program, "walk", seed)
    keys = "size", "count", "alloc_size", "alloc_count", "peak_size", "peak_count"
    assert report["traced"]["peak_size"] == truth["peak_size"]
    assert see_lines(report, *keys) == expect_lines(truth, *keys)
    assert sum(line["peak_size"] for line in truth["lines"]) == truth["peak_size"]


@pytest.mark.parametrize("seed", range(1, 3))
def test_peaks_of_two_threads_in_turn(spawn, seed):
    """As long as one thread is alone and only allocates, its peak is noted by nobody."""
    workload = spawn(Workload, "snapshots.nofp", "turns", seed)
    tracer = spawn(Tracer, "-p", workload.pid, interval=0.05)
    for _ in range(8):
        truth = workload.run()
        tracer.pass_interval()
        report = tracer.report()
        assert see_lines(report, "peak_size", "peak_count") == \
            expect_lines(truth, "peak_size", "peak_count")
        others = report["traced"]["peak_size"] - truth["peak_size"]
        assert 0 <= others < 512    # the library's, for the thread
    tracer.stop()


def test_reset_peak_at_each_report(spawn):
    workload = spawn(Workload, "snapshots.nofp", "peaks")
    tracer = spawn(Tracer, "-p", workload.pid, "--reset-peak", interval=0.05)
    for _ in range(5):
        truth = workload.run()
    assert truth["peak_size"] == 4000
    # Nothing is left at the fifth stop, and what had been is in no interval that begins now.
    tracer.pass_interval()
    assert tracer.report()["traced"]["peak_size"] == 0
    workload.run()
    tracer.pass_interval()
    report = tracer.report()
    assert report["traced"]["peak_size"] == 4001
    assert sorted(s["peak_size"] for s in details(report).values()) == [0] * 5 + [4001]
    workload.run()
    tracer.pass_interval()
    report = tracer.report()
    assert report["traced"]["peak_size"] == 0
    assert {s["peak_size"] for s in report["statistics"]} == {0}
    tracer.stop()


# ---- temporary blocks, sizes, ages, what the allocator gave ----

@pytest.mark.parametrize("program", ["snapshots.nofp", "snapshots.musl"])
def test_temporary_blocks(spawn, program):
    report, truth = trace(spawn, program, "temporaries")
    keys = "alloc_count", "temporary"
    expected = expect_lines(truth, *keys)
    seen = see_lines(report, *keys)
    assert {line: seen.get(line) for line in expected} == expected
    assert sum(line["temporary"] for line in truth["lines"]) == 500


def class_of(entry):
    assert entry["min"].bit_length() == entry["max"].bit_length()
    assert entry["min"] == 0 or entry["min"] & (entry["min"] - 1) == 0
    assert entry["max"] & (entry["max"] + 1) == 0
    return str(entry["min"].bit_length())


@pytest.mark.parametrize("program", ["snapshots.nofp", "snapshots.musl"])
@pytest.mark.parametrize("scenario", ["sizes", "walk"])
def test_sizes_in_powers_of_two(spawn, program, scenario):
    report, truth = trace(spawn, program, scenario)
    seen = {line: {class_of(entry): entry["count"] for entry in s["histogram"]}
            for line, s in details(report).items()}
    assert seen == {line["line"]: line["classes"] for line in truth["lines"]}


@pytest.mark.parametrize("scenario", ["sizes", "walk"])
def test_what_the_allocator_gave(spawn, scenario, tmp_path):
    path = tmp_path / "s.pb.gz"
    _, truth = trace(spawn, "snapshots.nofp", scenario, options=["-o", path])
    seen = {line: s["usable_size"] for line, s in details(report_file(path)).items()}
    assert seen == {line["line"]: line["usable_size"] or None for line in truth["lines"]}
    tree = memtracebpf("report", path, "--tree", "--top", 0).stdout.splitlines()
    assert tree[0].split() == ["User", "size", "Usable", "size", "Count"]


def test_tree_while_it_runs(spawn):
    workload = spawn(Workload, "snapshots.nofp", "ages")
    tracer = spawn(Process, MEMTRACEBPF, "-p", workload.pid, "--tree")
    tracer.err.expect("tracing ")
    workload.say()
    workload.out.expect("first")
    tracer.signal(signal.SIGINT)
    assert tracer.wait() == 0
    assert [line.split()[:5] for line in tracer.out.lines if " place" in line] == [
        ["100", "B", "104", "B", "1"], ["10", "B", "24", "B", "1"]]


def test_what_musl_gave_is_not_known(spawn, tmp_path):
    path = tmp_path / "s.pb.gz"
    trace(spawn, "snapshots.musl", "walk", options=["-o", path])
    assert {s["usable_size"] for s in details(report_file(path)).values()} == {None}
    tree = memtracebpf("report", path, "--tree", "--top", 0).stdout
    assert re.search(r" B +\? +\d+ +.*place3|iB +\? +\d+ +.*place3", tree), tree


def test_ages(spawn, tmp_path):
    """Between readings of our own clock before and after what is measured."""
    workload = spawn(Workload, "snapshots.nofp", "ages")
    tracer = spawn(Snapshots, tmp_path, "-p", workload.pid)
    begin = time.monotonic()
    workload.say()
    workload.out.expect("first")
    first = time.monotonic()
    tracer.snapshot()
    tracer.snapshot()
    workload.say()
    workload.out.expect("second")
    second = time.monotonic()

    def oldest():
        before = time.monotonic()
        report = report_file(tracer.snapshot())
        ages = [s["oldest_ms"] for _, s in sorted(details(report).items())]
        return before, time.monotonic(), ages

    before, after, ages = oldest()
    lowest = [before - first, before - first, before - second]
    highest = [after - begin, after - begin, after - first]
    for low, age, high in zip(lowest, ages, highest):
        assert low - JIFFY - 0.001 <= age / 1000 <= high + JIFFY
    workload.say()
    workload.out.expect("freed")
    before, after, ages = oldest()
    assert before - second - JIFFY - 0.001 <= ages[0] / 1000 <= after - first + JIFFY
    assert before - first - JIFFY - 0.001 <= ages[1] / 1000 <= after - begin + JIFFY


def test_min_age(spawn, tmp_path):
    """Blocks that are surely older, and such that are surely younger."""
    workload = spawn(Workload, "snapshots.nofp", "ages")
    tracer = spawn(Snapshots, tmp_path, "-p", workload.pid, "--min-age", 0.5)
    begin = time.monotonic()
    workload.say()
    workload.out.expect("first")
    report = report_file(tracer.snapshot())
    if time.monotonic() - begin < 0.5 - JIFFY:
        assert all(books[:2] == (0, 0) for books in lines_of(report, FILE).values())
    while not any(s["count"] for s in details(report).values()):
        report = report_file(tracer.snapshot())
    assert time.monotonic() - begin >= 0.5 - JIFFY
    begin = time.monotonic()
    workload.say()
    workload.out.expect("second")
    report = report_file(tracer.snapshot())
    if time.monotonic() - begin < 0.5 - JIFFY:
        (_, place0), (_, place1), (_, place2) = sorted(details(report).items())
        assert (place0["size"], place0["count"], place0["usable_size"]) == (100, 1, 104)
        assert (place1["size"], place1["count"], place2["count"]) == (10, 1, 0)
        assert report["traced"] == {"size": 330, "count": 4, "peak_size": 330}


# ---- files ----

@pytest.mark.parametrize("options", [
    [], ["--detail"], ["-g", "file"], ["-g", "traceback"], ["-g", "traceback", "--limit", "2"],
    ["-g", "traceback", "--most-recent-last"], ["-g", "function"],
    ["-g", "library", "--cumulative"],
    ["--tree"], ["--format", "markdown"], ["--format", "markdown", "-g", "file"],
    ["--format", "csv"], ["--format", "csv", "-g", "file", "--detail"], ["--format", "json"],
    ["--format", "json", "-g", "traceback"], ["--include", "*snapshots.c", "-v"],
    ["--exclude", "*snapshots.c:21", "--detail"], ["--cumulative", "-t", "0"],
    ["--min-size", "4K"], ["--wrappers", "place*"], ["--no-wrappers"],
    ["--include-domain", "malloc"], ["--exclude-domain", "malloc", "--format", "json"],
], ids=" ".join)
def test_the_live_report_is_that_of_the_file(spawn, tmp_path, options):
    path = tmp_path / "s.pb.gz"
    workload = spawn(Workload, "snapshots.nofp", "walk")
    tracer = spawn(Process, MEMTRACEBPF, "-p", workload.pid, "-o", path, *options)
    tracer.err.expect("tracing ")
    workload.run()
    tracer.signal(signal.SIGINT)
    assert tracer.wait() == 0
    of_file = memtracebpf("report", path, *options).stdout.splitlines()
    assert [line.rstrip("\r") for line in tracer.out.lines] == of_file
    assert len(tracer.out.lines) >= 1


def test_a_file_is_only_its_owners(spawn, tmp_path):
    path = tmp_path / "s.pb.gz"
    path.write_text("what was there before")
    path.chmod(0o644)
    trace(spawn, "snapshots.nofp", "walk", options=["-o", path])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == ["s.pb.gz"]
    assert report_file(path)["lost"]["blocks"] == 0


def test_sizes_that_cannot_be(spawn, tmp_path):
    """What is larger than an address space is no block, and no sum goes round: others' totals stay right."""
    path = tmp_path / "s.pb.gz"
    victim = spawn(Workload, "snapshots.nofp", "walk")
    absurd = spawn(Workload, "absurd.nofp", "run")
    tracer = spawn(Tracer, "-p", victim.pid, "-p", absurd.pid, "-o", path)
    truths = victim.run(), absurd.run()
    report = tracer.stop()
    assert report["lost"]["by_reason"]["blocks_size"] == 1 + 12 + 100
    assert losses(report) == {"blocks": 113, "frees_unmatched": 100}
    assert_lines(report, sum_of(truths))
    of_file = report_file(path)
    assert_lines(of_file, sum_of(truths))
    assert of_file["traced"]["size"] == report["traced"]["size"] == sum(t["size"] for t in truths)


def test_a_file_that_cannot_be_written(spawn, tmp_path):
    """Its directory goes while we trace: that ends nothing before its time."""
    (tmp_path / "directory").mkdir()
    path = tmp_path / "directory" / "s.pb.gz"
    workload = spawn(Workload, "snapshots.nofp", "walk")
    tracer = spawn(Tracer, "-p", workload.pid, "-o", path)
    (tmp_path / "directory").rmdir()
    tracer.signal(signal.SIGUSR1)
    tracer.err.expect("memtracebpf: cannot write the snapshot ")
    workload.run()
    tracer.signal(signal.SIGINT)
    assert details(tracer.report())
    said = len(tracer.err.lines)
    assert tracer.wait() == 1
    assert tracer.err.lines[said:] == [
        f"memtracebpf: cannot write the snapshot {path}: No such file or directory"]


def test_no_device_is_replaced_by_a_file(spawn, tmp_path):
    path = tmp_path / "device"
    os.mknod(path, 0o666 | stat.S_IFCHR, os.makedev(1, 3))
    workload = spawn(Workload, "snapshots.nofp", "ages")
    tracer = spawn(Process, MEMTRACEBPF, "-p", workload.pid, "-o", path)
    assert tracer.wait() == 1
    assert "not a regular file" in tracer.err.lines[-1]
    assert path.is_char_device() and os.listdir(tmp_path) == ["device"]


def test_a_reader_that_has_gone_does_not_cost_the_file(spawn, tmp_path):
    path = tmp_path / "s.pb.gz"
    workload = spawn(Workload, "snapshots.nofp", "walk")
    read, write = os.pipe()
    tracer = subprocess.Popen([MEMTRACEBPF, "-p", str(workload.pid), "-o", path], stdout=write,
                              stderr=subprocess.PIPE, text=True)
    os.close(write)
    assert tracer.stderr.readline().startswith("tracing ")
    workload.run()
    os.close(read)
    assert tracer.wait() == 0
    assert details(report_file(path))


def test_numbered_files(spawn, tmp_path):
    workload = spawn(Workload, "snapshots.nofp", "ages")
    tracer = spawn(Tracer, "-p", workload.pid, cwd=tmp_path)
    workload.say()
    workload.out.expect("first")
    for number in 1, 2:
        tracer.signal(signal.SIGUSR1)
        assert tracer.err.expect("wrote") == f"wrote memtracebpf.{number}.pb.gz"
    tracer.stop()
    assert sorted(os.listdir(tmp_path)) == ["memtracebpf.1.pb.gz", "memtracebpf.2.pb.gz"]
    for s in details(report_file(tmp_path / "memtracebpf.2.pb.gz")).values():
        assert s["oldest_ms"] is not None


def test_go_adds_up_the_same(spawn, tmp_path):
    needs("go")
    path = tmp_path / "s.pb.gz"
    report, truth = trace(spawn, "snapshots.nofp", "walk", options=["-o", path])
    totals = {"inuse_space": report["traced"]["size"], "inuse_objects": report["traced"]["count"],
              "alloc_space": truth["alloc_size"], "alloc_objects": truth["alloc_count"],
              "peak_space": truth["peak_size"],
              "peak_objects": sum(line["peak_count"] for line in truth["lines"])}
    for sample, total in totals.items():
        top = subprocess.run(["go", "tool", "pprof", "-top", f"-sample_index={sample}", "-unit=B",
                              path], capture_output=True, text=True, check=True,
                             env=dict(os.environ, PPROF_TMPDIR=str(tmp_path))).stdout
        assert re.search(rf"of {total}B? total", top), (sample, total, top)


# ---- all is forgotten ----

def test_clearing_while_two_threads_allocate(spawn, tmp_path):
    workload = spawn(Workload, "snapshots.nofp", "rounds", 50)
    tracer = spawn(Snapshots, tmp_path, "-p", workload.pid, "-g", "traceback")
    workload.say()
    for i in range(50):
        workload.out.expect("before")
        tracer.clear()
        workload.say()
        workload.out.expect("after")
        report = report_file(tracer.snapshot(), "-g", "function")
        # The entries are the total, whatever the threads do meanwhile.
        for key in "size", "count":
            entries = sum(s[key] for s in report["statistics"]) + report["other"][key]
            assert report["traced"][key] == entries
            assert report["traced"][key] == sum(p[key] for p in report["processes"])
        mine = {s["traceback"][0]["function"]: s for s in report["statistics"]}
        s = mine["of_this_round"]
        size, count = 1000 * (i + 1), i + 1
        assert (s["size"], s["count"], s["alloc_size"], s["alloc_count"], s["peak_size"]) == (
            size, count, size, count, s["peak_size"])
        assert s["temporary"] == 0
        churn = mine["churn"]
        # Two threads are at it: each may be between a size and its count.
        assert 30 <= churn["count"] <= 32 and abs(churn["size"] - 333 * churn["count"]) <= 2 * 333
        assert size <= report["traced"]["peak_size"] <= size + 333 * 33
        lost = losses(report)
        assert set(lost) <= {"frees_unmatched"}
        assert i <= lost.get("frees_unmatched", 0) <= i + 32
        workload.say()
    workload.truth()
    tracer.stop()


# ---- one block ----

def ready_addresses(spawn, *arguments):
    """A workload that has said where its blocks will be, and that waits."""
    workload = spawn(Workload, "snapshots.nofp", "addresses", *arguments)
    workload.say()
    return workload, [int(word, 16) for word in workload.out.next().split()]


SIZES = [24, 1000, 0, 100000]


@pytest.mark.parametrize("index, offset", [
    (0, 0), (0, 23), (1, 0), (1, 1), (1, 999), (2, 0), (3, 50000), (3, 99999)])
def test_block(spawn, index, offset):
    workload, at = ready_addresses(spawn)
    tracer = spawn(Tracer, "-p", workload.pid, "--block", hex(at[index] + offset))
    truth = workload.run()
    tracer.signal(signal.SIGINT)
    block = tracer.report()
    assert tracer.wait() == 0
    assert (block["pid"], block["address"], block["size"]) == (
        workload.pid, at[index], SIZES[index])
    assert [f["function"] for f in block["traceback"]][:3] == [f"place{index}", "addresses", "main"]
    assert block["traceback"][0]["line"] == truth["lines"][index]["line"]
    assert block["stopped"] is None


def test_block_as_text(spawn):
    workload, at = ready_addresses(spawn)
    tracer = spawn(Process, MEMTRACEBPF, "-p", workload.pid, "--block", str(at[1] + 7))
    tracer.err.expect("tracing ")
    workload.run()
    tracer.signal(signal.SIGINT)
    assert tracer.wait() == 0
    assert re.fullmatch(
        rf"{at[1]:#x} in snapshots.nofp \({workload.pid}\): 1000 B, allocated \d+\.\d s ago",
        tracer.out.lines[0])
    assert "snapshots.c" in tracer.out.lines[1]


@pytest.mark.parametrize("index, offset, freed", [
    (0, 24, []), (1, 1000, []), (1, -1, []), (2, 1, []), (1, 0, [1]), (1, 1 << 40, [])])
def test_no_block(spawn, index, offset, freed):
    """One past its end, before its begin, freed, anywhere."""
    workload, at = ready_addresses(spawn, *freed)
    tracer = spawn(Tracer, "-p", workload.pid, "--block", hex(at[index] + offset))
    workload.run()
    tracer.signal(signal.SIGINT)
    assert tracer.report() is None
    assert tracer.wait() == 1
    assert len([line for line in tracer.err.lines if line.startswith("memtracebpf: no block")]) == 1


def test_block_of_the_second_process(spawn):
    first = spawn(Workload, "snapshots.nofp", "walk")
    workload, at = ready_addresses(spawn)
    tracer = spawn(Tracer, "-p", first.pid, "-p", workload.pid, "--block", hex(at[3] + 1))
    first.run()
    workload.run()
    tracer.signal(signal.SIGINT)
    block = tracer.report()
    assert tracer.wait() == 0
    assert (block["pid"], block["address"], block["size"]) == (workload.pid, at[3], 100000)


# ---- the environment, and what it costs ----

def test_traceback_limit_from_the_environment(spawn):
    workload = spawn(Workload, "snapshots.nofp", "walk")
    tracer = spawn(Tracer, "-p", workload.pid, "-g", "traceback",
                   env=dict(os.environ, MEMTRACEBPF_NFRAME="2"))
    workload.run()
    report = tracer.stop()
    assert {len(s["traceback"]) for s in report["statistics"]} == {2}
    for wrong in "0", "128", "many", "":
        result = memtracebpf("-p", workload.pid, "-n", 1, "-i", 0.01,
                             env=dict(os.environ, MEMTRACEBPF_NFRAME=wrong))
        assert result.returncode == (2 if wrong else 0)


def test_own_memory(spawn, tmp_path):
    workload = spawn(Workload, "snapshots.nofp", "walk")
    tracer = spawn(Tracer, "-p", workload.pid)
    workload.run()
    with open(f"/proc/{tracer.pid}/statm") as statm:
        resident = int(statm.read().split()[1]) * os.sysconf("SC_PAGESIZE")
    own = tracer.stop()["own_memory"]
    assert resident / 2 < own["rss"] < resident * 2 + (64 << 20)
    assert own["rss"] <= own["peak_rss"] < resident * 2 + (64 << 20)
    assert own["kernel"] > 1 << 20
    tracer = spawn(Process, MEMTRACEBPF, "-v", "-p", workload.pid)
    tracer.err.find("^tracing ")
    tracer.signal(signal.SIGINT)
    assert tracer.wait() == 0
    assert re.match(r"Own memory: resident=.*, peak=.*, kernel tables=", tracer.out.lines[-1])


# ---- a program of the world ----

def test_growth_of_sqlite(spawn, tmp_path):
    """The load makes sqlite grow: by as much as it says itself, and there."""
    needs("sqlite3")
    sqlite = spawn(Process, "sqlite3", "-batch", ":memory:")

    def used():
        sqlite.say(".stats")
        return int(sqlite.out.find("^Memory Used:").split()[2])

    sqlite.say("create table t(a integer primary key, b text); pragma cache_size=-500000; "
               "select 'made';")
    sqlite.out.expect("made")
    tracer = spawn(Snapshots, tmp_path, "-p", sqlite.pid)
    sqlite.say("insert into t values(-1, 'warm'); select 'warm';")
    sqlite.out.expect("warm")
    used_before, before = used(), tracer.snapshot()
    sqlite.say("with recursive n(i) as (select 1 union all select i+1 from n where i < 20000) "
               "insert into t select i, hex(randomblob(50)) from n; select 'loaded';")
    sqlite.out.expect("loaded")
    used_after, after = used(), tracer.snapshot()
    result = memtracebpf("diff", before, after, "--format", "json", "-g", "library", "-t", 0)
    assert result.returncode == 0, result.stderr
    top = json.loads(result.stdout)["statistics"][0]
    assert "libsqlite3" in top["traceback"][0]["module"]
    grown = used_after - used_before
    assert grown > 2_000_000
    assert abs(top["size_diff"] - grown) < grown / 20
    result = memtracebpf("diff", before, after, "--format", "json", "-g", "traceback", "-t", 1)
    growth = json.loads(result.stdout)["statistics"][0]
    assert growth["size_diff"] > grown / 2
    assert "sqlite3_step" in [f["function"] for f in growth["traceback"]]


def test_snapshots_while_it_runs(spawn, tmp_path):
    """Each interval a file of one run, of which the last ones stay."""
    workload = spawn(Workload, "snapshots.nofp", "rounds", 50)
    tracer = spawn(Tracer, "-p", workload.pid, "-o", tmp_path / "s.pb.gz", "--snapshot-every", "0.05",
                   "--keep", "2")
    tracer.err.expect("wrote " + str(tmp_path / "s.4.pb.gz"))
    tracer.err.expect("wrote " + str(tmp_path / "s.5.pb.gz"))
    tracer.stop()
    numbers = sorted(int(path.name.split(".")[1]) for path in tmp_path.glob("s.*.pb.gz"))
    assert len(numbers) == 2 and numbers[1] == numbers[0] + 1 and numbers[1] >= 5
    said = subprocess.run([MEMTRACEBPF, "diff", *(tmp_path / f"s.{n}.pb.gz" for n in numbers)],
                          capture_output=True, text=True, check=True).stdout
    assert "counting since" in said and "Note:" not in said


def test_what_grew_in_a_run(spawn):
    workload = spawn(Workload, "snapshots.nofp", "rounds", 1)
    tracer = spawn(Tracer, "-p", workload.pid, "--diff", "-g", "function", interval=0.05)
    workload.say()
    workload.out.expect("before")
    workload.say()
    workload.out.expect("after")
    report = tracer.stop()
    assert tracer.out.lines == [line for line in tracer.out.lines if line.startswith("{")]
    assert len(tracer.out.lines) == 1		# whatever the interval is
    grown = [abs(s["size_diff"]) for s in report["statistics"]]
    assert grown == sorted(grown, reverse=True) and grown[0] > 0
    mine = {s["traceback"][0]["function"]: s for s in report["statistics"]}["of_this_round"]
    assert (mine["size_diff"], mine["count_diff"]) == (1000, 1) == (mine["size"], mine["count"])
