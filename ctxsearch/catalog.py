"""The catalog: documents, contexts, sentences, vectors and full text in one SQLite file. The authority.

Only this room imports sqlite_utils and sqlite3. It knows rows and SQL; it does not know FAISS, a model, or files other
than its own. What is written between `Catalog.begin` and `Catalog.commit` becomes durable as a whole or not at all, and
takes the index from one generation to the next; what happens inside one `Catalog.snapshot` reads one generation.

    meta        facts about the index, among them its generation and passport
    documents   a row a document; its text is that of its contexts, joined
    contexts    a row a context, with the title and headings that full text search also reads
    sentences   a row a sentence: its span
    vectors     a row a context: float16 rows of its embedding and those of its sentences, one after another
    removed     contexts deleted since generation n, so that the vector index can follow
    contexts_fts  FTS5 over contexts, kept in step by triggers
"""

from __future__ import annotations

import functools
import json
import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Concatenate, NamedTuple, ParamSpec, TypeVar

import numpy as np
import sqlite_utils
from numpy.typing import NDArray

from ctxsearch.errors import ArgumentError, DamagedIndexError, IndexFormatError, NotAnIndexError, StoreError
from ctxsearch.layout import FORMAT_VERSION, sync_folder
from ctxsearch.records import Context, Document, DocumentSummary, FloatArray, IntArray, Sentence

APPLICATION_ID = 0x43545853
"""Marks a SQLite file as a catalog: "CTXS"."""

FULL_TEXT_TOKENIZER = "porter unicode61 remove_diacritics 2"

COLUMN_WEIGHTS = "2.0, 1.0, 1.0"
"""What a word in the title, the headings and the text counts for in BM25."""

STORED = np.dtype("<f2")
"""Vectors are kept as little-endian float16: half the size, and 0.0002 of a cosine away at most. The vector index
holds the very same values, so it can be made again from here."""

