# SPDX-License-Identifier: GPL-2.0-or-later
"""Programs that nobody here wrote, each against what its own allocator or author says."""

import http.client
import os
import re
import socket
import subprocess
import threading

from tracing import TIMEOUT, Process, Tracer, losses

BY_LIBRARY = ("--group-by", "library")


def library(report, name):
    stat, = [s for s in report["statistics"] if name in s["traceback"][0]["module"]]
    return stat


def calls(report):
    return sum(stat["alloc_count"] for stat in report["statistics"])


def assert_walked(report):
    """At least 99.9 % of the stacks reach the bottom, and nothing else is lost."""
    assert set(losses(report)) <= {"frames_cut"}
    assert report["lost"]["frames_cut"] <= calls(report) / 1000


def test_sqlite3_fills_a_table(spawn):
    """sqlite counts its blocks, and puts 8 bytes before each that it asks malloc for."""
    tracer = spawn(Tracer, *BY_LIBRARY, "--", "sqlite3", ":memory:")
    tracer.say("create table t(a, b);")
    tracer.say("with recursive n(i) as (select 1 union all select i + 1 from n where i < 300000)"
               " insert into t select i, 'text ' || i from n;")
    tracer.say(".stats")
    used = int(re.search(r"(\d+) \(max", tracer.out.expect("Memory Used:"))[1])
    count = int(re.search(r"(\d+) \(max", tracer.out.expect("Number of Outstanding"))[1])
    tracer.say("select 'done';")
    tracer.out.expect("done")
    report = tracer.stop()
    stat = library(report, "libsqlite3")
    assert stat["count"] == count
    assert stat["size"] == used + 8 * count
    assert_walked(report)


# What glibc says is in use, as Python asks it.
IN_USE = """
import ctypes, sys
class Info(ctypes.Structure):
    _fields_ = [(n, ctypes.c_size_t) for n in "arena ordblks smblks hblks hblkhd usmblks fsmblks "
                "uordblks fordblks keepcost".split()]
mallinfo2 = ctypes.CDLL(None).mallinfo2
mallinfo2.restype = Info
def in_use():
    info = mallinfo2()
    return info.uordblks + info.hblkhd
"""
PYTHON = IN_USE + r"""
in_use()
before = in_use()
print("ready", flush=True); sys.stdin.readline()
held = [{str(i): "value %d" % i, "list": [i] * 10} for i in range(20000)]
after = in_use()
print(after - before, flush=True); sys.stdin.readline()
"""


def test_python3_with_malloc(spawn):
    """
    glibc's bytes in use against ours: a chunk is its block, 8 bytes, and at most 15 of padding
    (but 32 at least). Caches are off, so that what is freed is not in use.
    """
    env = dict(os.environ, PYTHONMALLOC="malloc",
               GLIBC_TUNABLES="glibc.malloc.tcache_count=0:glibc.malloc.mxfast=0")
    python = spawn(Process, "/usr/bin/python3", "-S", "-u", "-c", PYTHON, env=env)
    python.out.expect("ready")
    tracer = spawn(Tracer, "-p", python.pid)
    python.say()
    grown = int(python.out.next())
    report = tracer.stop()
    traced = report["traced"]
    assert traced["count"] > 20000 * 5
    # What was there before and is freed meanwhile is the only difference, and a small one.
    strangers = 100 * report["lost"]["frees_unmatched"] + 4096
    assert traced["size"] + 8 * traced["count"] - strangers <= grown
    assert grown <= traced["size"] + 32 * traced["count"] + strangers
    assert set(losses(report)) <= {"frees_unmatched", "frames_cut"}
    assert report["lost"]["frames_cut"] <= calls(report) / 1000


