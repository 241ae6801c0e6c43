"""The values of documents' metadata, a row each and indexed: what conditions are looked up in.

A document's keys are ``source``, ``title`` and ``path`` (of the file it came from), and those of its metadata, which
hide the three. A list has the values of its elements. An object has no value to compare, but its own keys are keys of
the document, joined by dots: ``{"author": {"name": "Ada"}}`` has ``author`` and ``author.name``. The table is made at
the first write to a catalog that has none of this form; a reader of such a catalog makes one of its own, in memory, for
as long as a snapshot lasts.
"""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import Any, NamedTuple, TypeAlias

from ctxsearch.catalog.connection import Connection, translating
from ctxsearch.layout import untrusted

Value: TypeAlias = str | int | float

NULL, BOOLEAN, NUMBER, TEXT, DATE, INSTANT, OTHER, LARGE = range(8)
"""Kinds of values. A text that reads as a date has two rows: its letters (DATE) and its point in time (INSTANT). OTHER
is what cannot be compared: an object, an empty list, a list in a list. LARGE is a number that SQLite cannot hold
exactly: one beyond 64 bits."""

NAMES = {
    NULL: "null",
    BOOLEAN: "true or false",
    NUMBER: "numbers",
    TEXT: "text",
    DATE: "dates",
    OTHER: "lists",
    LARGE: "numbers",
}
"""How a message calls what a key holds."""

DEEPEST_KEY = 16
"""Objects in one another whose keys can be asked for."""

MOST_NAMED = 40
"""Keys that a message lists."""

TABLE = """
CREATE TABLE {schema}.document_metadata (
    key TEXT, kind INTEGER, value, document INTEGER, listed INTEGER, PRIMARY KEY (key, kind, value, document, listed)
) WITHOUT ROWID;
"""

_DATE = re.compile(
    r"\d{4}-\d\d-\d\d(?:[T ](?:[01]\d|2[0-3]):\d\d(?::\d\d(?:\.\d{1,6})?)?(?:Z|[+-]\d\d:?\d\d)?)?", re.ASCII
)
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_MICROSECOND = datetime.timedelta(microseconds=1)
LARGEST_NEGATIVE, LEAST_POSITIVE, LARGEST_POSITIVE = "m", "p", "q"
"""Texts of LARGE between which the negative and the positive numbers are."""

_COMPLEMENT = str.maketrans("0123456789", "9876543210")

_INSERT = "INSERT OR IGNORE INTO {schema}.document_metadata (document, key, kind, value, listed) VALUES (?, ?, ?, ?, ?)"
_SAME = "document = ? AND key = ? AND kind = ? AND value = ? AND listed = ?"
_FACTS = "SELECT id, source, title, origin, metadata FROM documents"


class Entry(NamedTuple):
    """A value that a document has under a key."""

    key: str
    kind: int
    value: Value
    listed: bool
    """Whether it is an element of a list."""


def entries(source: str, title: str, origin: str, metadata: Mapping[str, Any]) -> set[Entry]:
    """All that can be asked about a document; an empty title or origin is none."""
    facts = {"source": source, "title": title, "path": PurePath(origin).as_posix() if origin else ""}
    whole = {key: value for key, value in facts.items() if value} | dict(metadata)
    return {entry for key, value in whole.items() for entry in _entries_of(key, value, listed=False, depth=0)}


def _entries_of(key: str, value: Any, *, listed: bool, depth: int) -> Iterator[Entry]:
    match value:
        case [_, *_]:
            for element in value:
                if isinstance(element, list):
                    yield Entry(key, OTHER, 0, True)
                else:
                    yield from _entries_of(key, element, listed=True, depth=depth)
        case dict():
            yield Entry(key, OTHER, 0, listed)
            if depth < DEEPEST_KEY:
                for name, inner in value.items():
                    yield from _entries_of(f"{key}.{name}", inner, listed=listed, depth=depth + 1)
        case _:
            yield from (Entry(key, kind, scalar, listed) for kind, scalar in _scalar(value))


def _scalar(value: Any) -> Iterator[tuple[int, Value]]:
    match value:
        case None:
            yield NULL, 0
        case bool():
            yield BOOLEAN, int(value)
        case int() | float() if value == value:
            yield number(value)
        case str():
            point = instant(value)
            if point is None:
                yield TEXT, value
            else:
                yield DATE, value
                yield INSTANT, point
        case _:
            yield OTHER, 0


