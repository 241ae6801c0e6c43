"""Documents, contexts and sentences, read row by row; each row is held against its checksum."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ctxsearch.catalog.connection import translating
from ctxsearch.catalog.schema import HEADING_SEPARATOR, checksum
from ctxsearch.catalog.vectors import Vectors, chunks
from ctxsearch.layout import untrusted
from ctxsearch.records import Heading, KnownDocument, Sentence, WholeContext, WholeDocument, sentence_texts


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


DOCUMENT = (
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
CONTEXT = ("id", "document_id", '"start"', '"end"', "page", "tokens", "title", "headings", "text")


class Rows(Vectors):
    """Documents and what belongs to them, by row."""

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
    def known_document(self, document_id: int) -> KnownDocument:
        """What is known of the document of an id.

        Raises:
            DamagedIndexError: there is none, or its row is not what was written.
        """
        return _known([self._document_row(document_id)[name] for name in _KNOWN])

    def _document_row(self, document_id: int) -> dict[str, Any]:
        """The row of a document, checked; a column that its format does not have is None."""
        columns = [name if self.format > 1 or name != "headings" else "NULL" for name in DOCUMENT]
        expected = "checksum" if self.format > 1 else "NULL"
        query = f"SELECT {', '.join(columns)}, {expected} FROM documents WHERE id = ?"
        row = self._db.execute(query, [document_id]).fetchone()
        if row is None or not _is_document(row[:-1]) or (self.format > 1 and row[-1] != checksum(*row[:-1])):
            raise self._damaged("document", document_id)
        return dict(zip(DOCUMENT, row[:-1], strict=True))

    @translating
    def documents_of(self, origin: str) -> list[KnownDocument]:
        """What is known of the documents that were read from a file, ids rising."""
        query = f"SELECT {', '.join(_KNOWN)} FROM documents WHERE origin = ? ORDER BY id"
        return [_known(row) for row in self._db.execute(query, [origin])]

    @translating
    def find_documents(self, name: str) -> list[int]:
        """Ids of the documents of that source, origin or key."""
        if not name:  # the origin of all documents that came from no file
            return []
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
        row = self._document_row(document_id)
        contexts = self._whole_contexts(document_id, dim, context_ids)
        end = 0
        for context in contexts:
            if context.start != end or len(context.text) != context.end - context.start:
                raise self._damaged("document", document_id)
            end = context.end
        if end != row["characters"]:
            raise self._damaged("document", document_id)
        try:
            kept = None if row["headings"] is None else tuple(map(_heading, untrusted.parse_json(row["headings"])))
        except (ValueError, TypeError) as error:
            raise self._damaged("document", document_id) from error
        return WholeDocument(
            document_id=row["id"],
            key=row["key"],
            source=row["source"],
            origin=row["origin"],
            title=row["title"],
            metadata=self._metadata(document_id, row["metadata"]),
            content_hash=row["content_hash"],
            headings=kept,
            ingested_at=row["ingested_at"],
            contexts=tuple(contexts),
        )

    def _whole_contexts(self, document_id: int, dim: int, ids: Sequence[int] | None) -> list[WholeContext]:
        last = ", c.checksum, v.checksum" if self.format > 1 else ", NULL, NULL"
        query = (
            f"SELECT {', '.join('c.' + name for name in CONTEXT)}, v.data{last} FROM contexts c "
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
            if not _is_context(row, sentences) or (self.format > 1 and expected != checksum(*row, sentences)):
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
    def documents_of_contexts(self, context_ids: Sequence[int]) -> dict[int, int]:
        """The id of each context's document; ids of contexts that are not there are left out."""
        found: dict[int, int] = {}
        for some in chunks(context_ids):
            query = f"SELECT id, document_id FROM contexts WHERE id IN ({','.join('?' * len(some))})"
            found.update(self._db.execute(query, some))
        return found

    @translating
    def contexts(self, ids: Iterable[int]) -> dict[int, StoredContext]:
        """Contexts by id, with their documents; ids that are not there are left out.

        Raises:
            DamagedIndexError: a row is not what was written.
        """
        wanted = list(ids)
        found: dict[int, StoredContext] = {}
        for some in chunks(wanted):
            spans = self._spans(some)
            for *row, expected, expected_document in self._db.execute(_shown(self.format, len(some)), some):
                context, document = row[: len(CONTEXT)], row[len(CONTEXT) :]
                sentences = tuple(spans.get(row[0], ()))
                if not _is_context(context, sentences) or (
                    self.format > 1 and expected != checksum(*context, sentences)
                ):
                    raise self._damaged("context", row[0])
                if not _is_document(document) or (self.format > 1 and expected_document != checksum(*document)):
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
                    metadata=self._metadata(document[0], document[5]),
                )
        return found

    def sentences(self, ids: Sequence[int]) -> Iterator[tuple[int, list[str]]]:
        """The text of each sentence of contexts, by id; ids that are not there are left out.

        Raises:
            DamagedIndexError: a row is not what was written.
        """
        expected = "checksum" if self.format > 1 else "NULL"
        for some in chunks(ids):
            spans = self._spans(some)
            for *row, written in self._db.execute(
                f"SELECT {', '.join(CONTEXT)}, {expected} FROM contexts WHERE id IN ({','.join('?' * len(some))})",
                some,
            ):
                own = tuple(spans.get(row[0], ()))
                if not _is_context(row, own) or (self.format > 1 and written != checksum(*row, own)):
                    raise self._damaged("context", row[0])
                yield row[0], sentence_texts(row[8], row[2], own)

    def _spans(self, context_ids: Sequence[int]) -> dict[int, list[Sentence]]:
        spans: dict[int, list[Sentence]] = {}
        for some in chunks(context_ids):
            for row in self._db.execute(
                f'SELECT context_id, "start", "end" FROM sentences WHERE context_id IN ({",".join("?" * len(some))}) '
                "ORDER BY context_id, ordinal",
                some,
            ):
                spans.setdefault(row[0], []).append(Sentence(row[1], row[2]))
        return spans


