"""A program written against the public API passes `mypy --strict` and runs, as its users' programs would."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import ctxsearch
from tests.conftest import ROOT

SAMPLE = ROOT / "tests" / "typing" / "sample.py"


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """The sample, where nothing of this repository lies beside it: it finds the package that is installed."""
    return Path(shutil.copy(SAMPLE, tmp_path / "program.py"))


def mypy(program: Path) -> subprocess.CompletedProcess[str]:
    empty = program.with_name("mypy.ini")
    empty.write_text("[mypy]\n")
    cache = ROOT / ".mypy_cache" / "sample"
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file", str(empty), "--cache-dir", str(cache)]
    return subprocess.run([*command, program.name], cwd=program.parent, capture_output=True, text=True, check=False)


def test_the_sample_is_typed(program: Path) -> None:
    done = mypy(program)
    assert done.stdout == "Success: no issues found in 1 source file\n", done.stdout + done.stderr


def test_a_mistake_is_found(program: Path) -> None:
    text = program.read_text()
    wrong = text.replace('index.get("memo:1", vectors=True)', 'index.get(1.5, vectors="yes")')
    wrong = wrong.replace("answer[0].context_id, k=1", "answer[0].context, k=1")
    assert wrong != text
    program.write_text(wrong)
    done = mypy(program)
    assert re.findall(r"\[([a-z-]+)\]$", done.stdout, re.MULTILINE) == ["attr-defined", "arg-type", "arg-type"], (
        done.stdout
    )


def test_the_sample_runs(program: Path, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    command = [sys.executable, "-W", "error", str(program), str(tmp_path / "folder")]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "was opened with read_only=True" in done.stdout


def test_the_sample_uses_every_public_name() -> None:
    text = SAMPLE.read_text()
    for name in ctxsearch.__all__:
        if not name.endswith("Error"):
            assert re.search(rf"\bctxsearch\.{name}\b", text), name
    for kind in (ctxsearch.Index, ctxsearch.Encoder):
        for name in vars(kind):
            if not name.startswith("_") and "fork" not in name:
                assert re.search(rf"\.{name}\b", text), name
