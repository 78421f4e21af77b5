# SPDX-License-Identifier: GPL-2.0-or-later
"""What doctor says, against objdump, readelf, and the memory of a process that is traced."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

import pytest

from tracing import MEMTRACEBPF, ROOT, TIMEOUT, WORKLOADS, Process, Tracer, Workload

pytestmark = pytest.mark.alone

NOBODY = ("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups")


def run(*words):
    return subprocess.run([str(word) for word in words], capture_output=True, text=True,
                          timeout=TIMEOUT, stdin=subprocess.DEVNULL)


def text(*arguments, under=(), status=0):
    result = run(*under, MEMTRACEBPF, "doctor", *arguments)
    assert (result.returncode, result.stderr) == (status, "")
    return result.stdout


def doctor(*arguments, **kwargs):
    return json.loads(text("--format", "json", *arguments, **kwargs))


def features(report):
    return {feature["name"]: feature["available"] for feature in report["features"]}


def allocators(report, pid):
    """{name: allocator} of a process."""
    process, = [process for process in report["processes"] if process["pid"] == pid]
    return {allocator["name"]: allocator for allocator in process["allocators"]}


def symbol_addresses(path):
    """{name: address} of the functions that readelf sees; the default version of each."""
    out = run("readelf", "--wide", "--syms", path).stdout
    found = {}
    for line in out.splitlines():
        fields = line.split()
        if len(fields) >= 8 and fields[3] == "FUNC" and fields[6] != "UND":
            found.setdefault(re.sub("@.*", "", fields[7]), int(fields[1], 16))
    return found


SYNONYMS = {"jz": "je", "jnz": "jne", "jnb": "jae", "jnbe": "ja", "jnl": "jge", "jnle": "jg"}


def normalised(instruction):
    """objdump and Zydis agree but for blanks, suffixes, symbols and two names of one condition."""
    words = re.sub(r"<.*|#.*", "", instruction).replace(",", " ").split()
    words[0] = SYNONYMS.get(words[0], words[0])
    return [word.removeprefix("0x") for word in words if word not in ("bnd", "notrack")]


def disassembled(path, address):
    """(bytes, text) of the instruction there, as objdump has it."""
    out = run("objdump", "-d", "--insn-width=16", f"--start-address={address}",
              f"--stop-address={address + 16}", path).stdout
    fields = re.search(rf"^ *{address:x}:\t([0-9a-f ]+)\t(.*)$", out, re.MULTILINE)
    return (bytes.fromhex(fields[1]), fields[2]) if fields else None


def assert_probes(file):
    """Each sits on an instruction of its function: objdump's, at the bytes of the file."""
    addresses = symbol_addresses(file["path"])
    with open(file["path"], "rb") as image:
        for probe in file["probes"]:
            # musl has each function twice in a static program: malloc() and __libc_malloc().
            names = [name for name in (probe["function"], "__libc_" + probe["function"])
                     if name in addresses]
            places = [disassembled(file["path"], addresses[name] + probe["offset"])
                      for name in names]
            image.seek(probe["file_offset"])
            bytes_there = image.read(16)
            assert any(bytes_there.startswith(code) and
                       normalised(probe["instruction"]) == normalised(instruction)
                       for code, instruction in filter(None, places)), (probe, places)


def assert_build_id(file):
    found = re.search(r"Build ID: ([0-9a-f]+)", run("readelf", "--notes", file["path"]).stdout)
    assert file["build_id"] == (found and found[1])


@pytest.mark.parametrize("program, allocator, in_program", [
    ("stacks.fp", "glibc", False), ("stacks.static", "glibc", True),
    ("stacks.musl", "musl", False), ("stacks.musl-static", "musl", True)])
