"""Finding documents and contexts: by metadata, and by words with FTS5."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ctxsearch.catalog.conditions import condition
from ctxsearch.catalog.connection import Connection, translating
from ctxsearch.records import DocumentSummary, IntArray

COLUMN_WEIGHTS = "2.0, 1.0, 1.0"
"""What a word in the title, the headings and the text counts for in BM25."""

_WORDS = re.compile(r"\w+")


class Searching(Connection):
    """Questions that the catalog answers."""

    def documents(self, where: Mapping[str, Any] | None = None) -> Iterator[DocumentSummary]:
        """All documents, in the order of their ids."""
        fits, parameters = condition(where)
        with self.translated():
            rows = self._db.query(
                "SELECT id, source, title, metadata, characters, ingested_at, "
                "(SELECT count(*) FROM contexts WHERE document_id = documents.id) AS contexts "
                f"FROM documents WHERE {fits} ORDER BY id",
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

    @translating
    def matching_contexts(self, where: Mapping[str, Any]) -> IntArray:
        """Ids, rising, of the contexts whose document's metadata fits."""
        fits, parameters = condition(where)
        rows = self._db.execute(
            f"SELECT id FROM contexts WHERE document_id IN (SELECT id FROM documents WHERE {fits}) ORDER BY id",
            parameters,
        )
        return np.fromiter((row[0] for row in rows), np.int64)

    @translating
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
        fits, parameters = condition(where)
        filtered = ""
        if where:
            filtered = (
                f"AND rowid IN (SELECT id FROM contexts WHERE document_id IN (SELECT id FROM documents WHERE {fits}))"
            )
        rows = self._db.execute(
            f"SELECT rowid, -bm25(contexts_fts, {COLUMN_WEIGHTS}) AS score FROM contexts_fts "
            f"WHERE contexts_fts MATCH :match {filtered} ORDER BY score DESC, rowid LIMIT :limit",
            {**parameters, "match": match, "limit": limit},
        )
        return [(row[0], row[1]) for row in rows]


def words_of(question: str) -> list[str]:
    """The different words of a question, lower-cased: letters and digits only, so that none can be an operator."""
    return list(dict.fromkeys(word.lower() for word in _WORDS.findall(question)))
