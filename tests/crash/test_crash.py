"""Whoever writes may be killed at any moment: nothing that was acknowledged is lost, nothing deleted comes back."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT


@pytest.mark.skipif(not hasattr(os, "fork") or not Path("/proc/self/schedstat").exists(), reason="needs Linux")
def test_killed_at_each_step_and_at_random_moments() -> None:
    """In a process of its own: threads that FAISS has started here would not be there after a fork."""
    command = [sys.executable, "-m", "tests.crash", "--kills", "25"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].startswith("25 processes killed, at random moments and at each of 20 steps")
