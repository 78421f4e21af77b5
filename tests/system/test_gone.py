# SPDX-License-Identifier: GPL-2.0-or-later
"""Probes that somebody takes out of a process' code are seen, and named."""

import signal

from tracing import (Process, Tracer, Workload, assert_lines, assert_nothing_lost, losses, needs,
                     trace)


def test_code_that_is_written_back(spawn):
    """By the program itself: what it allocated before is there, and the report says that more is not."""
    workload = spawn(Workload, "hide.nofp", "hide")
    tracer = spawn(Tracer, "-p", workload.pid)
    truth = workload.run()
    tracer.signal(signal.SIGINT)
    report = tracer.report()
    assert_lines(report, truth)
    assert report["lost"]["by_reason"]["probes"] == 1
    assert losses(report) == {"blocks": 1}
    assert "the probe at malloc of" in tracer.err.expect(f"memtracebpf: warning: process {workload.pid}")
    assert tracer.wait() == 0


def test_nothing_is_gone(spawn):
    report, truth = trace(spawn, "hide.nofp", "many", options=["--domain", "all"])
    assert_lines(report, truth)
    assert_nothing_lost(report)


def test_a_breakpoint_that_was_there_before(spawn):
    """The debugger puts back what it found when it came, and our breakpoint goes with its own."""
    needs("gdb")
    workload = spawn(Workload, "hide.nofp", "many")
    gdb = spawn(Process, "gdb", "-nx", "-q", "-p", workload.pid)
    gdb.say("break *malloc")
    gdb.say("echo set\\n")
    gdb.say("continue")
    gdb.out.find("Continuing")
    tracer = spawn(Tracer, "-p", workload.pid, interval=0.1)
    tracer.report()
    gdb.signal(signal.SIGINT)
    gdb.out.find("SIGINT")
    gdb.say("delete")
    gdb.say("detach")
    gdb.out.find("detached")
    workload.run()
    report = tracer.stop()
    assert report["lost"]["by_reason"]["probes"] == 1
    assert report["traced"]["count"] == 0