MAX_VARIABLES = 900
"""Below SQLite's lowest limit of parameters in a statement."""

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
    generation INTEGER NOT NULL,
    ingested_at TEXT NOT NULL
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
    text TEXT NOT NULL
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
CREATE TABLE vectors (context_id INTEGER PRIMARY KEY REFERENCES contexts (id), data BLOB NOT NULL);
CREATE TABLE removed (context_id INTEGER PRIMARY KEY, generation INTEGER NOT NULL);
"""

P = ParamSpec("P")
R = TypeVar("R")

_HEADING_SEPARATOR = "\x1f"
_WORDS = re.compile(r"\w+")


class StoredContext(NamedTuple):
    """A context as the catalog has it, with what a hit shows of its document."""

    context_id: int
    document_id: int
    start: int
    end: int
    page: int | None
    headings: tuple[str, ...]
    text: str
    sentences: tuple[Sentence, ...]
    source: str
    title: str
    metadata: Mapping[str, Any]


class StoredVectors(NamedTuple):
    """The rows of one context, float16 of shape (1 + sentences, dim)."""

    context_id: int
    rows: NDArray[np.float16]


def _translating(method: Callable[Concatenate[Catalog, P], R]) -> Callable[Concatenate[Catalog, P], R]:
    """Errors of SQLite inside the method leave it as errors of ours."""

    @functools.wraps(method)
    def translating(self: Catalog, /, *args: P.args, **kwargs: P.kwargs) -> R:
        with self._translated():
            return method(self, *args, **kwargs)

    return translating


class Catalog:
    """An open catalog. One thread at a time; the store sees to that."""

    def __init__(self, path: Path, *, read_only: bool) -> None:
        """Open a catalog that is there.

        Raises:
            DamagedIndexError: the file is not a database, or is damaged.
            NotAnIndexError: it is a database of something else.
            IndexFormatError: a newer ctxsearch made it.
            StoreError: it cannot be opened.
        """
        self._path = path
        with self._translated():
            self._db = _connect(path, read_only)
            application, found = (
                self._db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")
            )
        if application != APPLICATION_ID:
            self.close()
            raise NotAnIndexError(f"{path} is a database of something else; name another folder with --index")
        if found > FORMAT_VERSION:
            self.close()
            raise IndexFormatError(
                f"{path.parent} has format {found}, this ctxsearch reads up to {FORMAT_VERSION}; "
                "install a newer one: pip install --upgrade ctxsearch"
            )

    @classmethod
    def create(cls, path: Path, passport: Mapping[str, Any], model_path: str) -> Catalog:
        """Make a catalog. A crash while it is made leaves none, or a whole empty one.

        Args:
            path: the file to make.
            passport: the embedding space.
            model_path: where the model was found, for those that are not found by name.
        """
        try:
            partial = path.with_name(f".{path.name}.partial")
            partial.unlink(missing_ok=True)
            db = _connect(partial, read_only=False, journal="DELETE")
            db.executescript(_SCHEMA)
            db.table("contexts").enable_fts(
                ["title", "headings", "text"], tokenize=FULL_TEXT_TOKENIZER, create_triggers=True
            )
            db.table("meta").insert_all(
                {"key": key, "value": json.dumps(value)}
                for key, value in (("generation", 0), ("passport", passport), ("model_path", model_path))
            )
            db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            db.execute(f"PRAGMA user_version = {FORMAT_VERSION}")
            db.execute("PRAGMA journal_mode = WAL")
            db.close()
            partial.replace(path)
            sync_folder(path.parent)
        except (sqlite3.Error, OSError) as error:
            raise StoreError(f"cannot make an index in {path.parent}: {error}") from error
        return cls(path, read_only=False)

    def close(self) -> None:
        """Close the database. Closing twice does no harm."""
        self._db.close()

    # Transactions

    @contextmanager
    def snapshot(self) -> Iterator[int]:
        """Read one generation, whatever writers do meanwhile; yields it. May be nested."""
        with self._translated():
            if self._db.conn.in_transaction:
                yield self.generation()
                return
            self._db.execute("BEGIN")
            try:
                yield self.generation()
            finally:
                self._db.rollback()

    @_translating
    def begin(self) -> int:
        """Begin to write the next generation; returns its number. Nobody sees it before `commit`."""
        self._db.execute("BEGIN IMMEDIATE")
        generation = self.generation() + 1
        self._set_meta("generation", generation)
        return generation

    def commit(self) -> None:
        """Make durable what was written since `begin`: synchronous=FULL syncs the write-ahead log."""
        with self._translated():
            try:
                self._db.execute("COMMIT")
            except BaseException:
                self._db.rollback()
                raise

    @_translating
    def roll_back(self) -> None:
        """Drop what was written since `begin`, if anything."""
        self._db.rollback()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            raise _translate(error, self._path) from error

    # Facts

    def generation(self) -> int:
        """The generation that is read."""
        return int(self._meta("generation"))

    def passport(self) -> dict[str, Any]:
        """The passport that the index was made with, as `Passport.from_dict` takes it."""
        return dict(self._meta("passport"))

    def model_path(self) -> str:
        """Where the model was when the index was made."""
        return str(self._meta("model_path"))

    @_translating
    def counts(self) -> tuple[int, int, int]:
        """Documents, contexts and sentences."""
        return tuple(
            self._db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            for table in ("documents", "contexts", "sentences")
        )

    @_translating
    def _meta(self, key: str) -> Any:
        row = self._db.execute("SELECT value FROM meta WHERE key = ?", [key]).fetchone()
        if row is None:
            raise DamagedIndexError(f"{self._path} has lost its {key}; restore the folder from a backup")
        return json.loads(row[0])

    def _set_meta(self, key: str, value: Any) -> None:
        self._db.table("meta").upsert({"key": key, "value": json.dumps(value)}, pk="key")

    # Writing, between `begin` and `commit`

    @_translating
    def put_document(self, document: Document, content_hash: str, generation: int) -> int:
        """Add a document without its contexts, or replace one of the same key; returns its id."""
        row = {
            "key": document.key,
            "source": document.source,
            "origin": document.origin,
            "title": document.title,
            "metadata": json.dumps(dict(document.metadata), ensure_ascii=False, sort_keys=True),
            "content_hash": content_hash,
            "characters": len(document.text),
            "generation": generation,
            "ingested_at": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        table = self._db.table("documents")
        found = self._db.execute("SELECT id FROM documents WHERE key = ?", [document.key]).fetchone()
        if found is None:
            return int(table.insert(row).last_pk)  # type: ignore[arg-type]
        self._remove_contexts(int(found[0]), generation)
        table.update(found[0], row)
        return int(found[0])

    @_translating
    def put_contexts(
        self,
        document_id: int,
        title: str,
        contexts: Sequence[Context],
        vectors: Sequence[FloatArray],
        generation: int,
    ) -> None:
        """Add contexts of a document, with their vectors.

        Args:
            vectors: for each context its rows, float32 of shape (1 + sentences, dim).
        """
        first = self._next_context_id()
        ids = range(first, first + len(contexts))
        self._db.table("contexts").insert_all(
            {
                "id": context_id,
                "document_id": document_id,
                "start": context.start,
                "end": context.end,
                "page": context.page,
                "tokens": context.tokens,
                "generation": generation,
                "title": title,
                "headings": _HEADING_SEPARATOR.join(context.headings),
                "text": context.text,
            }
            for context_id, context in zip(ids, contexts, strict=True)
        )
        self._db.table("sentences").insert_all(
            {"context_id": context_id, "ordinal": ordinal, "start": sentence.start, "end": sentence.end}
            for context_id, context in zip(ids, contexts, strict=True)
            for ordinal, sentence in enumerate(context.sentences)
        )
        self._db.table("vectors").insert_all(
            {"context_id": context_id, "data": rows.astype(STORED).tobytes()}
            for context_id, rows in zip(ids, vectors, strict=True)
        )

    @_translating
    def delete_document(self, document_id: int, generation: int) -> None:
        """Remove a document and all that belongs to it."""
        self._remove_contexts(document_id, generation)
        self._db.execute("DELETE FROM documents WHERE id = ?", [document_id])

    @_translating
    def forget_removed(self, generation: int) -> None:
        """Drop the notes about contexts removed up to a generation that the vector file holds."""
        self._db.execute("DELETE FROM removed WHERE generation <= ?", [generation])

    def _remove_contexts(self, document_id: int, generation: int) -> None:
        below = "SELECT id FROM contexts WHERE document_id = ?"
        self._db.execute(f"INSERT INTO removed SELECT id, ? FROM ({below})", [generation, document_id])
        for table in ("sentences", "vectors"):
            self._db.execute(f"DELETE FROM {table} WHERE context_id IN ({below})", [document_id])
        self._db.execute("DELETE FROM contexts WHERE document_id = ?", [document_id])

    def _next_context_id(self) -> int:
        """Ids rise for ever: that of a deleted context is not given again."""
        row = self._db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'contexts'").fetchone()
        return int(row[0]) + 1 if row else 1

    # Documents

    @_translating
    def content_hash(self, key: str) -> str | None:
        """Hash of the document's content, or None for an unknown key."""
        row = self._db.execute("SELECT content_hash FROM documents WHERE key = ?", [key]).fetchone()
        return row[0] if row else None

    @_translating
    def find_documents(self, name: str) -> list[int]:
        """Ids of the documents of that source, origin or key."""
        rows = self._db.execute(
            "SELECT id FROM documents WHERE source = :name OR origin = :name OR key = :name ORDER BY id",
            {"name": name},
        )
        return [row[0] for row in rows]

    @_translating
    def has_document(self, document_id: int) -> bool:
        """Whether there is a document of that id."""
        return self._db.execute("SELECT 1 FROM documents WHERE id = ?", [document_id]).fetchone() is not None

    def documents(self, where: Mapping[str, Any] | None = None) -> Iterator[DocumentSummary]:
        """All documents, in the order of their ids."""
        condition, parameters = _condition(where)
        with self._translated():
            rows = self._db.query(
                "SELECT id, source, title, metadata, characters, ingested_at, "
                "(SELECT count(*) FROM contexts WHERE document_id = documents.id) AS contexts "
                f"FROM documents WHERE {condition} ORDER BY id",
                parameters,
            )
            for row in rows:
                yield DocumentSummary(
                    document_id=row["id"],
                    source=row["source"],
                    title=row["title"],
                    metadata=json.loads(row["metadata"]),
                    contexts=row["contexts"],
                    characters=row["characters"],
                    ingested_at=row["ingested_at"],
                )

    @_translating
    def document_text(self, document_id: int) -> str:
        """The text of a document, letter for letter."""
        rows = self._db.execute('SELECT text FROM contexts WHERE document_id = ? ORDER BY "start"', [document_id])
        return "".join(row[0] for row in rows)

    def origins(self) -> Iterator[tuple[int, str, str]]:
        """Id, key and origin of each document that was read from a file."""
        with self._translated():
            yield from self._db.execute("SELECT id, key, origin FROM documents WHERE origin != ''").fetchall()

    # Searching

    @_translating
    def matching_contexts(self, where: Mapping[str, Any]) -> IntArray:
        """Ids, rising, of the contexts whose document's metadata fits."""
        condition, parameters = _condition(where)
        rows = self._db.execute(
            f"SELECT id FROM contexts WHERE document_id IN (SELECT id FROM documents WHERE {condition}) ORDER BY id",
            parameters,
        )
        return np.fromiter((row[0] for row in rows), np.int64)

    @_translating
    def search_text(
        self, words: Sequence[str], limit: int, where: Mapping[str, Any] | None = None
    ) -> list[tuple[int, float]]:
        """Contexts that hold any of the words, best first, with their BM25 score (higher is better).

        Args:
            words: runs of letters and digits; see `words_of`.
            limit: most contexts to return.
            where: only documents with these metadata.
        """
        if not words:
            return []
        match = " OR ".join(f'"{word}"' for word in words)
        condition, parameters = _condition(where)
        filtered = ""
        if where:
            filtered = (
                "AND rowid IN (SELECT id FROM contexts WHERE document_id IN "
                f"(SELECT id FROM documents WHERE {condition}))"
            )
        rows = self._db.execute(
            f"SELECT rowid, -bm25(contexts_fts, {COLUMN_WEIGHTS}) AS score FROM contexts_fts "
            f"WHERE contexts_fts MATCH :match {filtered} ORDER BY score DESC, rowid LIMIT :limit",
            {**parameters, "match": match, "limit": limit},
        )
        return [(row[0], row[1]) for row in rows]

    @_translating
    def contexts(self, ids: Iterable[int]) -> dict[int, StoredContext]:
        """Contexts by id, with their documents; ids that are not there are left out."""
        wanted = list(ids)
        found: dict[int, StoredContext] = {}
        for some in _chunks(wanted):
            marks = ",".join("?" * len(some))
            spans: dict[int, list[Sentence]] = {}
            for row in self._db.execute(
                f'SELECT context_id, "start", "end" FROM sentences WHERE context_id IN ({marks}) '
                "ORDER BY context_id, ordinal",
                some,
            ):
                spans.setdefault(row[0], []).append(Sentence(row[1], row[2]))
            for row in self._db.execute(
                'SELECT c.id, d.id, c."start", c."end", c.page, c.headings, c.text, d.source, d.title, d.metadata '
                f"FROM contexts c JOIN documents d ON d.id = c.document_id WHERE c.id IN ({marks})",
                some,
            ):
                found[row[0]] = StoredContext(
                    context_id=row[0],
                    document_id=row[1],
                    start=row[2],
                    end=row[3],
                    page=row[4],
                    headings=tuple(row[5].split(_HEADING_SEPARATOR)) if row[5] else (),
                    text=row[6],
                    sentences=tuple(spans.get(row[0], ())),
                    source=row[7],
                    title=row[8],
                    metadata=json.loads(row[9]),
                )
        return found

    # Vectors, for the vector index

    def vectors_since(self, generation: int, dim: int) -> Iterator[StoredVectors]:
        """Vectors of the contexts added after a generation, ids rising."""
        with self._translated():
            rows = self._db.execute(
                "SELECT context_id, data FROM vectors WHERE context_id IN "
                "(SELECT id FROM contexts WHERE generation > ?) ORDER BY context_id",
                [generation],
            )
            for context_id, data in rows:
                if len(data) % (dim * STORED.itemsize):
                    raise DamagedIndexError(f"{self._path}: the vectors of context {context_id} are damaged")
                yield StoredVectors(context_id, np.frombuffer(data, STORED).reshape(-1, dim))

    @_translating
    def removed_since(self, generation: int) -> IntArray:
        """Ids, rising, of the contexts removed after a generation."""
        rows = self._db.execute("SELECT context_id FROM removed WHERE generation > ? ORDER BY context_id", [generation])
        return np.fromiter((row[0] for row in rows), np.int64)

    # Care

    def check(self) -> list[str]:
        """What is wrong with the file; empty for nothing. Reads all of it, so it takes a while."""
        try:
            findings = [row[0] for row in self._db.execute("PRAGMA integrity_check(5)")]
            findings += [
                f"a row of {row[0]} belongs to nothing" for row in self._db.execute("PRAGMA foreign_key_check")
            ]
            self._db.execute("INSERT INTO contexts_fts (contexts_fts, rank) VALUES ('integrity-check', 1)")
        except sqlite3.Error as error:
            return [f"the catalog: {error}"]
        return [f"the catalog: {finding}" for finding in findings if finding != "ok"]

    @_translating
    def shrink(self) -> None:
        """Give back the space of what was deleted, and leave nothing of it in the file or its log."""
        self._db.execute("INSERT INTO contexts_fts (contexts_fts) VALUES ('optimize')")
        self._db.execute("VACUUM")
        self.truncate_log()

    @_translating
    def truncate_log(self) -> None:
        """Move the write-ahead log into the file, as far as readers let it."""
        self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def words_of(question: str) -> list[str]:
    """The different words of a question, lower-cased: letters and digits only, so that none can be an operator."""
    return list(dict.fromkeys(word.lower() for word in _WORDS.findall(question)))


