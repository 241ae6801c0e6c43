"""Documents and what belongs to them, written between `begin` and `commit`; each row with its checksum."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ctxsearch import arguments
from ctxsearch.catalog.connection import SEARCHED, translating
from ctxsearch.catalog.rows import CONTEXT, DOCUMENT
from ctxsearch.catalog.schema import HEADING_SEPARATOR, STORED, WORDS, checksum
from ctxsearch.catalog.sentences import Sentences
from ctxsearch.catalog.vectors import data_checksum
from ctxsearch.records import Context, Document, Heading, WholeContext, WholeDocument, sentence_texts
from ctxsearch.terms import search_text

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MAX_GIVEN = 1 << 62
"""Highest id that is given."""

_COLUMNS = (*DOCUMENT, "generation", "checksum")
_PUT_DOCUMENT = (
    f"INSERT INTO documents ({', '.join(_COLUMNS)}) VALUES ({', '.join(':' + name for name in _COLUMNS)}) "
    f"ON CONFLICT (id) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in _COLUMNS[1:])}"
)
_PUT_CONTEXT = f"INSERT INTO contexts ({', '.join(CONTEXT)}, generation, checksum) VALUES (?,?,?,?,?,?,?,?,?,?,?)"


class Writing(Sentences):
    """Changes to documents, contexts and ids."""

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
    def put_contexts(self, document_id: int, title: str, contexts: Sequence[Context], generation: int) -> range:
        """Add contexts of a document, whose vectors are to follow; returns their ids."""
        first = self._next_id("contexts")
        ids = range(first, first + len(contexts))
        self._put_context_rows(document_id, title, zip(ids, contexts, strict=True), generation)
        return ids

    @translating
    def put_vectors(self, context_ids: Iterable[int], vectors: Iterable[NDArray[np.floating]]) -> None:
        """Add the vectors of contexts.

        Args:
            vectors: for each context its rows, of shape (1 + sentences, dim); they are rounded to what is kept.
        """
        data = (rows.astype(STORED, copy=False).tobytes() for rows in vectors)
        numbered = zip(context_ids, data, strict=True)
        self._db.executemany(
            "INSERT INTO vectors VALUES (?, ?, ?)",
            ((context_id, own, data_checksum(context_id, own)) for context_id, own in numbered),
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
        first = self._next_id("contexts")
        ids = [c.context_id if keep_context_ids else first + i for i, c in enumerate(document.contexts)]
        self._put_context_rows(document_id, document.title, zip(ids, document.contexts, strict=True), generation)
        self.put_vectors(ids, (context.rows for context in document.contexts))
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

    @translating
    def put_metadata(self, document_id: int, metadata: Mapping[str, Any], content_hash: str, generation: int) -> None:
        """Give a document other metadata; nothing else of it changes.

        Raises:
            DamagedIndexError: its row is not what was written.
        """
        row = self._document_row(document_id)
        changed = {"metadata": _metadata_text(metadata), "content_hash": content_hash}
        self._put_document_row({**row, **changed}, generation)

    def _put_title(self, document_id: int, title: str) -> None:
        """Write the title anew that contexts have for full text search."""
        query = f"SELECT {', '.join(CONTEXT)}, checksum FROM contexts WHERE document_id = ?"
        rows = self._db.execute(query, [document_id]).fetchall()
        spans = self._spans([row[0] for row in rows])
        at = CONTEXT.index("title")
        for *row, expected in rows:
            sentences = tuple(spans.get(row[0], ()))
            if expected != checksum(*row, sentences):
                raise self._damaged("context", row[0])
            row[at] = title
            if self.searches_folded:
                self._replace_context(row, checksum(*row, sentences))
            else:
                self._db.execute(
                    "UPDATE contexts SET title = ?, checksum = ? WHERE id = ?",
                    [title, checksum(*row, sentences), row[0]],
                )

    def _replace_context(self, row: Sequence[Any], written: int) -> None:
        """Delete a context and insert it anew: full-text search follows."""
        self._db.execute("PRAGMA defer_foreign_keys = ON")  # until the commit: other rows belong to this one
        (generation,) = self._db.execute("SELECT generation FROM contexts WHERE id = ?", row[:1]).fetchone()
        self._db.execute("DELETE FROM contexts WHERE id = ?", row[:1])
        self._db.execute(f"DELETE FROM {SEARCHED} WHERE id = ?", row[:1])
        self._put_searched(row[0], *row[-3:])
        self._db.execute(_PUT_CONTEXT, [*row, generation, written])

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
        row = {**row, "generation": generation, "checksum": checksum(*(row[name] for name in DOCUMENT))}
        self._db.execute(_PUT_DOCUMENT, row)
        return int(row["id"])

    def _put_context_rows(
        self, document_id: int, title: str, contexts: Iterable[tuple[int, Context | WholeContext]], generation: int
    ) -> None:
        numbered = list(contexts)
        for context_id, c in numbered:
            headings = HEADING_SEPARATOR.join(c.headings)
            row = [context_id, document_id, c.start, c.end, c.page, c.tokens, title, headings, c.text]
            if self.searches_folded:
                self._put_searched(context_id, title, headings, c.text)
            self._db.execute(_PUT_CONTEXT, [*row, generation, checksum(*row, c.sentences)])
        self._db.executemany(
            "INSERT INTO sentences VALUES (?, ?, ?, ?)",
            (
                (context_id, ordinal, sentence.start, sentence.end)
                for context_id, c in numbered
                for ordinal, sentence in enumerate(c.sentences)
            ),
        )
        self._put_words((context_id, sentence_texts(c.text, c.start, c.sentences)) for context_id, c in numbered)

    def _put_searched(self, context_id: int, *texts: str) -> None:
        """Write what full-text search is to have instead of a context's title, headings and text, if anything."""
        searched = tuple(map(search_text, texts))
        if searched != texts:
            self._db.execute(f"INSERT INTO {SEARCHED} VALUES (?, ?, ?, ?)", [context_id, *searched])

    def _remove_contexts(self, document_id: int, generation: int) -> None:
        below = "SELECT id FROM contexts WHERE document_id = ?"
        self._db.execute(f"INSERT INTO removed SELECT id, ? FROM ({below})", [generation, document_id])
        for table in ("sentences", "vectors", WORDS):
            self._db.execute(f"DELETE FROM {table} WHERE context_id IN ({below})", [document_id])
        ids = self._db.execute(below, [document_id]).fetchall() if self.searches_folded else ()
        self._db.execute("DELETE FROM contexts WHERE document_id = ?", [document_id])
        self._db.executemany(f"DELETE FROM {SEARCHED} WHERE id = ?", ids)

    def _next_id(self, table: str) -> int:
        """Ids rise for ever: that of a deleted row is not given again."""
        row = self._db.execute("SELECT seq FROM sqlite_sequence WHERE name = ?", [table]).fetchone()
        last = row[0] if row else 0
        if type(last) is not int or not 0 <= last < MAX_GIVEN:
            raise self.damage(f"the last id of {table} is {arguments.shown(last)}")
        return last + 1


_as_json = json.JSONEncoder(ensure_ascii=False, sort_keys=True).encode


def _metadata_text(metadata: Mapping[str, Any]) -> str:
    return _as_json(dict(metadata))


def _headings_text(headings: Sequence[Heading]) -> str:
    return _as_json([[heading.start, heading.level, heading.title] for heading in headings])
