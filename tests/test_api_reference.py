"""docs/api.md: its examples run, it leaves out no public name, and its signatures are those of the code."""

from __future__ import annotations

import doctest
import inspect
import re
from pathlib import Path

import pytest

import ctxsearch
from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
HEADINGS = [line for line in PAGE.splitlines() if line.startswith("### ")]


def test_the_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    parser, runner = doctest.DocTestParser(), doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    names: dict[str, object] = {}
    output: list[str] = []
    for number, block in enumerate(BLOCKS):
        line = PAGE[: PAGE.index(block)].count("\n")
        example = parser.get_doctest(block, names, f"docs/api.md, block {number}", "docs/api.md", line)
        failed, _ = runner.run(example, out=output.append, clear_globs=False)
        names.update(example.globs)
        assert not failed, "".join(output)


def members(kind: type) -> list[str]:
    """Public attributes that a class itself has."""
    return [name for name in vars(kind) if not name.startswith("_") and name not in NO_ONES]


NO_ONES = {"before_fork", "after_fork_in_parent", "after_fork_in_child"}
"""Methods that other parts of ctxsearch call."""


@pytest.mark.parametrize("name", ctxsearch.__all__)
def test_every_public_name_is_in_an_example(name: str) -> None:
    assert re.search(rf"\bctxsearch\.{name}\b", "".join(BLOCKS)), f"docs/api.md has no example of ctxsearch.{name}"


@pytest.mark.parametrize("kind", [ctxsearch.Index, ctxsearch.Encoder])
def test_every_public_member_is_in_an_example(kind: type) -> None:
    missing = [name for name in members(kind) if not re.search(rf"\.{name}\b", "".join(BLOCKS))]
    assert missing == []


def test_signatures_are_those_of_the_code() -> None:
    signatures = [found for line in HEADINGS for found in re.findall(r"`(\w+)\.(\w+)\(([^)]*)\)`", line)]
    assert len(signatures) > 20
    for owner, name, written in signatures:
        place = ctxsearch if owner == "ctxsearch" else getattr(ctxsearch, owner)
        expected: list[str] = []
        for parameter in inspect.signature(getattr(place, name)).parameters.values():
            if parameter.kind is parameter.KEYWORD_ONLY and "*" not in expected:
                expected.append("*")
            if parameter.name != "self":
                expected.append(parameter.name)
        assert [part for part in written.split(", ") if part] == expected, f"{owner}.{name}"


def test_every_method_has_a_docstring() -> None:
    for kind in (ctxsearch.Index, ctxsearch.Encoder):
        for name in members(kind):
            assert inspect.getdoc(getattr(kind, name)), name
    for name in ctxsearch.__all__:
        if name != "__version__":
            assert inspect.getdoc(getattr(ctxsearch, name)), name