def _connect(path: Path, read_only: bool, journal: str | None = None) -> sqlite_utils.Database:
    """Open a connection that may pass between threads and leaves transactions to us."""
    if read_only:
        connection = _connect_read_only(path)
    else:
        connection = sqlite3.connect(path, timeout=30.0, isolation_level=None, check_same_thread=False)
    db = sqlite_utils.Database(connection, execute_plugins=False)
    if not read_only:
        db.execute("PRAGMA synchronous = FULL")
        if journal:
            db.execute(f"PRAGMA journal_mode = {journal}")
    db.execute("PRAGMA foreign_keys = ON")
    return db


def _connect_read_only(path: Path) -> sqlite3.Connection:
    """Open for reading only; in a folder that cannot be written, too.

    SQLite cannot read a write-ahead log without writing to the folder. Where the folder is read-only there is no writer
    either, so the file may be taken as unchanging.
    """
    uri = path.absolute().as_uri()
    connection = sqlite3.connect(
        f"{uri}?mode=ro", uri=True, timeout=30.0, isolation_level=None, check_same_thread=False
    )
    try:
        connection.execute("SELECT 1 FROM sqlite_master").fetchone()
    except sqlite3.OperationalError:
        connection.close()
        log = path.with_name(path.name + "-wal")
        if log.exists() and log.stat().st_size:
            raise
        connection = sqlite3.connect(
            f"{uri}?mode=ro&immutable=1", uri=True, isolation_level=None, check_same_thread=False
        )
    return connection


