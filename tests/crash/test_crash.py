"""Whoever writes may be killed at any moment: nothing that was acknowledged is lost, nothing deleted comes back."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ctxsearch.layout import STEPS
from tests.crash.harness import Crash, run

pytestmark = pytest.mark.skipif(not hasattr(os, "fork") or not Path("/proc/self/schedstat").exists(), reason="Linux")


def test_killed_at_random_moments_and_steps(tmp_path: Path) -> None:
    assert run(tmp_path, 25, seed=7).kills == 25


@pytest.mark.parametrize("step", STEPS)
def test_killed_at_each_step(tmp_path: Path, step: str) -> None:
    crash = Crash(tmp_path, seed=len(step))
    if not step.startswith("create"):
        crash.kill_at("leftovers: removed")
    crash.kill_at(step)
    assert crash.kills >= 1