@functools.lru_cache(maxsize=64)
def _shown(version: int, count: int) -> str:
    """The query for so many contexts with their documents, in a catalog of a version of the format."""
    checksums = "c.checksum, d.checksum" if version > 1 else "NULL, NULL"
    document = ("NULL" if name == "headings" and version == 1 else f"d.{name}" for name in DOCUMENT)
    columns = ", ".join([*(f"c.{name}" for name in CONTEXT), *document])
    return (
        f"SELECT {columns}, {checksums} FROM contexts c JOIN documents d ON d.id = c.document_id "
        f"WHERE c.id IN ({','.join('?' * count)})"
    )


def _known(row: Sequence[Any]) -> KnownDocument:
    try:
        metadata = untrusted.parse_json(row[_KNOWN.index("metadata")])
    except (ValueError, TypeError):  # damaged: then it is not what any document has
        metadata = {}
    return KnownDocument(*row)._replace(metadata=metadata if isinstance(metadata, dict) else {})


def _is_document(row: Sequence[Any]) -> bool:
    """Whether a row has the types that a document's has. A checksum says that it is what was written, not by whom."""
    document_id, key, source, origin, title, metadata, content_hash, characters, headings, ingested_at = row
    texts = (key, source, origin, title, metadata, content_hash, ingested_at, headings or "")
    return type(document_id) is type(characters) is int and all(type(text) is str for text in texts)


def _is_context(row: Sequence[Any], sentences: Sequence[Sentence]) -> bool:
    """Whether a row has the types that a context's has, its text the length of its span, and its sentences tile it."""
    context_id, document_id, start, end, page, tokens, title, headings, text = row
    numbers = (context_id, document_id, start, end, tokens, page or 0)
    if any(type(number) is not int for number in numbers) or not 0 <= start <= end:
        return False
    if not type(title) is type(headings) is type(text) is str or len(text) != end - start or not sentences:
        return False
    at = start
    for first, last in sentences:
        if type(first) is not int or type(last) is not int or first != at or last < first:
            return False
        at = last
    return bool(at == end)


def _heading(said: Any) -> Heading:
    start, level, title = said
    if type(start) is not int or type(level) is not int or type(title) is not str:
        raise TypeError("not a heading")
    return Heading(start, level, title)


def _context_headings(text: str) -> tuple[str, ...]:
    return tuple(text.split(HEADING_SEPARATOR)) if text else ()
