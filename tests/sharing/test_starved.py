"""A process that may have little memory or few threads: one line that says what to do, and nothing is lost."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

import ctxsearch
from tests.conftest import ROOT

if not sys.platform.startswith("linux"):
    pytest.skip("limits as Linux has them", allow_module_level=True)

import resource


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("starved") / "index"
    with ctxsearch.open(path) as index:
        index.add([ctxsearch.Document("The manager approves refunds.", "refunds")])
    return path


AS_NOBODY = [
    "setpriv", "--reuid=65534", "--clear-groups", "--inh-caps=+dac_override,+dac_read_search",
    "--ambient-caps=+dac_override,+dac_read_search", "--",
]  # fmt: skip
"""No limit of threads holds for root: as another user, who may read and write what root may."""


def run(limit: tuple[int, int], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command under a limit, as of ``resource.RLIMIT_AS`` in bytes."""
    kind, most = limit
    as_another = kind == resource.RLIMIT_NPROC and os.geteuid() == 0
    command = [*(AS_NOBODY if as_another else []), sys.executable, str(ROOT / "cli.py"), *arguments]

    def starve() -> None:
        resource.setrlimit(kind, (most, most))

    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, preexec_fn=starve, timeout=120, check=False
    )


MEMORY = [(resource.RLIMIT_AS, kilobytes * 1024) for kilobytes in (250_000, 600_000)]
THREADS = [(resource.RLIMIT_NPROC, threads) for threads in (1, 4)]


@pytest.mark.parametrize("limit", [*MEMORY, *THREADS], ids=lambda limit: f"{limit[0]}-{limit[1]}")
@pytest.mark.parametrize("command", ["query", "ingest"])
def test_a_starved_command_says_so_in_one_line(
    filled: Path, tmp_path: Path, limit: tuple[int, int], command: str
) -> None:
    (tmp_path / "tea.txt").write_text("Tea is served at five.")
    argument = "who approves refunds?" if command == "query" else str(tmp_path / "tea.txt")
    done = run(limit, command, argument, "--index", str(filled))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1, done.stderr
    assert re.search(r"raise its limit|not enough memory", done.stderr), done.stderr
    with ctxsearch.open(filled) as index:
        assert (index.verify(), [one.source for one in index.documents()]) == ([], ["refunds"])


@pytest.mark.parametrize("limit", [MEMORY[1], THREADS[0]], ids=["memory", "threads"])
def test_what_needs_no_model_works(filled: Path, limit: tuple[int, int]) -> None:
    found = run(limit, "query", "refunds", "--mode", "lexical", "--json", "--index", str(filled))
    assert (found.returncode, found.stderr) == (0, "")
    assert json.loads(found.stdout)["hits"][0]["source"] == "refunds"
    assert run(limit, "list", "--index", str(filled)).returncode == 0
    looked = run(limit, "status", "--index", str(filled))
    assert looked.returncode == 0 or looked.stderr.count("\n") == 1, looked.stderr


def seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def test_a_question_of_ten_megabytes_is_refused_at_once(filled: Path) -> None:
    with ctxsearch.open(filled) as index:
        index.query("refunds")
        for question in ("refund " * 1_500_000, "r" * 10_000_000, "\u0301" * 5_000_000, "a.b-" * 2_500_000):
            for mode in ("hybrid", "dense", "lexical"):
                started = time.perf_counter()
                with pytest.raises(ctxsearch.ArgumentError, match=r"question has [\d,]+ characters; at most 100,000"):
                    index.query(question, mode=mode)
                assert time.perf_counter() - started < 0.5


@pytest.mark.parametrize("mode", ["hybrid", "dense", "lexical"])
@pytest.mark.parametrize("unit", ["refund ", "r", "\u0301", "a.b-", "\u4e2d", "x1 "])
def test_the_longest_question_is_answered_in_half_a_second(filled: Path, mode: str, unit: str) -> None:
    with ctxsearch.open(filled) as index:
        index.query("refunds")
        question = "refund " + unit * ((100_000 - 7) // len(unit))
        assert min(seconds(partial(index.query, question, mode=mode)) for _ in range(3)) < 0.5
