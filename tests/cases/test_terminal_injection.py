"""What a stranger wrote never reaches the terminal as codes (case 09 of the engine, CWE-150).

Model names, cards, sources, titles, headings, texts and error messages are all written by `terminal.say`, or drawn by
rich from cleaned parts. JSON is escaped. Of the two places to stop a card's name, both were chosen: it is cleaned where
it is written, and a passport that is read has U+FFFD for each such character. A model is not refused for its name.
"""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import ctxsearch
from ctxsearch import Document, Heading
from ctxsearch.cli import terminal
from ctxsearch.cli.completion import sources
from ctxsearch.passport import CARD, ModelFolder, find_model
from tests.conftest import ROOT

EVIL = "evil\x1b]0;owned\x07\x1b[2J\x9b31m\x85\u202eback\u202c\u2066\u2028\x7f\r\x08\U000e0041"
"""A window title, a cleared screen, C1 controls, turned text, new lines of several kinds, unseen tags."""

OBEYED = re.compile(
    "\x1b\\]0;|\x1b\\[2J|[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u2028\U000e0041]"
)
"""What is in `EVIL` and never in a line that ctxsearch writes; ESC itself begins our own colours."""


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A model and an index in which everything is called `EVIL`."""
    root = tmp_path_factory.mktemp("stranger")
    model = root / "models" / "x"
    shutil.copytree(find_model().path, model)
    card = json.loads((model / CARD).read_text())
    more = {"name": EVIL, "precision": EVIL, EVIL: EVIL, "license": {EVIL: [EVIL]}}
    (model / CARD).write_text(json.dumps({**card, **more}))
    index = root / "index"
    with ctxsearch.open(index, model=model) as opened:
        heading = (Heading(0, 1, EVIL),)
        opened.add([Document(f"The manager {EVIL} approves refunds.", EVIL, EVIL, {EVIL: EVIL}, headings=heading)])
    (root / "docs").mkdir()
    (root / "docs" / f"{EVIL.replace('/', '')}.pdf").write_text(EVIL)
    return {"root": root, "model": model, "index": index}


def commands(places: dict[str, Path]) -> list[list[str]]:
    index, model = f"--index={places['index']}", str(places["model"])
    return [
        ["status", index],
        ["list", index],
        ["list", "--where", f"nothing{EVIL}=1", index],
        ["show", "nothing\x1b]0;owned\x07", index],
        ["query", "who approves refunds?", "--full", index],
        ["query", "who approves refunds?", "--plain", "--mode", "lexical", index],
        ["query", f"who approves {EVIL.replace(chr(0), '')}", index],
        ["verify", index],
        ["doctor", index],
        ["model", "list"],
        ["model", "show", model],
        ["model", "show", EVIL],
        ["ingest", str(places["root"] / "docs"), f"--index={places['root']}/other"],
        ["list", "--failed", f"--index={places['root']}/other"],
        ["import", f"{places['root']}/nothing{EVIL}", index],
        ["export", f"{places['root']}/nothing{EVIL}/x", index],
        ["delete", EVIL, f"--index={EVIL}"],
        [EVIL],
        ["query", f"--{EVIL}"],
    ]


@pytest.mark.parametrize("forced", ["0", "1"], ids=["plain", "coloured"])
def test_no_command_passes_codes_on(places: dict[str, Path], forced: str) -> None:
    environment = {
        **os.environ,
        "CTXSEARCH_MODELS": str(places["root"] / "models"),
        "FORCE_COLOR": forced,
        "PYTHONUTF8": "1",
    }
    seen = 0
    for arguments in commands(places):
        done = subprocess.run(
            [sys.executable, "-m", "ctxsearch.cli", *arguments],
            capture_output=True,
            cwd=ROOT,
            env=environment,
            timeout=120,
        )
        written = (done.stdout + done.stderr).decode()
        assert not OBEYED.search(written), (arguments, written)
        assert forced == "1" or "\x1b" not in written, (arguments, written)
        assert "Traceback" not in written, (arguments, written)
        seen += "evil" in written
    assert seen >= 12


def test_show_cleans_what_goes_to_a_terminal(places: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    if os.name == "nt":
        pytest.skip("no pseudo-terminals")
    from tests.terminals import Terminal

    monkeypatch.setenv("CTXSEARCH_MODELS", str(places["root"] / "models"))
    for arguments in (["show", EVIL], ["query", "refunds"], ["query", "refunds", "--paths"], ["list"], ["status"]):
        with Terminal(*arguments, "--index", places["index"]) as seen:
            seen.end()
        assert "evil" in seen.sent
        assert not OBEYED.search(seen.sent.replace("\r\n", "\n")), arguments


def test_json_escapes_what_a_terminal_obeys_and_keeps_its_value(places: dict[str, Path]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ctxsearch.cli", "list", "--json", f"--index={places['index']}"],
        capture_output=True,
        cwd=ROOT,
        timeout=120,
    )
    written = done.stdout.decode()
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u2028]", written)
    assert json.loads(written)["documents"][0]["source"] == EVIL


def test_a_shell_is_not_offered_codes(places: dict[str, Path]) -> None:
    import click

    with click.Context(click.Command("show")) as context:
        context.params["index_path"] = str(places["index"])
        assert sources(context, click.Argument(["source"]), "") == []


def test_a_name_on_a_card_shows_what_is_hidden_in_it(places: dict[str, Path]) -> None:
    name = ModelFolder.load(places["model"]).passport.name
    assert name.startswith("evil\ufffd]0;owned\ufffd\ufffd[2J")
    assert terminal.clean(name) == name
    with ctxsearch.open(places["index"]) as index:
        assert index.status().passport["name"] == name


def test_only_one_module_writes_lines() -> None:
    """The seam: nothing else in the command line calls click.echo, click.secho or print."""
    for path in sorted((ROOT / "ctxsearch" / "cli").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and path.name != "terminal.py":
                called = ast.unparse(node.func)
                assert called not in ("click.echo", "click.secho", "print", "sys.stdout.write", "sys.stderr.write"), (
                    path
                )
