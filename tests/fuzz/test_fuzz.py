"""A few cases of the fuzz harness; ``python -m tests.fuzz --cases 10000`` runs it at length."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.conftest import ROOT


@pytest.mark.skipif(sys.platform != "linux", reason="plants links and FIFOs, and reads the memory from /proc")
def test_nothing_but_errors_of_ours() -> None:
    command = [sys.executable, "-m", "tests.fuzz", "--cases", "60", "--processes", "1"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=400)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].startswith("60 cases, 0 errors")
