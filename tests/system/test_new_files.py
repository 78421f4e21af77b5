# SPDX-License-Identifier: GPL-2.0-or-later
"""Files with an allocator that nobody has run before, met while the whole machine is traced."""

import json
import os
import pathlib
import re
import shutil
import signal
import subprocess

import pytest

from tracing import WORKLOADS, Process, Tracer, Workload, assert_lines, book_of, losses, own_copy

pytestmark = pytest.mark.alone

JEMALLOC = "/usr/lib/x86_64-linux-gnu/libjemalloc.so.2"
MIMALLOC = "/usr/lib/x86_64-linux-gnu/libmimalloc.so.2"
QUICK = {"alloc_count": 100, "alloc_size": sum(range(100, 200)),
         "count": 40, "size": sum(range(160, 200))}


def copy_of(library, directory):
    """The same bytes in a new file."""
    return shutil.copy(os.path.realpath(library), directory)


def wait_attached(tracer, file):
    tracer.err.find(f"{file}: .* functions probed")


def assert_watched(report, workload, truth):
    """Exact from here on; what was missed before, the report dates."""
    assert_lines(report, truth)
    book = book_of(report, workload.pid)
    assert 0 <= book["since_ms"] <= report["elapsed_ms"]
    assert losses(report).keys() <= {"frees_unmatched", "frames_cut"}   # its rows come later


@pytest.mark.parametrize("program, scenario", [("processes.static", ("hold", 300)),
                                               ("alloc.musl-static", ("mixed", 3000))])
def test_new_executable(spawn, tmp_path, program, scenario):
    copy = own_copy(program, tmp_path)
    tracer = spawn(Tracer, "--comm", copy.name, "--group-by", "traceback", "-v")
    workload = spawn(Workload, copy, *scenario)
    wait_attached(tracer, copy)
    truth = workload.run()
    assert_watched(tracer.stop(), workload, truth)


def nice_values(pid):
    """Of the threads of a process."""
    stats = [task.read_text() for task in pathlib.Path(f"/proc/{pid}/task").glob("*/stat")]
    return {int(stat.rpartition(")")[2].split()[16]) for stat in stats}


def test_read_at_the_priority_of_who_brought_it(spawn, tmp_path):
    """Its rows are read by a thread that is as nice as the process; probes are placed at once."""
    copy = own_copy("processes.static", tmp_path)
    tracer = spawn(Tracer, "--comm", copy.name, "--group-by", "traceback", "-v", interval=0.1)
    tracer.report()
    assert 7 not in nice_values(tracer.pid)
    workload = spawn(Workload, copy, "hold", 300, preexec_fn=lambda: os.nice(7))
    wait_attached(tracer, copy)
    assert any(7 in nice_values(tracer.pid) for _ in range(100) if tracer.report())
    assert -20 in nice_values(tracer.pid)
    truth = workload.run()
    assert_watched(tracer.stop(), workload, truth)


def test_new_preloaded_library(spawn, tmp_path):
    program = own_copy("alloc.nofp", tmp_path)
    library = copy_of(JEMALLOC, tmp_path)
    tracer = spawn(Tracer, "--comm", program.name, "--group-by", "traceback", "-v")
    workload = spawn(Workload, program, "mixed", 3000, env=dict(os.environ, LD_PRELOAD=library))
    wait_attached(tracer, library)
    truth = workload.run()
    assert_watched(tracer.stop(), workload, truth)


BLOCK = 1234567
OPENS = """
import ctypes, sys
library = ctypes.CDLL(sys.argv[1])
library.malloc.restype = ctypes.c_void_p
print("ready"), input()
for i in range(20):
    library.malloc(int(sys.argv[2]))
print("done"), input()
"""


def test_new_opened_library(spawn, tmp_path):
    """Its own malloc, beside the program's. jemalloc would not do: it has to be there at the start."""
    library = copy_of(MIMALLOC, tmp_path)
    tracer = spawn(Tracer, "--comm", "python3", "--group-by", "traceback", "-v")
    python = spawn(Process, "/usr/bin/python3", "-S", "-u", "-c", OPENS, library, BLOCK)
    python.out.expect("ready")
    wait_attached(tracer, library)
    python.say()
    python.out.expect("done")
    report = tracer.stop()
    own = [stat for stat in report["statistics"]
           if stat["pids"] == [python.pid] and stat["size"] >= BLOCK]
    assert [(stat["count"], stat["size"]) for stat in own] == [(20, 20 * BLOCK)]


POOL = """
static char pool[1 << 20]; static unsigned long at;
void *malloc(unsigned long n) { void *p = pool + at; at += n; __asm__ volatile("" : "+r"(p)); return p; }
void free(void *p) { __asm__ volatile("nop"); }
void run(void) { for (int i = 0; i < 100; i++) *(volatile char *)malloc(1000) = 1; }
"""