def test_redis_server_under_load(spawn, tmp_path):
    """
    Its own books are of what jemalloc really gave: values are of 10 KiB with their header, a size
    that jemalloc has, so that what is rounded up weighs little.
    """
    address = tmp_path / "socket"
    redis = spawn(Process, "redis-server", "--port", 0, "--unixsocket", address, "--save", "",
                  "--dir", tmp_path)
    redis.out.find("ready to accept connections")

    def used_memory():
        info = subprocess.run(["redis-cli", "-s", address, "info", "memory"], text=True,
                              check=True, capture_output=True, timeout=TIMEOUT).stdout
        return int(re.search(r"^used_memory:(\d+)", info, re.MULTILINE)[1])

    before = used_memory()
    tracer = spawn(Tracer, "-p", redis.pid)
    subprocess.run(["redis-benchmark", "-s", address, "-n", "5000", "-r", "1000000", "-q",
                    "-d", "10234", "-t", "set"],
                   check=True, capture_output=True, timeout=TIMEOUT)
    grown = used_memory() - before
    report = tracer.stop()
    assert grown > 5000 * 10000
    assert abs(report["traced"]["size"] - grown) <= grown / 50
    assert set(losses(report)) <= {"frees_unmatched"}
    assert report["lost"]["frees_unmatched"] <= 100
    pong = subprocess.run(["redis-cli", "-s", address, "ping"], capture_output=True, text=True)
    assert pong.stdout == "PONG\n"


NGINX = """
daemon off; master_process off; error_log stderr notice; pid {dir}/pid;
events {{ worker_connections 64; }}
http {{
    access_log off;
    client_body_temp_path {dir}/1; proxy_temp_path {dir}/2; fastcgi_temp_path {dir}/3;
    uwsgi_temp_path {dir}/4; scgi_temp_path {dir}/5;
    server {{ listen unix:{dir}/socket; location / {{ return 200 "hello"; }} }}
}}
"""


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost")
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(str(self.path))


def ask(path, requests):
    connection = UnixConnection(path)
    for _ in range(requests):
        connection.request("GET", "/")
        assert connection.getresponse().read() == b"hello"
    return connection


def test_nginx_under_load(spawn, tmp_path):
    """It takes pools for connections and requests, and gives them back when these end."""
    config = tmp_path / "conf"
    config.write_text(NGINX.format(dir=tmp_path))
    nginx = spawn(Process, "/usr/sbin/nginx", "-c", config, "-e", "stderr")
    nginx.err.find("getrlimit")  # said last, when it listens
    ask(tmp_path / "socket", 1)
    tracer = spawn(Tracer, "-p", nginx.pid, "--group-by", "traceback")
    clients = [threading.Thread(target=ask, args=(tmp_path / "socket", 500)) for _ in range(8)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    last = ask(tmp_path / "socket", 1)  # its connection is held
    report = tracer.stop()
    assert calls(report) >= 8 * 500
    held = [s for s in report["statistics"] if s["count"]]
    assert held and sum(s["count"] for s in held) < 100
    assert set(losses(report)) <= {"frees_unmatched", "frames_cut"}
    assert report["lost"]["frames_cut"] <= calls(report) / 1000
    last.close()


def git(directory, *arguments, **kwargs):
    subprocess.run(["git", *arguments], cwd=directory, check=True, capture_output=True,
                   timeout=TIMEOUT, **kwargs)


def test_git(spawn, tmp_path):
    git(tmp_path, "init", "-q")
    stream = "".join(
        f"commit refs/heads/main\ncommitter A <a@b> {1700000000 + i} +0000\ndata 6\ncommit\n"
        f"M 644 inline file{i % 40}\ndata 10\n{i:09}\n\n" for i in range(1000))
    git(tmp_path, "fast-import", "--quiet", input=stream.encode())
    tracer = spawn(Tracer, "--", "git", "log", "--stat", "main", cwd=tmp_path,
                   stdin=subprocess.DEVNULL)
    assert_walked(tracer.last())
    assert sum(line.startswith("commit ") for line in tracer.out.lines) == 1000
    tracer = spawn(Tracer, "--", "git", "gc", "--quiet", cwd=tmp_path, stdin=subprocess.DEVNULL)
    assert_walked(tracer.last())
    git(tmp_path, "fsck", "--strict")