def number(value: int | float) -> tuple[int, Value]:
    """A number, not NaN, as a kind and a value of the table.

    One beyond 64 bits is a text that sorts as the number does: its sign, how many digits it has, and the digits (for a
    negative number, both as their complements). A float of that size is an integer.
    """
    if -(2**63) <= value < 2**63:
        return NUMBER, value
    if isinstance(value, float) and math.isinf(value):
        return LARGE, LARGEST_POSITIVE if value > 0 else LARGEST_NEGATIVE
    digits = str(abs(int(value)))
    if value > 0:
        return LARGE, f"{LEAST_POSITIVE}{len(digits):04}{digits}"
    return LARGE, f"n{9999 - len(digits):04}{digits.translate(_COMPLEMENT)}"


def instant(text: str) -> int | None:
    """The point in time that a text says in ISO 8601, as microseconds since 1970; None for any other text.

    A date is its first moment; a time without a zone is in UTC.
    """
    if not _DATE.fullmatch(text):
        return None
    try:
        said = datetime.datetime.fromisoformat(text)
    except ValueError:  # the 31st of June
        return None
    return ((said if said.tzinfo else said.replace(tzinfo=datetime.UTC)) - _EPOCH) // _MICROSECOND


class Metadata(Connection):
    """The table of values, kept in step with the documents."""

    def begin(self, *, advance: bool = True) -> int:
        generation = super().begin(advance=advance)
        with self.translated():
            if not self._has_table("main"):
                self._db.execute("DROP TABLE IF EXISTS main.document_metadata")  # of an older form
                self._fill_values("main")
        return generation

    def _put_values(self, document_id: int, row: Mapping[str, Any]) -> None:
        """Add a document's values; those it had are dropped before."""
        facts = (document_id, row["source"], row["title"], row["origin"], row["metadata"])
        for entry in _entries(facts):
            self._db.execute(_INSERT.format(schema="main"), [document_id, *entry])

    def _drop_values(self, document_id: int) -> None:
        """Remove a document's values, found by what its row says."""
        row = self._db.execute(f"{_FACTS} WHERE id = ?", [document_id]).fetchone()
        if row is not None:
            delete = f"DELETE FROM main.document_metadata WHERE {_SAME}"
            for entry in _entries(row):
                self._db.execute(delete, [document_id, *entry])

    def _require_values(self) -> None:
        """For who reads: the table that the catalog has, else one in memory."""
        if not (self._has_table("main") or self._has_table("temp")):
            self._fill_values("temp")

    def _has_table(self, schema: str) -> bool:
        query = "SELECT 1 FROM pragma_table_info('document_metadata', ?) WHERE name = 'listed'"
        return self._db.execute(query, [schema]).fetchone() is not None

    def _fill_values(self, schema: str) -> None:
        self._db.execute(TABLE.format(schema=schema))
        for row in self._db.execute(_FACTS).fetchall():
            for entry in _entries(row):
                self._db.execute(_INSERT.format(schema=schema), [row[0], *entry])

    @translating
    def kinds(self, key: str) -> set[int]:
        """Kinds of the values that documents have under a key; none for a key that no document has."""
        held = "SELECT EXISTS (SELECT 1 FROM document_metadata WHERE key = ? AND kind = ?)"
        return {kind for kind in NAMES if self._db.execute(held, [key, kind]).fetchone()[0]}

    @translating
    def metadata_keys(self) -> list[str]:
        """The first keys that documents have, by name; one more than a message lists, if there are more."""
        found: list[str] = []
        at = None
        while len(found) <= MOST_NAMED:
            beyond = "" if at is None else "WHERE key > ?"
            query = f"SELECT min(key) FROM document_metadata {beyond}"
            (at,) = self._db.execute(query, [] if at is None else [at]).fetchone()
            if at is None:
                break
            found.append(at)
        return found

    def check_values(self) -> Iterator[str]:
        """Compare the table with the documents; a catalog that has none yet lacks nothing."""
        if not self._has_table("main"):
            return
        there = self._db.execute("SELECT count(*) FROM main.document_metadata").fetchone()[0]
        held = f"SELECT 1 FROM main.document_metadata WHERE {_SAME}"
        wanted = 0
        for row in self._db.execute(_FACTS).fetchall():
            for entry in _entries(row):
                wanted += 1
                if not self._db.execute(held, [row[0], *entry]).fetchone():
                    yield f"the metadata of document {row[0]} cannot be filtered by {entry.key!r}"
                    return
        if wanted != there:
            yield f"{there} values of metadata can be filtered by, the documents have {wanted}"


def _entries(row: Any) -> set[Entry]:
    _, source, title, origin, metadata = row
    try:
        said = untrusted.parse_json(metadata)
    except (ValueError, TypeError):  # a damaged row, which other checks tell of
        said = {}
    source, title, origin = (one if isinstance(one, str) else "" for one in (source, title, origin))
    return entries(source, title, origin, said if isinstance(said, dict) else {})