IN_A_NAMESPACE = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
int main(int c, char **v)
{
	setvbuf(stdout, NULL, _IONBF, 0);
	free(malloc(10));
	puts("ready");
	getchar();
	void *pool = dlmopen(LM_ID_NEWLM, v[1], RTLD_NOW);
	puts("opened");
	getchar();
	((void (*)(void))dlsym(pool, "run"))();
	puts("run");
	getchar();
	return 0;
}
"""


def test_new_library_in_a_namespace(spawn, tmp_path):
    """Of dlmopen: the linker has a list of libraries for each (glibc 2.35)."""
    program = tmp_path / f"mtns{os.getpid()}"
    pool = tmp_path / "pool.so"
    subprocess.run(["gcc", "-xc", "-", "-o", program], input=IN_A_NAMESPACE, text=True, check=True)
    subprocess.run(["gcc", "-O1", "-fno-builtin", "-nostdlib", "-shared", "-fPIC", "-xc", "-",
                    "-o", pool], input=POOL, text=True, check=True)
    process = spawn(Process, program, pool)
    process.out.expect("ready")
    tracer = spawn(Tracer, "--comm", program.name, "-v")
    process.say()
    process.out.expect("opened")
    wait_attached(tracer, pool)
    process.say()
    process.out.expect("run")
    report = tracer.stop()
    counts = [stat["count"] for stat in report["statistics"]
              if str(pool) in (stat["traceback"][0]["module"] or "")]
    assert sum(counts) == 100


def test_second_run(spawn, tmp_path):
    """The first run is over before anybody can look at it."""
    copy = own_copy("quick.musl-static", tmp_path)
    tracer = spawn(Tracer, "--comm", copy.name, "--leaks-at-exit", "-v")
    subprocess.run([copy], check=True)
    wait_attached(tracer, copy)
    second = spawn(Process, copy)
    assert second.wait() == 0
    while (report := tracer.report())["pids"] != [second.pid]:
        pass
    assert {field: sum(stat[field] for stat in report["statistics"]) for field in QUICK} == QUICK
    tracer.stop()


def run_once(directory, numbers):
    """New executables, each of which runs once. They are called alike."""
    for i in numbers:
        path = directory / f"{i}" / f"once{os.getpid()}"
        path.parent.mkdir()
        shutil.copy(WORKLOADS / "quick.musl-static", path)
        os.waitpid(os.posix_spawn(path, [path], {}), 0)
        path.unlink()


def descriptors(tracer, directory):
    """How many the tracer has of files there."""
    listed = subprocess.run(["find", f"/proc/{tracer.pid}/fd", "-lname", f"{directory}/*"],
                            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return len(listed.stdout.splitlines())


def report_when(tracer, condition):
    """The first report after which it holds."""
    for _ in range(200):
        report = tracer.report()
        if condition(report):
            return report
    raise AssertionError(f"not after 200 reports: {report}")


def test_thousands_of_executables(spawn, tmp_path):
    """Each runs once and is deleted: no descriptor and no memory stays."""
    tracer = spawn(Tracer, "--comm", f"once{os.getpid()}", interval=0.1)
    memory = []
    for first in range(0, 2000, 500):
        run_once(tmp_path, range(first, first + 500))
        report = report_when(tracer, lambda _: not descriptors(tracer, tmp_path))
        memory.append(sum(report["own_memory"].values()))
    assert memory[-1] <= memory[0] * 1.3, memory     # others' files come, too
    tracer.stop()


def next_file(tracer):
    """The first index that no file has had."""
    maps = json.loads(subprocess.run(["bpftool", "-j", "map", "show"], stdout=subprocess.PIPE,
                                     check=True).stdout)
    ours = subprocess.run(f"cat /proc/{tracer.pid}/fdinfo/* | sed -n 's/^map_id:.//p'", shell=True,
                          stdout=subprocess.PIPE, check=True).stdout.decode().split()
    data, = (m["id"] for m in maps if m.get("name") == "memtrace.data" and str(m["id"]) in ours)
    dump = subprocess.run(["bpftool", "-j", "map", "dump", "id", str(data)], stdout=subprocess.PIPE,
                          check=True).stdout
    return int(re.search(rb'"next_file": ?(\d+)', dump).group(1))


def test_more_new_files_than_can_be_said(spawn, tmp_path):
    """What nobody heard of has taken no index, and is met when it comes again."""
    tracer = spawn(Tracer, "--comm", f"once{os.getpid()}", interval=0.1)
    before = next_file(tracer)
    tracer.signal(signal.SIGSTOP)
    run_once(tmp_path, range(1000))
    tracer.signal(signal.SIGCONT)
    report = report_when(tracer, lambda report: report["lost"]["events"])
    assert report["lost"]["events"] >= 1000 - 789
    assert next_file(tracer) - before <= 789 + 40
    tracer.stop()
