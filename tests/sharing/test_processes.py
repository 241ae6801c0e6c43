"""Long-lived, shared and forked processes: each program ends well. They used to crash or to hang."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import ctxsearch
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


@contextmanager
def gunicorn(index: Path, *, workers: int) -> Iterator[str]:
    """The address of gunicorn, which has loaded the application before it forks; at the end it has to go at once."""
    command = [sys.executable, "-m", "gunicorn", "--preload", "--threads=2", f"--workers={workers}"]
    with subprocess.Popen(
        [*command, "--bind=127.0.0.1:0", "tests.sharing.wsgi:application"],
        cwd=ROOT,
        env={**os.environ, "CTXSEARCH_INDEX": str(index)},
        stderr=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stderr
        said: list[str] = []
        try:
            for line in server.stderr:
                said.append(line)
                if found := re.search(r"Listening at: (http://\S+)", line):
                    yield found[1]
                    break
            else:
                raise AssertionError("".join(said))
        finally:
            server.terminate()
            said += server.communicate(timeout=30)[1]
        assert server.returncode == 0, "".join(said)


@needs_fork
def test_workers_of_gunicorn_use_the_index_that_was_opened_before_they_were_forked(tmp_path: Path) -> None:
    with ctxsearch.open(tmp_path / "index") as index:
        index.add([ctxsearch.Document("The manager approves refunds.", "refunds"), ctxsearch.Document("Tea.", "tea")])
    workers = set()
    with gunicorn(tmp_path / "index", workers=2) as address:
        for number in range(60):
            method = "POST" if number % 6 == 0 else "GET"
            topic = "zebra" if method == "POST" else "refunds"
            request = urllib.request.Request(f"{address}/{topic}%20{number}", method=method)
            with urllib.request.urlopen(request, timeout=60) as response:
                answer = json.load(response)
            assert answer["source"] == (f"note:zebra {number}" if method == "POST" else "refunds")
            workers.add(answer["worker"])
            if len(workers) == 2 and number > 12:
                break
    assert len(workers) == 2
    with ctxsearch.open(tmp_path / "index") as index:
        assert index.verify() == []
        assert "note:zebra 0" in index