def test_allocators_and_their_probes(spawn, program, allocator, in_program):
    process = spawn(Workload, program, "everything")
    report = doctor("-p", process.pid)
    assert [found["pid"] for found in report["processes"]] == [process.pid]
    file, = report["files"]
    found = allocators(report, process.pid)
    assert found == {allocator: {"name": allocator, "file": file["path"],
                                 "build_id": file["build_id"], "in_program": in_program,
                                 "followed": True}}
    assert (file["path"] == str(WORKLOADS / program)) == in_program
    assert (file["allocator"], file["not_followed"], file["processes"]) == (allocator, None, 1)
    assert {"malloc", "free"} <= {probe["function"] for probe in file["probes"]}
    assert_probes(file)
    assert_build_id(file)


def test_jemalloc_of_redis(spawn, tmp_path):
    redis = spawn(Process, "redis-server", "--port", 0, "--unixsocket", tmp_path / "socket",
                  "--save", "", "--dir", tmp_path)
    redis.out.find("ready to accept connections")
    report = doctor("-p", redis.pid)
    assert "libjemalloc" in allocators(report, redis.pid)["jemalloc"]["file"]
    for file in report["files"]:
        assert_probes(file)
        assert_build_id(file)


def code_at_probes(pid, file):
    """{offset: byte} of a process's memory, where the file's probes would be."""
    found = {}
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb") as memory:
        for line in maps:
            bounds, permissions, offset, *_, path = line.split(maxsplit=5) + [""]
            if "x" not in permissions or file["path"] not in line:
                continue
            start, end = (int(bound, 16) for bound in bounds.split("-"))
            for probe in file["probes"]:
                at = start + probe["file_offset"] - int(offset, 16)
                if start <= at < end:
                    memory.seek(at)
                    found[probe["file_offset"]] = memory.read(1)
    return found


def test_probes_are_where_tracing_puts_them(spawn):
    """Breakpoints while it traces, and none by doctor. Static: libc may be traced by others."""
    workload = spawn(Workload, "stacks.static", "everything")
    file, = doctor("-p", workload.pid)["files"]
    before = code_at_probes(workload.pid, file)
    assert len(before) == len(file["probes"]) and b"\xcc" not in before.values()
    tracer = spawn(Tracer, "-p", workload.pid)
    assert set(code_at_probes(workload.pid, file).values()) == {b"\xcc"}
    workload.run()
    tracer.stop()


def test_attached_as_tracing_attaches(spawn):
    workload = spawn(Workload, "alloc.fp", "entry_points")
    tracer = spawn(Tracer, "-v", "-p", workload.pid)
    kind = re.search(r"functions probed by (.*)", "\n".join(tracer.err.lines))[1]
    assert doctor("-p", workload.pid)["cost"]["attached_by"] == kind
    tracer.stop()


def test_what_tracing_uses_is_there(spawn):
    """The other tests trace on this kernel, so nothing that it needs can be missing."""
    report = doctor("-p", spawn(Process, WORKLOADS / "bare").pid)
    assert report["version"] == 1 and report["works"]
    assert not [f["name"] for f in report["features"] if f["keeps_from_tracing"]]
    found = features(report)
    assert None not in found.values()
    assert all(found[name] for name in (
        "btf", "programs", "jit", "attach_cookie", "bpf_loop", "task_storage", "send_signal",
        "find_vma", "probe_read_kernel", "atomics", "syscall_programs", "tp_exec", "tp_exit",
        "tp_rename", "tp_fork", "tp_cgroup", "iter_vma", "ring_buffer", "mapped_arrays",
        "arrays_of_arrays", "batches"))
    # What the kernel half says that it is attached to, no more and no less.
    source = (ROOT / "bpf" / "memtracebpf.bpf.c").read_text()
    sections = re.findall(r'SEC\("(\w+)/', source)
    assert sum(name.startswith("tp_") for name in found) == sections.count("tp_btf")
    # Of mappings, one and all processes'; that of tasks is as old as ring buffers (5.8).
    assert sum(name.startswith("iter_") for name in found) == 2 * source.count("iter/task_vma") == 2
    assert found["uprobe_session"] or found["uprobe_event"]
    with open("/sys/kernel/btf/vmlinux", "rb") as types:
        names = set(types.read().split(b"\0"))
    assert found["uprobe_lockless"] == (b"cons_node" in names)
    assert found["iter_vma"] == (b"bpf_iter_task_vma" in names)
    # Since the same release, 6.1.
    assert found["iter_vma_of_one"] == (b"BPF_TASK_ITER_TGID" in names)
    assert report["missing_capabilities"] is None
    assert report["kernel"]["release"] == os.uname().release
    assert report["kernel"]["cpus"] == os.sysconf("SC_NPROCESSORS_ONLN")
    with open("/proc/cpuinfo") as cpuinfo:
        assert report["kernel"]["virtual_machine"] == (" hypervisor" in cpuinfo.read())


