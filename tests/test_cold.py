"""What a command loads: a process that was just started, and what it has imported when it is done."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import ctxsearch

HEAVY = ("numpy", "openvino", "faiss", "tokenizers", "sqlite_utils", "pathspec", "charset_normalizer", "yaml")

CODE = """
import json, sys
from ctxsearch.cli import main
sys.argv[0] = "ctxsearch"
try:
    main()
except SystemExit as end:
    print(json.dumps([end.code, sorted({name.partition(".")[0] for name in sys.modules})]), file=sys.stderr)
"""


def loaded(*arguments: str) -> set[str]:
    """The heavy libraries that a command imported; it must succeed."""
    done = subprocess.run([sys.executable, "-c", CODE, *arguments], capture_output=True, text=True, check=True)
    status, modules = json.loads(done.stderr.splitlines()[-1])
    assert status == 0, done.stderr
    return {name for name in modules if name in HEAVY}


@pytest.mark.parametrize("arguments", [("--help",), ("query", "--help"), ("model", "list")], ids=" ".join)
def test_help_and_lists_of_models_load_nothing_heavy(arguments: tuple[str, ...]) -> None:
    assert loaded(*arguments) == set()


@pytest.mark.parametrize("arguments", [("query", "vacation days", "--mode", "lexical"), ("list",)], ids=" ".join)
def test_words_are_found_without_numpy(sample: ctxsearch.Index, arguments: tuple[str, ...]) -> None:
    assert loaded(*arguments, "--index", str(sample.path)) == set()


def test_words_are_found_without_numpy_where_rare_ones_are_too_few(tmp_path: Path) -> None:
    """Then the common words, which were left out, are looked for as well: it is still one question."""
    with ctxsearch.open(tmp_path / "index") as index:
        index.add(ctxsearch.Document("The rain." + " A heron." * (n == 7), source=f"d{n}") for n in range(60))
    assert loaded("query", "the heron", "--mode", "lexical", "--index", str(tmp_path / "index")) == set()


def test_a_hybrid_query_loads_what_it_needs(sample: ctxsearch.Index) -> None:
    assert loaded("query", "vacation days", "--index", str(sample.path)) == {
        "faiss",
        "numpy",
        "openvino",
        "tokenizers",
    }
