"""The tables of a catalog, and making an empty one.

    meta        facts: the index's identity and generation, its passport, where the model was, the vector file that was
                published last with its checksum, the canaries
    documents   a row a document; its text is that of its contexts, joined
    contexts    a row a context, with the title and headings that full text search also reads
    sentences   a row a sentence: its span
    vectors     a row a context: float16 rows of its embedding and those of its sentences, one after another
    words_n     a row a context: the words of its sentences by rule n; see sentences.py
    removed     contexts deleted since generation n, so that the vector index can follow
    failures    a row a source that could not be read; see failures.py
    document_metadata  a row a value of a document's metadata, for conditions; see metadata.py
    contexts_fts  FTS5 over what `searched` gives for contexts, kept in step by triggers
    searched    a view: title, headings and text of contexts as full-text search has them
    searched_n  a row a context that FTS5 would cut into other words: what is indexed instead, by rule n of terms.py

Rows of documents, contexts (with their sentences) and vectors carry a checksum, so that `rows` can tell a damaged one
and `repair` saves only what is whole. Format 1 had no checksums, and did not keep the headings of documents.
"""

from __future__ import annotations

import functools
import json
import re
import sqlite3
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ctxsearch.catalog import failures, metadata
from ctxsearch.catalog.connection import APPLICATION_ID, SEARCHED
from ctxsearch.errors import StoreError
from ctxsearch.layout import FORMAT_VERSION, sync_file, sync_folder
from ctxsearch.words import RULE

FULL_TEXT_TOKENIZER = "porter unicode61 remove_diacritics 2 categories ''L* M* N* Co''"
"""As it stands between quotation marks in SQL. Marks are letters to it: without its vowel signs, Hindi falls apart."""

TEXT_TOKENIZER = "porter unicode61 remove_diacritics 2"
"""The tokenizer of catalogs that index texts as they are shown."""

STORED = "<f2"
"""Vectors are kept as little-endian float16: half the size, and 0.0002 of a cosine away at most. The vector index
holds the very same values, so it can be made again from here."""

HEADING_SEPARATOR = "\x1f"

TABLES = ("documents", "contexts", "sentences", "vectors")

_SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE documents (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    key TEXT NOT NULL UNIQUE,
    source TEXT NOT NULL,
    origin TEXT NOT NULL,
    title TEXT NOT NULL,
    metadata TEXT NOT NULL,
    content_hash TEXT NOT NULL,
    characters INTEGER NOT NULL,
    headings TEXT,
    generation INTEGER NOT NULL,
    ingested_at TEXT NOT NULL,
    checksum INTEGER NOT NULL
);
CREATE INDEX documents_source ON documents (source);
CREATE INDEX documents_origin ON documents (origin);
CREATE TABLE contexts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    document_id INTEGER NOT NULL REFERENCES documents (id),
    "start" INTEGER NOT NULL,
    "end" INTEGER NOT NULL,
    page INTEGER,
    tokens INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    title TEXT NOT NULL,
    headings TEXT NOT NULL,
    text TEXT NOT NULL,
    checksum INTEGER NOT NULL
);
CREATE INDEX contexts_document ON contexts (document_id, "start");
CREATE INDEX contexts_generation ON contexts (generation);
CREATE TABLE sentences (
    context_id INTEGER NOT NULL REFERENCES contexts (id),
    ordinal INTEGER NOT NULL,
    "start" INTEGER NOT NULL,
    "end" INTEGER NOT NULL,
    PRIMARY KEY (context_id, ordinal)
) WITHOUT ROWID;
CREATE TABLE vectors (
    context_id INTEGER PRIMARY KEY REFERENCES contexts (id), data BLOB NOT NULL, checksum INTEGER NOT NULL
);
CREATE TABLE removed (context_id INTEGER PRIMARY KEY, generation INTEGER NOT NULL);
"""


WORDS = f"words_{RULE}"

WORDS_TABLE = f"""
CREATE TABLE {WORDS} (
    context_id INTEGER PRIMARY KEY REFERENCES contexts (id), data BLOB NOT NULL, checksum INTEGER NOT NULL
);
"""


FULL_TEXT = f"""
CREATE TABLE {SEARCHED} (id INTEGER PRIMARY KEY, t, h, x);
CREATE VIEW searched AS SELECT id, ifnull(t,title) title, ifnull(h,headings) headings, ifnull(x,text) text
    FROM contexts LEFT JOIN {SEARCHED} USING (id);
CREATE VIRTUAL TABLE contexts_fts USING fts5(title, headings, text, content=searched, content_rowid=id,
    tokenize='{FULL_TEXT_TOKENIZER}');
CREATE TRIGGER contexts_ai AFTER INSERT ON contexts BEGIN
    INSERT INTO contexts_fts(rowid,title,headings,text) SELECT * FROM searched WHERE id = new.id; END;
CREATE TRIGGER contexts_bd BEFORE DELETE ON contexts BEGIN
    INSERT INTO contexts_fts(rowid,title,headings,text,contexts_fts) SELECT *,'delete' FROM searched
    WHERE id = old.id; END;
