"""Documents, contexts, sentences and vectors: writing them between `begin` and `commit`, and reading them."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from ctxsearch.catalog.connection import translating
from ctxsearch.catalog.metadata import Metadata
from ctxsearch.catalog.schema import HEADING_SEPARATOR, STORED, checksum
from ctxsearch.errors import DamagedIndexError
from ctxsearch.records import (
    Context,
    Document,
    FloatArray,
    Heading,
    IntArray,
    KnownDocument,
    Sentence,
    WholeContext,
    WholeDocument,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MAX_VARIABLES = 900
"""Below SQLite's lowest limit of parameters in a statement."""

MAX_ID = (1 << 63) - 1
"""The highest id that SQLite knows."""


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


_DOCUMENT = (
    "id",
    "key",
    "source",
    "origin",
    "title",
    "metadata",
    "content_hash",
    "characters",
    "headings",
    "ingested_at",
)
_KNOWN = ("id", "key", "source", "origin", "title", "metadata", "content_hash", "characters")
_CONTEXT = ("id", "document_id", '"start"', '"end"', "page", "tokens", "title", "headings", "text")


class Rows(Metadata):
    """Documents and what belongs to them, by row."""

    # Writing, between `begin` and `commit`

    @translating
    def put_document(self, document: Document, content_hash: str, generation: int) -> int:
        """Add a document without its contexts, or replace one of the same key; returns its id."""
        found = self._db.execute("SELECT id FROM documents WHERE key = ?", [document.key]).fetchone()
        if found is not None:
            self._remove_contexts(int(found[0]), generation)
        return self._put_document_row(
            {
                "id": int(found[0]) if found else self._next_id("documents"),
                "key": document.key,
                "source": document.source,
                "origin": document.origin,
                "title": document.title,
                "metadata": _metadata_text(document.metadata),
                "content_hash": content_hash,
                "characters": len(document.text),
                "headings": _headings_text(document.headings),
                "ingested_at": datetime.now(UTC).isoformat(timespec="seconds"),
            },
            generation,
        )

    @translating
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
        first = self._next_id("contexts")
        self._put_context_rows(
            document_id,
            title,
            [
                WholeContext(
                    context_id=first + i,
                    start=context.start,
                    end=context.end,
                    page=context.page,
                    tokens=context.tokens,
                    headings=context.headings,
                    text=context.text,
                    sentences=context.sentences,
                    rows=rows.astype(STORED),
                )
                for i, (context, rows) in enumerate(zip(contexts, vectors, strict=True))
            ],
            generation,
        )

    @translating
    def put_whole(
        self, document: WholeDocument, generation: int, *, keep_id: bool = True, keep_context_ids: bool = True
    ) -> int:
        """Add a document as it was in another catalog, or replace one of the same key; returns its id.

        Args:
            keep_id: give the document the id that it had; no other may have it.
            keep_context_ids: and its contexts theirs.
        """
        found = self._db.execute("SELECT id FROM documents WHERE key = ?", [document.key]).fetchone()
        if found is not None:
            self._remove_contexts(int(found[0]), generation)
        document_id = int(found[0]) if found else document.document_id if keep_id else self._next_id("documents")
        self._put_document_row(
            {
                "id": document_id,
                "key": document.key,
                "source": document.source,
                "origin": document.origin,
                "title": document.title,
                "metadata": _metadata_text(document.metadata),
                "content_hash": document.content_hash,
                "characters": sum(len(context.text) for context in document.contexts),
                "headings": None if document.headings is None else _headings_text(document.headings),
                "ingested_at": document.ingested_at,
            },
            generation,
        )
        contexts: Iterable[WholeContext] = document.contexts
        if not keep_context_ids:
            first = self._next_id("contexts")
            contexts = [replace(context, context_id=first + i) for i, context in enumerate(document.contexts)]
        self._put_context_rows(document_id, document.title, contexts, generation)
        return document_id

    @translating
    def put_facts(self, document_id: int, document: Document, content_hash: str, generation: int) -> None:
        """Give a document another name, title or metadata; its text, headings and pages are what they were."""
        title, headings, characters = self._db.execute(
            "SELECT title, headings, characters FROM documents WHERE id = ?", [document_id]
        ).fetchone()
        if title != document.title:
            self._put_title(document_id, document.title)
        self._put_document_row(
            {
                "id": document_id,
                "key": document.key,
                "source": document.source,
                "origin": document.origin,
                "title": document.title,
                "metadata": _metadata_text(document.metadata),
                "content_hash": content_hash,
                "characters": characters,
                "headings": headings,
                "ingested_at": datetime.now(UTC).isoformat(timespec="seconds"),
            },
            generation,
        )

    def _put_title(self, document_id: int, title: str) -> None:
        """Write the title anew that contexts have for full text search."""
        query = f"SELECT {', '.join(_CONTEXT)}, checksum FROM contexts WHERE document_id = ?"
        rows = self._db.execute(query, [document_id]).fetchall()
        spans = self._spans([row[0] for row in rows])
        at = _CONTEXT.index("title")
        for *row, expected in rows:
            sentences = tuple(spans.get(row[0], ()))
            if expected != checksum(*row, sentences):
                raise self._damaged("context", row[0])
            row[at] = title
            self._db.execute(
                "UPDATE contexts SET title = ?, checksum = ? WHERE id = ?", [title, checksum(*row, sentences), row[0]]
            )

    @translating
    def delete_document(self, document_id: int, generation: int) -> None:
        """Remove a document and all that belongs to it."""
        self._remove_contexts(document_id, generation)
        self._drop_values(document_id)
        self._db.execute("DELETE FROM documents WHERE id = ?", [document_id])

    @translating
    def forget_removed(self, generation: int) -> None:
        """Drop the notes about contexts removed up to a generation that no reader needs to follow from."""
        self._db.execute("DELETE FROM removed WHERE generation <= ?", [generation])

    @translating
    def sequences(self) -> dict[str, int]:
        """The highest ids ever given, by table."""
        return {row[0]: int(row[1]) for row in self._db.execute("SELECT name, seq FROM sqlite_sequence")}

    @translating
    def raise_sequences(self, sequences: Mapping[str, int]) -> None:
        """Give no id again that was given in another catalog of this index."""
        own = self.sequences()
        for table, seq in sequences.items():
            if table not in own:
                self._db.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", [table, seq])
            elif seq > own[table]:
                self._db.execute("UPDATE sqlite_sequence SET seq = ? WHERE name = ?", [seq, table])

    def _put_document_row(self, row: dict[str, Any], generation: int) -> int:
        self._drop_values(row["id"])
        self._put_values(row["id"], row)
        row = {**row, "generation": generation, "checksum": checksum(*(row[name] for name in _DOCUMENT))}
        names = ", ".join(row)
        updates = ", ".join(f"{name} = excluded.{name}" for name in row if name != "id")
        self._db.execute(
            f"INSERT INTO documents ({names}) VALUES ({','.join('?' * len(row))}) "
            f"ON CONFLICT (id) DO UPDATE SET {updates}",
            list(row.values()),
        )
        return int(row["id"])

    def _put_context_rows(
        self, document_id: int, title: str, contexts: Iterable[WholeContext], generation: int
    ) -> None:
        several = list(contexts)
        for c in several:
            headings = HEADING_SEPARATOR.join(c.headings)
            row = [c.context_id, document_id, c.start, c.end, c.page, c.tokens, title, headings, c.text]
            self._db.execute(
                f"INSERT INTO contexts ({', '.join(_CONTEXT)}, generation, checksum) VALUES (?,?,?,?,?,?,?,?,?,?,?)",
                [*row, generation, checksum(*row, c.sentences)],
            )
        self._db.executemany(
            "INSERT INTO sentences VALUES (?, ?, ?, ?)",
            (
                (c.context_id, ordinal, sentence.start, sentence.end)
                for c in several
                for ordinal, sentence in enumerate(c.sentences)
            ),
        )
        self._db.executemany(
            "INSERT INTO vectors VALUES (?, ?, ?)",
            (
                (c.context_id, data, _vector_checksum(c.context_id, data))
                for c in several
                for data in [c.rows.tobytes()]
            ),
        )

    def _remove_contexts(self, document_id: int, generation: int) -> None:
        below = "SELECT id FROM contexts WHERE document_id = ?"
        self._db.execute(f"INSERT INTO removed SELECT id, ? FROM ({below})", [generation, document_id])
        for table in ("sentences", "vectors"):
            self._db.execute(f"DELETE FROM {table} WHERE context_id IN ({below})", [document_id])
        self._db.execute("DELETE FROM contexts WHERE document_id = ?", [document_id])

    def _next_id(self, table: str) -> int:
        """Ids rise for ever: that of a deleted row is not given again."""
        row = self._db.execute("SELECT seq FROM sqlite_sequence WHERE name = ?", [table]).fetchone()
        return int(row[0]) + 1 if row else 1

    # Documents

    @translating
    def content_hash(self, key: str) -> str | None:
        """Hash of the document's content, or None for an unknown key."""
        row = self._db.execute("SELECT content_hash FROM documents WHERE key = ?", [key]).fetchone()
        return row[0] if row else None

    @translating
    def known(self, key: str) -> KnownDocument | None:
        """What is known of the document of a key."""
        row = self._db.execute(f"SELECT {', '.join(_KNOWN)} FROM documents WHERE key = ?", [key]).fetchone()
        return _known(row) if row else None

    @translating
    def documents_of(self, origin: str) -> list[KnownDocument]:
        """What is known of the documents that were read from a file, ids rising."""
        query = f"SELECT {', '.join(_KNOWN)} FROM documents WHERE origin = ? ORDER BY id"
        return [_known(row) for row in self._db.execute(query, [origin])]

    @translating
    def find_documents(self, name: str) -> list[int]:
        """Ids of the documents of that source, origin or key."""
        rows = self._db.execute(
            "SELECT id FROM documents WHERE source = :name OR origin = :name OR key = :name ORDER BY id",
            {"name": name},
        )
        return [row[0] for row in rows]

    @translating
    def has_document(self, document_id: int) -> bool:
        """Whether there is a document of that id."""
        return self._db.execute("SELECT 1 FROM documents WHERE id = ?", [document_id]).fetchone() is not None

    @translating
    def document_text(self, document_id: int) -> str:
        """The text of a document, letter for letter."""
        rows = self._db.execute('SELECT text FROM contexts WHERE document_id = ? ORDER BY "start"', [document_id])
        return "".join(row[0] for row in rows)

    def origins(self) -> Iterator[tuple[int, str, str]]:
        """Id, key and origin of each document that was read from a file."""
        with self.translated():
            yield from self._db.execute("SELECT id, key, origin FROM documents WHERE origin != ''").fetchall()

    @translating
    def identities(self) -> list[tuple[int, str, str]]:
        """Id, key and content hash of every document, ids rising."""
        return self._db.execute("SELECT id, key, content_hash FROM documents ORDER BY id").fetchall()

    @translating
    def whole_document(self, document_id: int, dim: int, context_ids: Sequence[int] | None = None) -> WholeDocument:
        """A document with everything that belongs to it, each row checked.

        Args:
            document_id: its id.
            dim: length of a vector.
            context_ids: its contexts, where the index that finds them may be damaged.

        Raises:
            DamagedIndexError: something of it is missing or damaged.
        """
        columns = ", ".join(_DOCUMENT if self.format > 1 else [n if n != "headings" else "NULL" for n in _DOCUMENT])
        row = self._db.execute(f"SELECT {columns} FROM documents WHERE id = ?", [document_id]).fetchone()
        if row is None:
            raise self._damaged("document", document_id)
        if self.format > 1:
            (expected,) = self._db.execute("SELECT checksum FROM documents WHERE id = ?", [document_id]).fetchone()
            if expected != checksum(*row):
                raise self._damaged("document", document_id)
        contexts = self._whole_contexts(document_id, dim, context_ids)
        end = 0
        for context in contexts:
            if context.start != end or len(context.text) != context.end - context.start:
                raise self._damaged("document", document_id)
            end = context.end
        if end != row[7]:
            raise self._damaged("document", document_id)
        kept = None if row[8] is None else tuple(Heading(*heading) for heading in json.loads(row[8]))
        return WholeDocument(
            document_id=row[0],
            key=row[1],
            source=row[2],
            origin=row[3],
            title=row[4],
            metadata=json.loads(row[5]),
            content_hash=row[6],
            headings=kept,
            ingested_at=row[9],
            contexts=tuple(contexts),
        )

    def _whole_contexts(self, document_id: int, dim: int, ids: Sequence[int] | None) -> list[WholeContext]:
        last = ", c.checksum, v.checksum" if self.format > 1 else ", NULL, NULL"
        query = (
            f"SELECT {', '.join('c.' + name for name in _CONTEXT)}, v.data{last} FROM contexts c "
            "LEFT JOIN vectors v ON v.context_id = c.id"
        )
        if ids is None:
            rows = self._db.execute(f'{query} WHERE c.document_id = ? ORDER BY c."start"', [document_id]).fetchall()
        else:
            rows = [row for one in ids for row in self._db.execute(f"{query} WHERE c.id = ?", [one])]
            rows.sort(key=lambda row: row[2])
        spans = self._spans([row[0] for row in rows])
        found = []
        for *row, data, expected, expected_vectors in rows:
            sentences = tuple(spans.get(row[0], ()))
            if self.format > 1 and expected != checksum(*row, sentences):
                raise self._damaged("context", row[0])
            rows_of_context = self._vectors(row[0], data, expected_vectors, dim)
            found.append(
                WholeContext(
                    context_id=row[0],
                    start=row[2],
                    end=row[3],
                    page=row[4],
                    tokens=row[5],
                    headings=_context_headings(row[7]),
                    text=row[8],
                    sentences=sentences,
                    rows=rows_of_context,
                )
            )
        return found

    # Contexts

    @translating
    def contexts(self, ids: Iterable[int]) -> dict[int, StoredContext]:
        """Contexts by id, with their documents; ids that are not there are left out.

        Raises:
            DamagedIndexError: a row is not what was written.
        """
        wanted = list(ids)
        found: dict[int, StoredContext] = {}
        checksums = ", c.checksum, d.checksum" if self.format > 1 else ", NULL, NULL"
        document = [name if name != "headings" or self.format > 1 else "NULL" for name in _DOCUMENT]
        columns = [*("c." + name for name in _CONTEXT), *(n if n == "NULL" else "d." + n for n in document)]
        for some in _chunks(wanted):
            spans = self._spans(some)
            for *row, expected, expected_document in self._db.execute(
                f"SELECT {', '.join(columns)}{checksums} "
                f"FROM contexts c JOIN documents d ON d.id = c.document_id WHERE c.id IN ({','.join('?' * len(some))})",
                some,
            ):
                context, document = row[: len(_CONTEXT)], row[len(_CONTEXT) :]
                sentences = tuple(spans.get(row[0], ()))
                if self.format > 1 and expected != checksum(*context, sentences):
                    raise self._damaged("context", row[0])
                if self.format > 1 and expected_document != checksum(*document):
                    raise self._damaged("document", document[0])
                found[row[0]] = StoredContext(
                    context_id=context[0],
                    document_id=context[1],
                    start=context[2],
                    end=context[3],
                    page=context[4],
                    headings=_context_headings(context[7]),
                    text=context[8],
                    sentences=sentences,
                    source=document[2],
                    title=document[4],
                    metadata=json.loads(document[5]),
                )
        return found

    def sentences(self, ids: Sequence[int]) -> Iterator[tuple[int, list[str]]]:
        """The text of each sentence of contexts, by id; ids that are not there are left out.

        Raises:
            DamagedIndexError: a row is not what was written.
        """
        expected = "checksum" if self.format > 1 else "NULL"
        for some in _chunks(ids):
            spans = self._spans(some)
            for *row, written in self._db.execute(
                f"SELECT {', '.join(_CONTEXT)}, {expected} FROM contexts WHERE id IN ({','.join('?' * len(some))})",
                some,
            ):
                own = tuple(spans.get(row[0], ()))
                if self.format > 1 and written != checksum(*row, own):
                    raise self._damaged("context", row[0])
                first, text = row[2], row[8]
                yield row[0], [text[start - first : end - first] for start, end in own]

    def _spans(self, context_ids: Sequence[int]) -> dict[int, list[Sentence]]:
        spans: dict[int, list[Sentence]] = {}
        for some in _chunks(context_ids):
            for row in self._db.execute(
                f'SELECT context_id, "start", "end" FROM sentences WHERE context_id IN ({",".join("?" * len(some))}) '
                "ORDER BY context_id, ordinal",
                some,
            ):
                spans.setdefault(row[0], []).append(Sentence(row[1], row[2]))
        return spans

    # Vectors, for the vector index

    @translating
    def contexts_since(self, generation: int) -> tuple[int, int]:
        """The lowest id of the contexts added after a generation, and how many they are; 0 and 0 for none."""
        query = "SELECT min(id), count(*) FROM contexts WHERE generation > ?"
        first, contexts = self._db.execute(query, [generation]).fetchone()
        return int(first or 0), int(contexts)

    @translating
    def extent(self, first: int, last: int | None, dim: int) -> tuple[int, int, int, int]:
        """Of the contexts with vectors in a range of ids: the lowest and the highest, how many, and their rows."""
        import numpy as np

        lowest, highest, contexts, size = self._db.execute(
            "SELECT min(context_id), max(context_id), count(*), sum(length(data)) FROM vectors "
            "WHERE context_id >= ? AND context_id <= ?",
            [first, last if last is not None else MAX_ID],
        ).fetchone()
        return int(lowest or 0), int(highest or 0), int(contexts), int(size or 0) // (dim * np.dtype(STORED).itemsize)

    def vectors_from(self, first: int, dim: int, last: int | None = None) -> Iterator[StoredVectors]:
        """Vectors of the contexts in a range of ids, rising.

        Raises:
            DamagedIndexError: a row is not what was written.
        """
        column = "checksum" if self.format > 1 else "NULL"
        with self.translated():
            for context_id, data, expected in self._db.execute(
                f"SELECT context_id, data, {column} FROM vectors WHERE context_id >= ? AND context_id <= ? "
                "ORDER BY context_id",
                [first, last if last is not None else MAX_ID],
            ):
                yield StoredVectors(context_id, self._vectors(context_id, data, expected, dim))

    def vectors_of(self, ids: Sequence[int], dim: int) -> Iterator[StoredVectors]:
        """Vectors of contexts by id; those that are not there are left out.

        Raises:
            DamagedIndexError: a row is not what was written.
        """
        column = "checksum" if self.format > 1 else "NULL"
        for some in _chunks(ids):
            with self.translated():
                rows = self._db.execute(
                    f"SELECT context_id, data, {column} FROM vectors WHERE context_id IN ({','.join('?' * len(some))})",
                    some,
                ).fetchall()
            for context_id, data, expected in rows:
                yield StoredVectors(context_id, self._vectors(context_id, data, expected, dim))

    @translating
    def removed_since(self, generation: int) -> IntArray:
        """Ids, rising, of the contexts removed after a generation."""
        import numpy as np

        rows = self._db.execute("SELECT context_id FROM removed WHERE generation > ? ORDER BY context_id", [generation])
        return np.fromiter((row[0] for row in rows), np.int64)

    def _vectors(self, context_id: int, data: bytes | None, expected: int | None, dim: int) -> NDArray[np.float16]:
        import numpy as np

        if not data or len(data) % (dim * np.dtype(STORED).itemsize):
            raise self._damaged("vectors of context", context_id)
        if self.format > 1 and expected != _vector_checksum(context_id, data):
            raise self._damaged("vectors of context", context_id)
        return np.frombuffer(data, STORED).reshape(-1, dim)

    def _damaged(self, what: str, row_id: int) -> DamagedIndexError:
        return self.damage(f"{what} {row_id} is damaged")


def _known(row: Sequence[Any]) -> KnownDocument:
    try:
        metadata = json.loads(row[_KNOWN.index("metadata")])
    except (ValueError, RecursionError):  # damaged: then it is not what any document has
        metadata = {}
    return KnownDocument(*row)._replace(metadata=metadata)


def _vector_checksum(context_id: int, data: bytes) -> int:
    return zlib.crc32(data, context_id & 0xFFFFFFFF)


def _metadata_text(metadata: Mapping[str, Any]) -> str:
    return json.dumps(dict(metadata), ensure_ascii=False, sort_keys=True)


def _headings_text(headings: Sequence[Heading]) -> str:
    return json.dumps([[heading.start, heading.level, heading.title] for heading in headings], ensure_ascii=False)


def _context_headings(text: str) -> tuple[str, ...]:
    return tuple(text.split(HEADING_SEPARATOR)) if text else ()


def _chunks(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    for first in range(0, len(ids), MAX_VARIABLES):
        yield ids[first : first + MAX_VARIABLES]