def _translate(error: sqlite3.DatabaseError, path: Path) -> StoreError:
    text = str(error)
    code = getattr(error, "sqlite_errorname", "")
    if code.startswith("SQLITE_FULL") or (code.startswith("SQLITE_IOERR") and "disk" in text):
        return StoreError(
            f"no space left, or the disk failed, while writing to {path.parent}: {text}; "
            "the index is as it was after the last commit"
        )
    if code.startswith("SQLITE_READONLY"):
        return StoreError(f"{path.parent} cannot be written to: {text}")
    if code.startswith("SQLITE_CANTOPEN"):
        return StoreError(f"{path} cannot be opened: {text}")
    if code.startswith("SQLITE_BUSY"):
        return StoreError(f"{path} is in use by another program: {text}")
    return DamagedIndexError(f"{path} is damaged: {text}; restore the folder from a backup")


def _condition(where: Mapping[str, Any] | None) -> tuple[str, dict[str, Any]]:
    """SQL over ``documents`` that is true where each key of the metadata has the wanted value.

    A value is a string, a number, a boolean or None, or ``{"$in": [values]}`` for any of several.

    Raises:
        ArgumentError: something else is asked for.
    """
    terms: list[str] = []
    parameters: dict[str, Any] = {}
    for key, wanted in (where or {}).items():
        values = wanted
        if isinstance(wanted, Mapping):
            if list(wanted) != ["$in"] or not isinstance(wanted["$in"], list | tuple):
                raise ArgumentError(f'where: {key!r} takes a value or {{"$in": [values]}}, not {wanted!r}')
            values = wanted["$in"]
        else:
            values = [wanted]
        name = f"key{len(terms)}"
        parameters[name] = key
        alternatives = []
        for value in values:
            match value:
                case None | True | False:
                    alternatives.append(f"type = '{json.dumps(value)}'")
                    continue
                case str():
                    types = "('text')"
                case int() | float():
                    types = "('integer', 'real')"
                case _:
                    raise ArgumentError(f"where: {key!r} cannot be compared with {value!r}")
            place = f"value{len(parameters)}"
            parameters[place] = value
            alternatives.append(f"type IN {types} AND value = :{place}")
        either = " OR ".join(f"({alternative})" for alternative in alternatives) or "0"
        terms.append(f"EXISTS (SELECT 1 FROM json_each(documents.metadata) WHERE key = :{name} AND ({either}))")
    return " AND ".join(terms) or "1", parameters


def _chunks(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    for first in range(0, len(ids), MAX_VARIABLES):
        yield ids[first : first + MAX_VARIABLES]
