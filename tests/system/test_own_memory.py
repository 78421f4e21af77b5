# SPDX-License-Identifier: GPL-2.0-or-later
"""Memory of memtracebpf itself, as the kernel counts it."""

import subprocess

import pytest

from tracing import WORKLOADS, Process, Tracer, Workload

MIB = 1 << 20
UNITS = 120
LIMIT = 40 * MIB             # with the tables of the kernel half that are mapped


def status(process):
    """{"VmRSS": bytes, ...}"""
    with open(f"/proc/{process.pid}/status") as lines:
        pairs = (line.split()[:2] for line in lines if line.endswith("kB\n"))
        return {name[:-1]: int(kib) * 1024 for name, kib in pairs}


UNIT = """
#include <cstdlib>
#include <functional>
#include <map>
#include <regex>
#include <string>

namespace {
void *block;

[[gnu::constructor]] void begin()
{
	std::map<std::string, std::function<int(std::string)>> functions;
	std::regex expression("[a-z]*");

	functions["a"] = [](std::string s) { return (int)s.size(); };
	functions["a"]("b");
	block = malloc(1000);
}
}
"""
# Wait for a line, then run all constructors: they are in libraries.
PROGRAM = """
#include <dlfcn.h>
#include <stdio.h>
int main(int argc, char **argv)
{
	puts("ready");
	fflush(stdout);
	getchar();
	puts(dlopen(argv[1], RTLD_NOW) ? "{}" : dlerror());
	fflush(stdout);
	getchar();
}
"""
NAMING = ("info", "abbrev", "line", "str", "ranges", "addr", "line_str", "rnglists", "str_offsets")


def naming_sections(path):
    """Bytes of the sections that names are read from."""
    lines = subprocess.run(["size", "-A", path], capture_output=True, check=True,
                           text=True).stdout
    rows = [line.split() for line in lines.splitlines() if line.startswith(".debug_")]
    return sum(int(row[1]) for row in rows if row[0].removeprefix(".debug_") in NAMING)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """(program, library with much DWARF, the same packed, bytes of the sections for names)."""
    directory = tmp_path_factory.mktemp("names")
    (directory / "unit.cc").write_text(UNIT)
    (directory / "program.c").write_text(PROGRAM)
    unit, program = directory / "unit.o", directory / "program"
    library, packed = directory / "units.so", directory / "packed.so"
    subprocess.run(["g++", "-g", "-O0", "-fPIC", "-c", "-o", unit, directory / "unit.cc"], check=True)
    subprocess.run(["gcc", "-o", program, directory / "program.c"], check=True)
    subprocess.run(["g++", "-shared", "-o", library, *[unit] * UNITS], check=True)
    subprocess.run(["objcopy", "--compress-debug-sections", library, packed], check=True)
    return program, library, packed, naming_sections(library)


@pytest.mark.parametrize("is_packed", [False, True])
def test_memory_of_names(spawn, built, is_packed):
    program, library, packed, sections = built
    process = spawn(Process, program, packed if is_packed else library)
    process.out.expect("ready")
    tracer = spawn(Tracer, "-p", process.pid, interval=0.1)
    tracer.report()
    before = status(tracer)["VmHWM"]
    process.say()
    process.out.expect("{}")
    blocks = []
    while not blocks:
        report = tracer.report()
        blocks = [s for s in report["statistics"] if s["size"] == 1000 * UNITS]
    assert blocks[0]["traceback"][0]["file"].endswith("unit.cc")
    peak = report["own_memory"]["peak_rss"]
    assert sections / 2 < peak - before < 1.2 * sections
    assert status(tracer)["VmRSS"] < LIMIT      # and it was given back
