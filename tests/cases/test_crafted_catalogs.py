"""Catalogs that a stranger made (fault 7 of the engine): what tests/fuzz found, each by itself.

Checksums of rows are right, since anybody can compute them.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

import ctxsearch
from ctxsearch import CtxsearchError, DamagedIndexError, Document
from ctxsearch.catalog import Catalog
from ctxsearch.catalog.rows import CONTEXT, DOCUMENT
from ctxsearch.catalog.schema import WORDS, checksum
from tests.hashing import install, make_model


@pytest.fixture(autouse=True)
def hash_models() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        from ctxsearch.index import Index

        patch.setattr(Index, "_encoder_of", Index._encoder_of)  # put back afterwards what install replaces
        install()
        yield


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with ctxsearch.open(tmp_path / "i", model=make_model(tmp_path / "models", "m").path) as index:
        index.add(Document(f"Otter number {n} swims. It is wet.", f"s{n}", metadata={"n": n}) for n in range(3))
    return tmp_path / "i"


def craft(folder: Path, *statements: str) -> None:
    """Run SQL on the catalog and give its rows their checksums."""
    for seal in folder.glob("*.seal"):
        seal.unlink()
    with closing(sqlite3.connect(folder / "catalog-1.sqlite3", isolation_level=None)) as db:
        for statement in statements:
            db.execute(statement)
        with suppress(sqlite3.Error, TypeError):
            for row in db.execute(f"SELECT {', '.join(DOCUMENT)} FROM documents").fetchall():
                db.execute("UPDATE documents SET checksum = ? WHERE id = ?", [checksum(*row), row[0]])
            for row in db.execute(f"SELECT {', '.join(CONTEXT)} FROM contexts").fetchall():
                query = 'SELECT "start", "end" FROM sentences WHERE context_id = ? ORDER BY ordinal'
                spans = tuple(db.execute(query, [row[0]]).fetchall())
                db.execute("UPDATE contexts SET checksum = ? WHERE id = ?", [checksum(*row, spans), row[0]])


def use(folder: Path) -> list[str]:
    """Do what can be done; only errors of ours are accepted. Returns the kinds that were met."""
    met: list[str] = []

    def attempt(call: object) -> None:
        try:
            call()  # type: ignore[operator]
        except CtxsearchError as error:
            met.append(type(error).__name__)

    def everything() -> None:
        with ctxsearch.open(folder, lock_timeout=1.0) as index:
            for mode in ctxsearch.records.MODES:
                attempt(lambda mode=mode: index.query("otter swims", mode=mode))
                attempt(lambda mode=mode: index.query("otter", mode=mode, where={"n": 1}))
            for call in (index.status, lambda: list(index.iterate(vectors=True)), lambda: index.delete(source="s1")):
                attempt(call)
            attempt(lambda: index.export(folder.parent / "e.jsonl"))
            attempt(lambda: index.add([Document("A heron waits.", "s0")]))

    attempt(everything)
    attempt(lambda: ctxsearch.Index.repair(folder))
    return met


ENDLESS = "WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n) SELECT id, id AS generation FROM n"


@pytest.mark.parametrize(
    "statements",
    [
        ("DROP TABLE removed", f"CREATE VIEW removed AS {ENDLESS}"),
        ("DROP TABLE sentences", f"CREATE VIEW sentences AS {ENDLESS}"),
        ("DROP VIEW searched", f"CREATE VIEW searched AS {ENDLESS}"),
        ("CREATE TRIGGER evil AFTER INSERT ON documents BEGIN DELETE FROM contexts; END",),
        ("CREATE TRIGGER evil BEFORE UPDATE ON meta BEGIN SELECT randomblob(900000000); END",),
        ("DROP TRIGGER contexts_ai", "CREATE TRIGGER contexts_ai AFTER INSERT ON contexts BEGIN DELETE FROM meta; END"),
    ],
    ids=["endless table", "endless sentences", "endless texts", "trigger", "large trigger", "another trigger"],
)
def test_views_and_triggers_of_a_stranger_are_refused(folder: Path, statements: tuple[str, ...]) -> None:
    """A view without an end in the place of a table was read for ever."""
    craft(folder, *statements)
    started = time.monotonic()
    for read_only in (True, False):
        with pytest.raises(DamagedIndexError, match=r"is not a table|that ctxsearch did not make"):
            ctxsearch.open(folder, read_only=read_only)
    use(folder)
    assert time.monotonic() - started < 10.0


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE documents SET title = x'ff' WHERE id = 2",
        "UPDATE documents SET source = x'00' WHERE id = 2",
        "UPDATE documents SET metadata = '[]' WHERE id = 2",
        f"UPDATE documents SET metadata = '{'[' * 5000}' WHERE id = 2",
        "UPDATE documents SET metadata = '{\"n\": 1e999}' WHERE id = 2",
        "UPDATE documents SET headings = '[[1, 2]]' WHERE id = 2",
        "UPDATE contexts SET text = x'ff' WHERE id = 2",
        'UPDATE contexts SET "start" = 5 WHERE id = 2',
        "UPDATE contexts SET page = 'x' WHERE id = 2",
        "DELETE FROM sentences WHERE context_id = 2",
        'UPDATE sentences SET "end" = 99 WHERE context_id = 2',
        "UPDATE sentences SET \"start\" = 'x' WHERE context_id = 2",
        "UPDATE vectors SET data = 'text' WHERE context_id = 2",
        f"UPDATE {WORDS} SET data = x'ffffffff', checksum = 0 WHERE context_id = 2",
        "UPDATE sqlite_sequence SET seq = 9223372036854775807",
        "UPDATE sqlite_sequence SET seq = 'x'",
        "UPDATE meta SET value = '5' WHERE key = 'segments'",
        "UPDATE meta SET value = '1e400' WHERE key = 'generation'",
        "UPDATE meta SET value = '[1, 2]' WHERE key = 'canaries'",
        'UPDATE meta SET value = \'{"texts": ["a"], "vectors": ["!"], "runtime": 5}\' WHERE key = \'canaries\'',
        "UPDATE meta SET value = replace(value, '\"dim\": 16', '\"dim\": 1000000000000') WHERE key = 'passport'",
        "UPDATE removed SET context_id = 'x'",
        "UPDATE document_metadata SET kind = x'00'",
    ],
)
def test_rows_of_other_types_end_in_errors_of_ours(folder: Path, statement: str) -> None:
    craft(folder, statement)
    assert set(use(folder)) <= {"DamagedIndexError", "StoreError"}


def test_a_walk_through_a_damaged_table_ends_where_ids_do_not_rise(folder: Path) -> None:
    """A changed page gave a row of id 0 after each other: repair read it for ever."""
    catalog = Catalog(folder / "catalog-1.sqlite3", read_only=True)
    try:
        assert {row[0] for row in catalog._readable("SELECT 0 AS id FROM documents WHERE documents.id > ?")} == {0}
    finally:
        catalog.close()


def test_a_seal_without_a_checksum_is_none(folder: Path) -> None:
    import hashlib

    (seal,) = folder.glob("*.seal")
    said = {"bytes": 5}
    digest = hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()
    seal.write_text(json.dumps({**said, "sha256": digest}))
    with ctxsearch.open(folder) as index:
        assert index.query("otter", mode="lexical")
        assert index.verify() == []


def test_lexical_weights_take_the_memory_of_their_file(tmp_path: Path) -> None:
    """Their header is Python, and may claim any size."""
    from ctxsearch.encoder.lexical import _read_weights

    for shape in ("(1000000000000,)", "(-5,)", "(1, 2", "((((", "(5,), 'more': open('x')"):
        header = f"{{'descr': '<f2', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
        (tmp_path / "lexical.npy").write_bytes(
            b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode()
        )
        with pytest.raises(ctxsearch.ModelError, match=r"lexical\.npy"):
            _read_weights(tmp_path / "lexical.npy")
