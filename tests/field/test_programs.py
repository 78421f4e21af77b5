# SPDX-License-Identifier: GPL-2.0-or-later
"""
Programs as Debian ships them, which are made to hold memory: the first entry is who asked for it,
not a function that everything of the program comes through.
"""

import socket

from tracing import TIMEOUT, Process, Tracer, needs


def largest(report):
    return max(report["statistics"], key=lambda stat: stat["size"])


def test_perl(spawn):
    """{...} is what the interpreter calls an anonymous hash: made by one function, filled by one."""
    needs("perl")
    script = "my @held; push @held, { key => $_ } for 1 .. 50000; require POSIX; POSIX::_exit(0)"
    tracer = spawn(Tracer, "--leaks-at-exit", "--", "perl", "-e", script)
    stat = largest(tracer.report())
    assert stat["traceback"][0]["function"] in ("Perl_pp_anonhash", "Perl_hv_common")


def test_nginx(spawn, tmp_path):
    """Connections that have begun a request, and do not go on, hold its buffer."""
    needs("nginx")
    path = tmp_path / "socket"
    conf = tmp_path / "nginx.conf"
    conf.write_text(f"""
daemon off; master_process off; pid {tmp_path}/pid; error_log stderr notice;
events {{ worker_connections 1000; }}
http {{ access_log off; client_body_temp_path {tmp_path}; proxy_temp_path {tmp_path};
fastcgi_temp_path {tmp_path}; uwsgi_temp_path {tmp_path}; scgi_temp_path {tmp_path};
server {{ listen unix:{path}; client_header_buffer_size 64k; }} }}
""")
    nginx = spawn(Process, "nginx", "-c", conf, "-e", "stderr")
    nginx.err.find("getrlimit")  # said last, when it listens
    tracers = [spawn(Tracer, "-p", nginx.pid, "-g", by) for by in ("line", "traceback")]
    held = []
    for _ in range(100):
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(TIMEOUT)
        connection.connect(str(path))
        # The answer to the first request says that it has been seen, and the second one begun.
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\nGET ")
        assert connection.recv(1)
        held.append(connection)
    line, traceback = (largest(tracer.stop())["traceback"] for tracer in tracers)
    # Debian's has no names of static functions, so the way to ngx_alloc() tells who asked.
    way = [frame["function"] for frame in traceback]
    assert line[0]["offset"] == traceback[way.index("ngx_create_temp_buf") + 1]["offset"]