def test_cost_is_measured(spawn):
    cost = doctor("-p", spawn(Process, WORKLOADS / "bare").pid)["cost"]
    # No clock is that coarse and no trap that cheap: without a probe they are below 1.
    assert min(cost["entry_ns"], cost["entry_return_ns"], cost["stepped_ns"]) > 20
    assert cost["pair_ns"] == pytest.approx(cost["entry_ns"] + cost["entry_return_ns"], abs=0.2)


def test_process_without_an_allocator(spawn):
    bare = spawn(Process, WORKLOADS / "bare")
    report = doctor("-p", bare.pid)
    assert allocators(report, bare.pid) == {}
    assert report["files"] == []
    assert "no allocator found" in text("-p", bare.pid)


def files_mapped(pids, path):
    """{(device, inode)} of what these processes map under that path."""
    found = set()
    for pid in pids:
        try:
            for line in pathlib.Path(f"/proc/{pid}/maps").read_text().splitlines():
                if line.endswith(f" {path}"):
                    file = os.stat(f"/proc/{pid}/map_files/" + re.sub(r"\b0+\B", "", line.split()[0]))
                    found.add((file.st_dev, file.st_ino))
        except OSError:
            pass    # it has ended
    return found


def test_all_processes(spawn):
    """Those with memory of their own; a file stands there once."""
    first, second = (spawn(Workload, "alloc.fp", "entry_points") for _ in range(2))
    zombie = os.fork()
    if zombie == 0:
        os._exit(0)
    os.waitid(os.P_PID, zombie, os.WEXITED | os.WNOWAIT)
    try:
        report = doctor()
    finally:
        os.waitpid(zombie, 0)
    pids = {process["pid"]: process["comm"] for process in report["processes"]}
    assert pids[first.pid] == pids[second.pid] == "alloc.fp"
    assert zombie not in pids and 2 not in pids
    assert os.getpid() in pids
    # In another root, another file can have that path.
    paths = [file["path"] for file in report["files"] if file["path"].endswith("/libc.so.6")]
    assert paths and all(paths.count(path) <= len(files_mapped(pids, path)) for path in paths)


def assert_lines_of_probes(report, lines):
    """Where, which instruction, is it emulated, of which function: as c++filt names it."""
    probes = [probe for file in report["files"] for probe in file["probes"]]
    names = run("c++filt", *(probe["function"] for probe in probes)).stdout.splitlines()
    for probe, name in zip(probes, names):
        behind = f"+{probe['offset']}" if probe["offset"] else ""
        assert re.sub(" +", " ", " ".join((
            f" +{probe['file_offset']:#x}", probe["instruction"],
            "emulated" if probe["emulated"] else "single-stepped",
            name + (", where it returns" if probe["at_return"] else behind)))) in [
                re.sub(" +", " ", line) for line in lines]


def test_operators_in_text(spawn):
    workload = spawn(Workload, "operators.tcmalloc", "forms")
    lines = text("-p", workload.pid).splitlines()
    assert_lines_of_probes(doctor("-p", workload.pid), lines)
    assert any("operator new(unsigned long), where it returns" in line for line in lines)


