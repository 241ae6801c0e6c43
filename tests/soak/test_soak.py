"""Readers see whole generations while a writer ingests, deletes, compacts and goes over to another model."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_readers_and_a_writer() -> None:
    command = [sys.executable, "-m", "tests.soak", "--minutes", "0.1", "--readers", "3"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "0 errors, 0 torn answers" in done.stdout
    assert "verify afterwards: []" in done.stdout
