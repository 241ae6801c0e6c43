"""Long-lived, shared and forked processes: each program ends well. They used to crash or to hang."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT


def run(program: str, *arguments: object, **environment: str) -> None:
    """Run a program of `tests.sharing.programs`; it has to end with 0 and to print nothing."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.sharing.programs", program, *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=150,
    )
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "")


@pytest.mark.parametrize(
    ("count", "who", "environment"),
    [
        (1100, "itself", {"MALLOC_MMAP_THRESHOLD_": "65536"}),  # freed memory goes back to the system at once
        (1100, "another", {"MALLOC_MMAP_THRESHOLD_": "65536"}),
        (2500, "itself", {"MALLOC_PERTURB_": "165"}),  # freed memory is overwritten
    ],
)
def test_an_index_that_has_answered_sees_thousands_of_new_contexts(
    tmp_path: Path, count: int, who: str, environment: dict[str, str]
) -> None:
    run("adds_then_asks", tmp_path / "index", count, who, **environment)


def test_threads_ask_in_different_modes(tmp_path: Path) -> None:
    run("asks_in_threads", tmp_path / "index", 12, 15)


needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")


@needs_fork
def test_a_forked_child_uses_the_index_of_its_parent(tmp_path: Path) -> None:
    run("forks", tmp_path / "index", 3, 0)


@needs_fork
def test_a_child_forked_while_other_threads_ask_and_write_uses_the_index(tmp_path: Path) -> None:
    run("forks", tmp_path / "index", 4, 3)


@needs_fork
def test_a_child_forked_in_the_middle_of_a_write_is_told(tmp_path: Path) -> None:
    run("forks_while_writing", tmp_path / "index")


@pytest.mark.parametrize(
    "method", [pytest.param("fork", marks=needs_fork), "spawn", pytest.param("forkserver", marks=needs_fork)]
)
def test_an_index_is_passed_to_a_pool_of_processes(tmp_path: Path, method: str) -> None:
    run("uses_processes", tmp_path / "index", method)
