"""The command line on a real terminal: a pseudo-terminal of known width, and real processes in it."""

from __future__ import annotations

import os
import re
import shlex
import stat
import subprocess
import sys
from pathlib import Path

import pytest

import ctxsearch
from ctxsearch.cli import terminal
from ctxsearch.cli.opening import at_line
from tests.conftest import ROOT

pytest.importorskip("termios", reason="pseudo-terminals are of Unix")

from rich.cells import cell_len

from tests.terminals import Terminal

QUESTION = "who may approve a refund?"
WIDE = "議事録は月曜日の会議のものです。" * 12
FAMILY = "👩\u200d👩\u200d👧"


@pytest.fixture(scope="session")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of texts that are hard to show."""
    folder = tmp_path_factory.mktemp("scripts")
    (folder / "wide.txt").write_text(f"The minutes of the meeting.\n\n{WIDE}", encoding="utf-8")
    (folder / "refunds.md").write_bytes((ROOT / "data" / "handbook" / "refunds.md").read_bytes())
    (folder / "marks.txt").write_text("Cafe\u0301 re\u0301sume\u0301 " * 60, encoding="utf-8")
    (folder / "emoji.txt").write_text(f"A picnic of the family {FAMILY} ❤️ 👍🏽 🇩🇪 and friends. " * 20, encoding="utf-8")
    (folder / "hostile.txt").write_text(
        "The prisoner \x1b[31mred\x1b[0m \x1b]0;title\x07 \x9b5m \u202eesrever\u202c escaped \x08\x08 today.\r\nYes.",
        encoding="utf-8",
    )
    (folder / f"{'n' * 120} {'長' * 40}.txt").write_text("Lighthouse keepers count ships.", encoding="utf-8")
    with ctxsearch.open(tmp_path_factory.mktemp("index") / "scripts") as index:
        assert index.ingest([str(folder)], glob="*.*").failures == ()
        return index.path


def test_a_hit_on_a_terminal(sample: ctxsearch.Index) -> None:
    with Terminal("query", QUESTION, "-k", 2, "--index", sample.path, columns=200) as seen:
        assert seen.end() == 0
    first = seen.shown.split("\n")[0]
    assert re.match(r"1  0\.\d{3}  [━╸]{8}  \S+/data/handbook/refunds\.md line 53 › ", first)
    target = (ROOT / "data" / "handbook" / "refunds.md").as_uri()
    assert re.search(rf"\x1b\]8;[^;]*;{re.escape(target)}\x1b\\", seen.sent)
    assert "\x1b[1;33mapprove" in seen.sent  # in the sentence: bold, and a word of the question
    assert re.search(r"\x1b\[1mWhoever ", seen.sent)
    assert re.search(r"\x1b\[33mApprovals\x1b", seen.sent)  # a word of the question outside of the sentence
    assert "»" not in seen.shown


@pytest.mark.parametrize("options", [[], ["--full"], ["--plain"]], ids=" ".join)
@pytest.mark.parametrize("columns", [20, 40, 80, 120])
def test_no_line_is_wider_than_the_terminal(scripts: Path, columns: int, options: list[str]) -> None:
    questions = [QUESTION, "meeting minutes", "café résumé", "family picnic", "lighthouse ships", WIDE]
    with Terminal("query", "-", "--mode=lexical", "--index", scripts, *options, columns=columns) as seen:
        seen.type("".join(f"{question}\r" for question in questions))
        ends = seen.wait_for(questions[-1])  # the terminal shows what is typed
        seen.type("\x04")
        assert seen.end() == 0
    widths = [cell_len(line) for line in seen.shown[ends:].split("\n")]
    assert columns // 2 < max(widths) <= columns


def test_wrapped_lines_keep_all_characters(scripts: Path) -> None:
    for columns in (23, 40, 81):
        with Terminal("query", "minutes", "--full", "--mode=lexical", "--index", scripts, columns=columns) as seen:
            seen.end()
        assert WIDE in re.sub(r"\n {4}", "", seen.shown)
        full = [width for width in seen.widths if width > columns - 6]
        assert full, "wide characters fill the line but for one cell"
    with Terminal("query", "picnic", "--full", "--mode=lexical", "--index", scripts, columns=40) as seen:
        seen.end()
    assert FAMILY in seen.shown


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_no_colours_where_nobody_wants_them(sample: ctxsearch.Index, environment: dict[str, str]) -> None:
    with Terminal("query", QUESTION, "-k", 1, "--index", sample.path, **environment) as seen:
        seen.end()
    with Terminal("query", QUESTION, "-k", 1, "--plain", "--index", sample.path) as plain:
        plain.end()
    assert "\x1b" not in seen.sent
    assert seen.sent == plain.sent
    assert "»Whoever approved" in seen.shown


def test_colours_in_a_pipe_where_somebody_does(sample: ctxsearch.Index) -> None:
    command = [sys.executable, "-m", "ctxsearch.cli", "query", QUESTION, "-k", "1", "--index", str(sample.path)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "60"}
    for name in ("NO_COLOR", "FORCE_COLOR"):
        environment.pop(name, None)
    plain = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    environment["FORCE_COLOR"] = "1"
    coloured = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert "\x1b" not in plain
    assert plain.startswith("1  0.")
    assert max(map(len, plain.splitlines()[1:])) <= 60
    assert "\x1b[1;33mapprove" in coloured


@pytest.mark.parametrize("command", [("query", "prisoner escaped", "--full"), ("show", "hostile.txt")])
def test_a_document_cannot_command_the_terminal(scripts: Path, command: tuple[str, ...]) -> None:
    if command[0] == "show":
        with ctxsearch.open(scripts, read_only=True) as index:
            command = ("show", next(one.source for one in index.documents() if "hostile" in one.source))
    with Terminal(*command, "--index", scripts, NO_COLOR="1", columns=200) as seen:
        assert seen.end() == 0
    assert "escaped" in seen.shown
    assert "esrever" in seen.shown
    assert not re.search("[\x00-\x09\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e]", seen.sent)


def test_json_has_no_raw_control_characters(scripts: Path) -> None:
    with Terminal("query", "prisoner escaped", "--json", "--index", scripts) as seen:
        assert seen.end() == 0
    assert not re.search("[\x00-\x09\x0b\x0c\x0e-\x1f\x7f-\x9f]", seen.sent)
    assert "\\u009b5m" in seen.sent


def test_clean() -> None:
    assert terminal.clean("a\x1b[1mb\tc\nd\x7fe\x85f\u2028g") == "a [1mb c d e f g"
    assert terminal.clean(f"\u202eab\u2066c\u200bd\ufeff\u00ade {FAMILY} e\u0301") == f"abcde {FAMILY} e\u0301"


def test_wrapped() -> None:
    assert terminal.wrapped("one two three", 9) == ["one two", "three"]
    assert terminal.wrapped("日本語の文 next", 8) == ["日本語の", "文 next"]
    assert terminal.wrapped("e\u0301" * 10, 10) == ["e\u0301" * 10]
    assert terminal.wrapped("", 10) == []


# The progress


def test_progress_is_drawn_and_gone(tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    for number in range(700):
        (tmp_path / "notes" / f"note-{number}.txt").write_text(f"Note {number}. The {number} herons wait at the pond.")
    with Terminal("ingest", tmp_path / "notes", "--index", tmp_path / "i", columns=60) as seen:
        seen.wait_for("contexts  ")
        seen.resize(30)
        assert seen.end() == 0
    assert "100%" not in seen.shown  # which is said by the report, when all is written
    assert "documents" in seen.shown
    assert "/s" in seen.shown
    drawn = seen.shown[: seen.shown.index("documents: 700 added")]
    assert all(width <= 60 for width in map(cell_len, re.split(r"[\r\n]+", drawn)))
    assert seen.sent.index("\x1b[?25l") < seen.sent.index("\x1b[?25h")  # the cursor is there again
    assert "700 added" in seen.shown


def test_no_progress_off_a_terminal(tmp_path: Path) -> None:
    with Terminal("ingest", ROOT / "data" / "field-guide", "--index", tmp_path / "i", TERM="dumb") as seen:
        assert seen.end() == 0
    assert seen.shown.startswith("documents: 9 added")


def test_doctor_fits_a_narrow_terminal(sample: ctxsearch.Index) -> None:
    with Terminal("doctor", "--index", sample.path, columns=40) as seen:
        assert seen.end() == 0
    assert 30 < max(seen.widths) <= 40
    assert "\x1b[32mok" in seen.sent


# The prompt


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home of its own, so that no history of a person is written to."""
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


