"""Completion: the scripts are what shells can read, and the values are those that are there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

import ctxsearch
from ctxsearch.passport import list_models
from tests.conftest import ROOT
from tests.test_cli import run


def completed(*words: object) -> list[str]:
    """What bash is offered for the last of these words, each as ``type,value``."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "_CTXSEARCH_COMPLETE": "bash_complete",
        "COMP_WORDS": " ".join(["ctxsearch", *map(str, words)]),
        "COMP_CWORD": str(len(words)),
    }
    done = subprocess.run(
        [sys.executable, "-m", "ctxsearch.cli"], env=environment, cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    return done.stdout.splitlines()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_is_one_that_the_shell_can_read(shell: str) -> None:
    done = run("completion", shell)
    assert done.returncode == 0
    assert f"_CTXSEARCH_COMPLETE={shell}_complete" in done.stdout
    if program := shutil.which(shell):
        subprocess.run([program, "-n"], input=done.stdout, text=True, check=True)


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_bash_takes_it() -> None:
    script = f"{run('completion', 'bash').stdout}\ncomplete -p ctxsearch"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("complete ")
    assert done.stdout.endswith(" ctxsearch\n")


def test_another_shell_is_wrong_usage() -> None:
    assert run("completion", "csh").returncode == 2


def test_commands_and_options() -> None:
    assert {"plain,query", "plain,doctor", "plain,completion"} <= set(completed(""))
    assert completed("mod") == ["plain,model"]
    assert completed("model", "tr") == ["plain,train"]
    assert completed("query", "--pl") == ["plain,--plain"]


def test_values(sample: ctxsearch.Index) -> None:
    assert completed("query", "--mode", "") == ["plain,hybrid", "plain,dense", "plain,lexical"]
    assert completed("query", "--model", "") == [f"plain,{model.passport.name}" for model in list_models()]
    assert completed("query", "--index", "in") == ["dir,in"]
    assert completed("ingest", "da") == ["file,da"]
    refunds = str(ROOT / "data" / "handbook" / "refunds.md")
    assert completed("show", "--index", sample.path, refunds[:-5]) == [f"plain,{refunds}"]
    assert completed("show", "--index", "no-such-index", "da") == [""]
