"""Twenty seconds of everything at once; ``python -m tests.stress --minutes 30`` is the same at length."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.conftest import ROOT


@pytest.mark.parametrize("perturb", [False, True])
def test_everything_at_once(perturb: bool) -> None:
    command = [sys.executable, "-m", "tests.stress", "--minutes", "0.17", *(["--perturb"] if perturb else [])]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["errors"] == 0
    assert found["operations"] > 20