def prompt(index: Path, home: Path, *options: object, **environment: str) -> Terminal:
    state = {"HOME": str(home), "XDG_STATE_HOME": str(home / "state")}
    return Terminal("query", *options, "--index", index, columns=100, **{**state, **environment})


def test_the_prompt(sample: ctxsearch.Index, home: Path) -> None:
    with prompt(sample.path, home) as seen:
        place = seen.wait_for("hybrid, 5 hits")
        seen.type(f"{QUESTION}\r")
        place = seen.wait_for("hybrid, 5 hits", seen.wait_for("5  0.", seen.wait_for("1  0.", place)))
        seen.type(":k 1\r")
        place = seen.wait_for("hybrid, 1 hit", place)
        seen.type(":mo\t")
        place = seen.wait_for("de", place)
        seen.type(" lex\t")
        place = seen.wait_for("ical", place)
        seen.type("\r")
        place = seen.wait_for("lexical, 1 hit", place)
        seen.type("barn owl voles\r")
        place = seen.wait_for("lexical, 1 hit", seen.wait_for("barn-owl.txt", place))
        seen.type(":where mime_type=none\r")
        place = seen.wait_for("where mime_type=none", place)
        seen.type("barn owl\r")
        place = seen.wait_for("where mime_type=none", seen.wait_for("no context was found", place))
        for line, said in (
            (":k none", "expected a number"),
            (":mode fancy", "there are hybrid, dense, lexical"),
            (":where team", "expected KEY=VALUE"),
            (":where 'team", "not closed"),
            (":open 7", "ask something first"),
            (":fly", "no command :fly"),
            (":help", "Anything else is a question."),
        ):
            seen.type(f"{line}\r")
            place = seen.wait_for("lexical, 1 hit", seen.wait_for(said, place))
        seen.type("half a quest\x03")
        seen.type(":where\r")
        place = seen.wait_for("lexical, 1 hit", place)
        seen.type(":quit\r")
        assert seen.end() == 0
    assert "Traceback" not in seen.sent
    history = home / "state" / "ctxsearch" / "history"
    asked = [line[1:] for line in history.read_text(encoding="utf-8").splitlines() if line.startswith("+")]
    assert asked[:3] == [QUESTION, ":k 1", ":mode lexical"]
    assert "half a quest" not in asked
    assert stat.S_IMODE(history.stat().st_mode) == 0o600
    with prompt(sample.path, home, "--mode=lexical") as again:
        again.wait_for("lexical, 5 hits")
        again.type("\x1b[A")  # the line before
        again.wait_for(":quit")
        again.type("\x03\x04")
        assert again.end() == 0


