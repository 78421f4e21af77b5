# SPDX-License-Identifier: GPL-2.0-or-later
"""
Deterministic single-threaded runs under memcheck and under memtracebpf, from the first
allocation to the end. Memcheck replaces malloc in the file that memtracebpf probes, so both see
the same calls: those of the program, of its libraries, and of ld.so once libc is relocated. It
counts a realloc as one free and one allocation of the whole new size, as we do. Left out: what
libc frees at the end only because memcheck asks it to (--run-libc-freeres=no), and runs with calls
that fail, which memcheck counts as if they had not. No program here copies its environment, to
which memcheck adds.
"""

import collections
import os
import re
import subprocess
import xml.etree.ElementTree as ET

import pytest

from tracing import TIMEOUT, WORKLOADS, Tracer, assert_nothing_lost, in_file

ENV = dict(os.environ, LC_ALL="C")
SQL = ("create table t(a, b); with recursive n(i) as (select 1 union all select i + 1 from n "
       "where i < 3000) insert into t select i, 'text ' || i from n; select count(*) from t;")


def memcheck(command, *options, **kwargs):
    subprocess.run(["valgrind", "--tool=memcheck", "--run-libc-freeres=no",
                    "--run-cxx-freeres=no", *options, *map(str, command)],
                   stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT, check=True,
                   env=ENV, **kwargs)


def ours(spawn, command, *options, **kwargs):
    tracer = spawn(Tracer, *options, "--", *command, stdin=subprocess.DEVNULL, env=ENV, **kwargs)
    report = tracer.last()
    assert_nothing_lost(report)
    return report


@pytest.mark.parametrize("command", [
    [WORKLOADS / "alloc.nofp", "mixed"],
    [WORKLOADS / "alloc.nofp", "inside_libc"],
    [WORKLOADS / "containers.nofp", "containers"],
    ["/usr/bin/sqlite3", ":memory:", SQL],
    ["/bin/ls", "-la", "/usr/bin"],
    ["/usr/bin/objdump", "-x", "/bin/ls"],
], ids=lambda command: os.path.basename(str(command[0])) + ":" + str(command[1])[:12])
def test_totals(spawn, tmp_path, command):
    """Number of allocations and bytes, ever and at the end, match to the unit."""
    log = tmp_path / "log"
    memcheck(command, f"--log-file={log}")
    text = log.read_text().replace(",", "")
    at_exit = re.search(r"in use at exit: (\d+) bytes in (\d+) blocks", text)
    usage = re.search(r"total heap usage: (\d+) allocs \d+ frees (\d+) bytes", text)

    report = ours(spawn, command)
    statistics = report["statistics"]
    assert (sum(s["alloc_count"] for s in statistics), sum(s["alloc_size"] for s in statistics)) \
        == (int(usage[1]), int(usage[2]))
    assert (report["traced"]["size"], report["traced"]["count"]) \
        == (int(at_exit[1]), int(at_exit[2]))


@pytest.mark.parametrize("program, scenario, source", [
    ("alloc.nofp", "inside_libc", "alloc.c"),
    ("alloc.nofp", "mixed", "alloc.c"),
    ("containers.nofp", "containers", "containers.cc"),
])
def test_lines(spawn, tmp_path, program, scenario, source):
    """What is in use at the end, by the line of ours that leads to it."""
    command = [WORKLOADS / program, scenario]
    xml = tmp_path / "xml"
    memcheck(command, "--leak-check=full", "--show-leak-kinds=all", "--num-callers=50",
             "--xml=yes", f"--xml-file={xml}")
    expected = collections.Counter()
    for error in ET.parse(xml).iter("error"):
        if not error.findtext("kind").startswith("Leak_"):
            continue
        # Otherwise blocks that can be reached from this one would be counted here and there.
        direct = re.search(r"\((\d+) direct", error.findtext("xwhat/text").replace(",", ""))
        size = direct[1] if direct else error.findtext("xwhat/leakedbytes")
        for frame in error.iterfind("stack/frame"):
            if frame.findtext("file") == source:
                line = int(frame.findtext("line"))
                expected[line, "size"] += int(size)
                expected[line, "count"] += int(error.findtext("xwhat/leakedblocks"))
                break
    assert expected

    report = ours(spawn, command, "--group-by", "traceback")
    found = collections.Counter()
    for stat in report["statistics"]:
        for frame in stat["traceback"]:
            if in_file(frame, (source,)):
                found[frame["line"], "size"] += stat["size"]
                found[frame["line"], "count"] += stat["count"]
                break
    assert +found == +expected