CREATE TRIGGER contexts_bu BEFORE UPDATE OF title ON contexts BEGIN SELECT RAISE(ABORT, 'no'); END;
"""
"""Full-text search over `searched`. What a context has in `searched_n` (title, headings, text: t, h, x) is written
before it and removed after it, so that what is taken out of FTS5 is what was put in. To change a title, a context is
deleted and inserted."""


TEXT_TRIGGERS = """
CREATE TRIGGER contexts_ai AFTER INSERT ON contexts BEGIN
    INSERT INTO contexts_fts (rowid, title, headings, text) VALUES (new.rowid, new.title, new.headings, new.text); END;
CREATE TRIGGER contexts_ad AFTER DELETE ON contexts BEGIN
    INSERT INTO contexts_fts (contexts_fts, rowid, title, headings, text)
    VALUES ('delete', old.rowid, old.title, old.headings, old.text); END;
CREATE TRIGGER contexts_au AFTER UPDATE ON contexts BEGIN
    INSERT INTO contexts_fts (contexts_fts, rowid, title, headings, text)
    VALUES ('delete', old.rowid, old.title, old.headings, old.text);
    INSERT INTO contexts_fts (rowid, title, headings, text) VALUES (new.rowid, new.title, new.headings, new.text); END;
"""
"""What sqlite-utils makes for `TEXT_TOKENIZER`."""

_SPELLING = re.compile(r"""[\s"'`\[\];]+""")

INTEGER, TEXT, BLOB, ANYTHING = "integer", "text", "blob", ""
COLUMNS: Mapping[str, Mapping[str, str]] = {
    "meta": dict.fromkeys(("key", "value"), TEXT),
    "documents": dict.fromkeys(("id", "characters", "generation", "checksum"), INTEGER)
    | dict.fromkeys(("key", "source", "origin", "title", "metadata", "content_hash", "ingested_at"), TEXT),
    "contexts": dict.fromkeys(("id", "document_id", "start", "end", "tokens", "generation", "checksum"), INTEGER)
    | dict.fromkeys(("title", "headings", "text"), TEXT),
    "sentences": dict.fromkeys(("context_id", "ordinal", "start", "end"), INTEGER),
    "vectors": {"context_id": INTEGER, "data": BLOB, "checksum": INTEGER},
    "removed": {"context_id": INTEGER, "generation": INTEGER},
    WORDS: {"context_id": INTEGER, "data": BLOB, "checksum": INTEGER},
    "document_metadata": {"key": TEXT, "kind": INTEGER, "document": INTEGER, "listed": INTEGER},
    "sqlite_sequence": {"name": TEXT, "seq": INTEGER},
    SEARCHED: {"id": INTEGER},
    "failures": dict.fromkeys(("source", "origin", "error", "signature", "failed_at"), TEXT),
}
"""The types of values. SQLite itself would take any value in any column."""


def is_known(sql: str) -> bool:
    """Whether a trigger or view of a catalog is one that ctxsearch makes. Those of a stranger could do anything."""
    return _SPELLING.sub("", sql).lower() in _known()


@functools.cache
def _known() -> frozenset[str]:
    statements = re.split(r";\s*(?=CREATE)", f"{FULL_TEXT.strip()}\n{TEXT_TRIGGERS.strip()}")
    return frozenset(_SPELLING.sub("", statement).lower() for statement in statements)


def make(path: Path, facts: Mapping[str, Any], *, searched: bool = True) -> None:
    """Make an empty catalog at a path that nobody knows yet. It is whole and durable when this returns.

    Args:
        path: the file to make.
        facts: what `meta` begins with.
        searched: whether full-text search gets texts by the rule of `terms`; else it indexes them as they are shown.

    Raises:
        StoreError: it cannot be made.
    """
    import sqlite_utils  # here, since it takes 0.1 s to import

    try:
        for suffix in ("", "-wal", "-shm", "-journal"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        path.touch(mode=0o666, exist_ok=False)  # by the user's umask; SQLite would give 0644 at most
        connection = sqlite3.connect(path, isolation_level=None)
        db = sqlite_utils.Database(connection, execute_plugins=False)
        try:
            schema = _SCHEMA + failures.TABLE + metadata.TABLE.format(schema="main") + WORDS_TABLE
            db.executescript(" ".join(schema.split()))  # SQLite keeps it letter for letter: so it stays in page 1
            if searched:
                db.executescript(" ".join(FULL_TEXT.split()))
            else:
                db.table("contexts").enable_fts(
                    ["title", "headings", "text"], tokenize=TEXT_TOKENIZER, create_triggers=True
                )
            db.table("meta").insert_all({"key": key, "value": json.dumps(value)} for key, value in facts.items())
            db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            db.execute(f"PRAGMA user_version = {FORMAT_VERSION}")
            db.execute("PRAGMA journal_mode = WAL")
        finally:
            db.close()
        sync_file(path)
        sync_folder(path.parent)
    except (sqlite3.Error, OSError) as error:
        raise StoreError(f"cannot make an index in {path.parent}: {error}") from error


_as_json = json.JSONEncoder(ensure_ascii=False).encode


def checksum(*values: Any) -> int:
    """CRC-32 of a row: any damage of up to 32 bits in a row is noticed, and all but one in 4e9 of what is larger."""
    return zlib.crc32(_as_json(values).encode("utf-8", "surrogatepass"))