def test_open_takes_the_editor_to_the_line(sample: ctxsearch.Index, home: Path) -> None:
    editor = home / "less"
    editor.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > {shlex.quote(str(home / "said"))}\n')
    editor.chmod(0o700)
    with prompt(sample.path, home, "-k", 1, "--mode=lexical", VISUAL="", EDITOR=str(editor)) as seen:
        place = seen.wait_for("lexical, 1 hit")
        seen.type("who may approve a refund?\r")
        place = seen.wait_for("lexical, 1 hit", seen.wait_for("refunds.md line ", place))
        line = re.search(r"refunds\.md\S* line (\d+)|refunds\.md line (\d+)", seen.shown)
        assert line
        seen.type(":open 1\r")
        seen.wait_for("lexical, 1 hit", place)
        seen.type("\x04")
        assert seen.end() == 0
    said = (home / "said").read_text(encoding="utf-8").splitlines()
    assert said == [f"+{line[1] or line[2]}", str(ROOT / "data" / "handbook" / "refunds.md")]


def test_open_shows_a_record_in_the_pager(home: Path, tmp_path: Path) -> None:
    (tmp_path / "r.jsonl").write_text('{"text": "Title line.\\n\\nOtters swim \\u001b[31mfast.", "source": "memo:1"}\n')
    with ctxsearch.open(tmp_path / "i") as index:
        index.ingest([tmp_path / "r.jsonl"])
    with prompt(tmp_path / "i", home, "--mode=lexical", PAGER=f"tee {home / 'said'}") as seen:
        place = seen.wait_for("lexical, 5 hits")
        seen.type("otters\r")
        place = seen.wait_for("lexical, 5 hits", seen.wait_for("memo:1", place))
        seen.type(":open 1\r")
        seen.wait_for("lexical, 5 hits", seen.wait_for("Title line.", place))
        seen.type(":quit\r")
        assert seen.end() == 0
    assert (home / "said").read_text(encoding="utf-8") == "Title line.\n\nOtters swim  [31mfast."


def test_a_history_that_cannot_be_written_is_kept_in_memory(sample: ctxsearch.Index, home: Path) -> None:
    (home / "state").write_text("a file, not a folder")
    with prompt(sample.path, home, "--mode=lexical") as seen:
        place = seen.wait_for("lexical, 5 hits")
        seen.type("barn owl\r")
        seen.wait_for("lexical, 5 hits", seen.wait_for("barn-owl.txt", place))
        seen.type("\x04")
        assert seen.end() == 0
    assert "Traceback" not in seen.sent


def test_how_programs_are_told_the_line() -> None:
    assert at_line(["/usr/bin/vim"], "/a b", 7) == ["/usr/bin/vim", "+7", "/a b"]
    assert at_line(["code", "--wait"], "/a", 7) == ["code", "--wait", "--goto", "/a:7"]
    assert at_line(["hx"], "/a", 7) == ["hx", "/a:7"]
    assert at_line(["other"], "/a", 7) == ["other", "/a"]
