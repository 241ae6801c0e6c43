"""Imports point one way, and each foreign library has one room. Reads the source; runs nothing of it."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT

PACKAGE = ROOT / "ctxsearch"

HOUSE = (
    "errors",
    "resources",
    "locks",
    "forking",
    "logs",
    "plain",
    "patterns",
    "records",
    "arguments",
    "layout",
    "passport",
    "consent",
    "questionset",
    "pull",
    "encoder",
    "text_encoder",
    "readers",
    "abbreviations",
    "contexts",
    "folding",
    "words",
    "terms",
    "identifiers",
    "evidence",
    "catalog",
    "vectors",
    "store",
    "canaries",
    "embeddings",
    "admission",
    "seen",
    "documents",
    "history",
    "estimate",
    "fusion",
    "calibration",
    "ingest",
    "watch",
    "exchange",
    "reembed",
    "hybrid",
    "ranking",
    "query",
    "similar",
    "spaces",
    "asynchronous",
    "index",
    "evaluate",
    "training",
    "modelling",
    "doctor",
    "cli",
)
"""The rooms, from the ground up: each may import those before it."""

ONE_ROOM = {
    "openvino": "encoder",
    "tokenizers": "encoder",
    "faiss": "vectors",
    "sqlite_utils": "catalog",
    "sqlite3": "catalog",
    "watchfiles": "watch",
}


def room_of(path: Path) -> str:
    """The room a module belongs to; the package's own ``__init__`` is the roof."""
    first = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    return "roof" if first == "__init__" else first


def imports(path: Path) -> Iterator[tuple[str, int]]:
    """Full names of all that a module imports, inside functions too, with their lines."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: imports are absolute here"
            yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)


def offences(path: Path) -> list[str]:
    """What a module imports that it should not."""
    found = []
    room = room_of(path)
    for name, line in imports(path):
        top, _, rest = name.partition(".")
        if ONE_ROOM.get(top, room) != room:
            found.append(f"{path.name}:{line}: {top} is imported by {ONE_ROOM[top]} alone")
        other = rest.partition(".")[0]
        if top != "ctxsearch" or other not in HOUSE or room == "roof":
            continue
        if room == other:
            continue
        if HOUSE.index(other) > HOUSE.index(room):
            found.append(f"{path.name}:{line}: {room} may not import {other}, which stands above it")
    return found


MODULES = sorted(PACKAGE.rglob("*.py"))


def test_every_room_is_in_the_house() -> None:
    assert {room_of(path) for path in MODULES} == {*HOUSE, "roof"}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_one_way(path: Path) -> None:
    assert offences(path) == []


def test_an_import_the_wrong_way_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[__name__], "PACKAGE", tmp_path)
    (tmp_path / "records.py").write_text("from ctxsearch.store import LocalStore\nimport faiss\n")
    assert offences(tmp_path / "records.py") == [
        "records.py:1: records may not import store, which stands above it",
        "records.py:2: faiss is imported by vectors alone",
    ]


def test_nothing_that_runs_what_it_reads_is_imported() -> None:
    forbidden = {"pickle", "marshal", "shelve", "dill", "joblib"}
    used = {(path.name, name) for path in MODULES for name, _ in imports(path) if name.partition(".")[0] in forbidden}
    assert used == set()
