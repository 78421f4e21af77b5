# SPDX-License-Identifier: GPL-2.0-or-later
"""What /proc and bpftool say about running processes."""
import json
import os
import pathlib
import re
import shutil
import subprocess

TICK = os.sysconf("SC_CLK_TCK")
BPFTOOL = shutil.which("bpftool") or "/usr/sbin/bpftool"


def read(path):
    """The text of a file; "" if the process has ended."""
    try:
        return pathlib.Path(path).read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def family(pid):
    """The process and all that descend from it."""
    found = [pid]
    for parent in found:
        for thread in pathlib.Path(f"/proc/{parent}/task").glob("*"):
            found += [int(child) for child in read(thread / "children").split()]
    return found


def comm(pid):
    return read(f"/proc/{pid}/comm").strip()


def cpu_seconds(pid):
    """Of all its threads, and of the children that it waited for."""
    fields = read(f"/proc/{pid}/stat").rsplit(") ", 1)[-1].split()
    return sum(int(field) for field in fields[11:15]) / TICK if fields else 0.0


def run_ns(pid):
    """What all its threads that live have run, to the nanosecond."""
    return sum(int(read(thread / "schedstat").split()[0])
               for thread in pathlib.Path(f"/proc/{pid}/task").glob("*"))


def resident_kib(pid):
    """(its own memory, BPF tables that it has mapped), which the kernel counts as its memory."""
    kib, table = [0, 0], False
    for line in read(f"/proc/{pid}/smaps").splitlines():
        if line.startswith("Rss:"):
            kib[table] += int(line.split()[1])
        elif "-" in line.split(" ", 1)[0]:
            table = line.endswith("anon_inode:bpf-map")
    return tuple(kib)


def peak_kib(pid):
    """The most that was ever resident, BPF tables included."""
    for line in read(f"/proc/{pid}/status").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1])
    return 0


def descriptors(pid, kind):
    """Ids of the BPF objects that a process holds; kind is "map_id" or "prog_id"."""
    return {line.split()[1] for info in pathlib.Path(f"/proc/{pid}/fdinfo").glob("*")
            for line in read(info).splitlines() if line.startswith(kind + ":")}


def bpf_maps():
    """{id: bytes} of the whole machine: maps in maps have no process that holds them."""
    shown = subprocess.run([BPFTOOL, "-j", "map", "show"], capture_output=True, text=True)
    try:
        maps = json.loads(shown.stdout)
    except json.JSONDecodeError:
        return {}
    return {m["id"]: int(m["bytes_memlock"]) for m in maps if "bytes_memlock" in m}


def verified(pid, program):
    """Instructions that the verifier looked at, of all ways that it followed."""
    for info in pathlib.Path(f"/proc/{pid}/fdinfo").glob("*"):
        fields = dict(line.split(":\t") for line in read(info).splitlines() if ":\t" in line)
        if fields.get("prog_id") == program:
            return int(fields.get("verified_insns", 0))
    return 0


def load_ms(trace):
    """{name: milliseconds}, from what strace -T has written of a session's bpf(2)."""
    return {name: float(seconds) * 1e3 for name, seconds in re.findall(
        r'BPF_PROG_LOAD.*prog_name="(\w+)".*<([\d.]+)>', read(trace))}


def bpf_programs(pid):
    """The programs that a process holds: name, instructions as checked, bytes as compiled."""
    rows = []
    for number in sorted(descriptors(pid, "prog_id"), key=int):
        shown = subprocess.run([BPFTOOL, "-j", "prog", "show", "id", number],
                               capture_output=True, text=True)
        if shown.returncode:
            continue
        program = json.loads(shown.stdout)
        rows.append({
            "name": program.get("name", ""),
            "instructions": program["bytes_xlated"] // 8,
            "verified": verified(pid, number),
            "jited_bytes": program.get("bytes_jited", 0),
            "runs": program.get("run_cnt", 0),
            "run_ns": program.get("run_time_ns", 0),
        })
    return rows


def library_of(pid, names):
    """The first mapped file of the process whose name begins with one of these."""
    for name in names:
        for line in read(f"/proc/{pid}/maps").splitlines():
            path = line.split(None, 5)[-1]
            if os.path.basename(path).startswith(name):
                return path
    return ""
