# SPDX-License-Identifier: GPL-2.0-or-later
"""What older kernels ask of the BPF programs, as far as it can be told without them."""

import subprocess

from tracing import BUILD, ROOT


def test_stack():
    check = subprocess.run([ROOT / "tools/check-stack.py", BUILD / "memtracebpf.bpf.o"],
                           capture_output=True, text=True)
    assert check.returncode == 0, check.stdout + check.stderr