def test_text_says_the_same(spawn):
    workload = spawn(Workload, "alloc.fp", "entry_points")
    report = doctor("-p", workload.pid)
    lines = text("-p", workload.pid).splitlines()
    assert lines[0] == "Tracing works here."
    assert [line for line in lines if line in ("Kernel", "Cost", "Allocators", "Processes")] == [
        "Kernel", "Cost", "Allocators", "Processes"]
    assert max(map(len, lines)) <= 100
    for feature in report["features"]:
        assert any(line.split()[:1] == ["yes" if feature["available"] else "no"] and
                   feature["title"] in line for line in lines)
    assert_lines_of_probes(report, lines)
    assert re.search(r"malloc/free pair costs at least \d+ ns more", "\n".join(lines))


def test_hostile_names(spawn, tmp_path):
    """A static program's path is its own choice, and the text goes to a terminal."""
    program = shutil.copy(WORKLOADS / "stacks.static", tmp_path / "a\x1b[31m\n\"b")
    process = spawn(Process, program, "everything")
    process.out.expect("ready")
    assert "\x1b" not in text("-p", process.pid)
    file, = doctor("-p", process.pid)["files"]
    assert file["path"] == str(program)


def count_processes():
    """(with memory, kernel threads), more or less: they come and go."""
    states = [os.path.exists(f"/proc/{pid}/exe") for pid in os.listdir("/proc") if pid.isdigit()]
    return sum(states), len(states) - sum(states)


def test_without_privileges(spawn):
    """It says what it can, and of the rest that it does not know."""
    with tempfile.TemporaryDirectory() as tmp:
        os.chmod(tmp, 0o755)
        copy = shutil.copy(MEMTRACEBPF, tmp)
        ours = spawn(Process, *NOBODY, "cat")
        ours.say("started")
        ours.out.expect("started")
        result = run(*NOBODY, copy, "doctor", "--format", "json")
        said = run(*NOBODY, copy, "doctor")
    assert (result.returncode, result.stderr) == (1, "")
    report = json.loads(result.stdout)
    assert not report["works"] and report["cost"] is None
    assert "CAP_BPF" in report["missing_capabilities"]
    found = features(report)
    assert found["btf"] is True
    assert {found[name] for name in ("programs", "bpf_loop", "uprobe_session", "tp_exec",
                                     "ring_buffer")} == {None}
    assert "glibc" in allocators(report, ours.pid)
    users, kernel = count_processes()
    assert 0 < report["unreadable_processes"] < users + kernel / 2
    assert (said.returncode, said.stderr) == (1, "")
    assert "CAP_BPF" in said.stdout and "as root" in said.stdout


def test_without_btf(spawn):
    bare = spawn(Process, WORKLOADS / "bare")
    under = ("unshare", "--mount", "sh", "-c", 'mount -t tmpfs none /sys/kernel/btf && exec "$@"',
             "sh")
    report = doctor("-p", bare.pid, under=under, status=1)
    assert features(report)["btf"] is False
    assert [f["name"] for f in report["features"] if f["keeps_from_tracing"]] == ["btf"]
    assert "CONFIG_DEBUG_INFO_BTF" in text("-p", bare.pid, under=under, status=1)


@pytest.mark.skipif(run("unshare", "--user", "true").returncode, reason="no user namespaces here")
def test_in_a_user_namespace():
    """All capabilities, and none that bpf(2) accepts."""
    report = doctor(under=("unshare", "--user", "--map-root-user"), status=1)
    assert report["missing_capabilities"] is None
    assert [f["name"] for f in report["features"] if f["keeps_from_tracing"]] == ["programs"]


@pytest.mark.parametrize("arguments, words, status", [
    (["-p", "999999999"], "no process 999999999", 1),
    (["-p", "2"], "kernel thread", 1),
    (["1"], "-p PID", 2),
    (["--top", "3"], "--top", 2),
    (["--interval", "3"], "--interval", 2),
    (["--format", "csv"], "text or json", 2),
])
def test_bad_arguments(arguments, words, status):
    result = run(MEMTRACEBPF, "doctor", *arguments)
    assert (result.returncode, result.stdout) == (status, "")
    line, = result.stderr.splitlines()
    assert line.startswith("memtracebpf: ") and words in line
