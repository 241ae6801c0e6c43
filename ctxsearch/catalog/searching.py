"""Finding documents and contexts: by metadata, and by words with FTS5."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ctxsearch.catalog.conditions import condition
from ctxsearch.catalog.connection import translating
from ctxsearch.catalog.metadata import Metadata
from ctxsearch.records import DocumentSummary, Filter, IntArray
from ctxsearch.terms import words_of

if TYPE_CHECKING:
    from ctxsearch.catalog.postings import Postings

TITLE_WEIGHT = 2.0
COLUMN_WEIGHTS = f"{TITLE_WEIGHT}, 1.0, 1.0"
"""What a word in the title, the headings and the text counts for in BM25."""

SCORED = 10_000
"""Contexts that one lexical search scores, about. Catalogs up to this size are searched for every word."""

SCORED_PER_HIT = 4
"""Contexts for each that is wanted, up to which all are scored for all words."""

WALKED = 300_000
"""Contexts that a search in which all words are common walks through, summed over its words."""

WORDS_COUNTED = 20_000
"""Words whose number of contexts is kept until the next generation: questions share their common words. About 2 MB."""

_OPERATORS = re.compile('["\0]')
"""What would end a string of FTS5."""


_SUMMARY = [int, str, str, str, int, str, int]


class Statistics:
    """What is known of the words of one generation."""

    postings: Postings | None = None
    """Scores by word; None until there is a second question: whoever asks one has nothing from what is kept."""
    asked = False

    def __init__(self, generation: int, last: int, contexts: int) -> None:
        self.generation = generation
        self.last = last
        """The highest id of a context."""
        self.contexts = contexts
        """How many there are; the highest id where they are more than `SCORED`."""
        self.frequencies: dict[str, int] = {}
        """How many contexts hold a word."""


class Searching(Metadata):
    """Questions that the catalog answers."""

    _matching: tuple[tuple[int, str, str], IntArray] | None = None
    """What `matching_contexts` found last: people filter by the same again and again."""
    _statistics: Statistics | None = None

    def documents(self, where: Filter | None = None, *, after: int = 0) -> Iterator[DocumentSummary]:
        """Documents whose metadata fits, in the order of their ids.

        Args:
            where: which; None for all.
            after: only those with a higher id.
        """
        with self.translated():
            fits, parameters = self._condition(where, "documents.id")
            rows = self._db.execute(
                "SELECT id, source, title, metadata, characters, ingested_at, "
                "(SELECT count(*) FROM contexts WHERE document_id = documents.id) AS contexts "
                f"FROM documents WHERE id > :after AND {fits} ORDER BY id",
                {**parameters, "after": after},
            )
            for row in rows:
                if [type(value) for value in row] != _SUMMARY:
                    raise self._damaged("document", row[0])
                yield DocumentSummary(
                    document_id=row[0],
                    source=row[1],
                    title=row[2],
                    metadata=self._metadata(row[0], row[3]),
                    characters=row[4],
                    ingested_at=row[5],
                    contexts=row[6],
                )

    @translating
    def count_documents(self, where: Filter | None = None) -> int:
        """How many documents there are whose metadata fits."""
        fits, parameters = self._condition(where, "documents.id")
        return int(self._db.execute(f"SELECT count(*) FROM documents WHERE {fits}", parameters).fetchone()[0])

    @translating
    def matching_documents(self, where: Filter) -> list[int]:
        """Ids, rising, of the documents whose metadata fits."""
        fits, parameters = self._condition(where, "documents.id")
        rows = self._db.execute(f"SELECT id FROM documents WHERE {fits} ORDER BY id", parameters)
        return [row[0] for row in rows]

    @translating
    def matching_contexts(self, where: Filter) -> IntArray:
        """Ids, rising, of the contexts whose document's metadata fits; not to be changed."""
        import numpy as np

        fits, parameters = self._condition(where, "document_id")
        asked = self.generation(), fits, repr(parameters)
        if self._matching is None or self._matching[0] != asked:
            # One string of numbers: to take them from SQLite row by row takes more than twice as long.
            query = f"SELECT group_concat(id) FROM contexts WHERE {fits}"
            said = self._db.execute(query, parameters).fetchone()[0]
            found = np.sort(np.fromstring(said or "", np.int64, sep=","))
            found.setflags(write=False)
            self._matching = asked, found
        return self._matching[1]

    @translating
    def search_text(self, words: Sequence[str], limit: int, where: Filter | None = None) -> list[tuple[int, float]]:
        """Contexts that hold any of the words, best first, with their BM25 score (higher is better).

        FTS5 scores every context that matches, at about a microsecond each, so what it said of a word is kept for the
        next question. In a catalog of more than `SCORED` contexts the most common of the words are left out, as far as
        rarer ones are there; if all are common, contexts must hold the rarest of them together. Where even that leaves
        too many, the words tell nothing: the first that hold them all are returned with a score of 0.

        Args:
            words: as `terms.asked_terms` or `terms.words_of` gives them.
            limit: most contexts to return.
            where: only documents with these metadata.
        """
        statistics = self._known_words()
        if words and not where and statistics.asked and 0 < statistics.last <= SCORED:
            return self._search_kept(words, limit, statistics)
        telling = words if where else self._telling(words, limit, statistics)
        found = self._search(telling, limit, where, statistics)
        if len(found) < limit and len(telling) < len(words):
            found = self._search(words, limit, where, statistics)
        statistics.asked = True
        return found

    def _search(
        self, words: Sequence[str], limit: int, where: Filter | None, statistics: Statistics
    ) -> list[tuple[int, float]]:
        chosen = self._rare(words, statistics)
        if chosen and not where and statistics.asked and statistics.last > SCORED:
            from ctxsearch.catalog.postings import best

            return best(self._postings(statistics).of(chosen), limit)
        match, tells = (" OR ".join(map(quoted, chosen)), True) if chosen else self._together(words, statistics)
        if not match:
            self._condition(where, "document_id")  # a condition of no use is an error without any word, too
            return []
        return self._search_match(match, limit, where, tells=tells)

    def _search_match(
        self, match: str, limit: int, where: Filter | None, *, tells: bool = True
    ) -> list[tuple[int, float]]:
        """Contexts that an FTS5 expression matches, best first by BM25; any of them, scored 0, if it tells nothing."""
        fits, parameters = self._condition(where, "document_id")
        score = f"-bm25(contexts_fts, {COLUMN_WEIGHTS})" if tells else "0.0"
        order = "ORDER BY score DESC, rowid" if tells else ""
        filtered = ""
        if where:
            filtered = f"AND EXISTS (SELECT 1 FROM contexts WHERE id = contexts_fts.rowid AND {fits})"
        rows = self._db.execute(
            f"SELECT rowid, {score} AS score FROM contexts_fts "
            f"WHERE contexts_fts MATCH :match {filtered} {order} LIMIT :limit",
            {**parameters, "match": match, "limit": limit},
        )
        return rows.fetchall()

    def _search_kept(self, words: Sequence[str], limit: int, statistics: Statistics) -> list[tuple[int, float]]:
        """The same, in a catalog of which all words' scores may be read and kept."""
        from ctxsearch.catalog.postings import best

        every = self._postings(statistics).of(words)
        telling = every
        if statistics.contexts > SCORED_PER_HIT * limit:
            telling = [one for one in every if 2 * len(one.context_ids) < statistics.contexts] or every
        found = best(telling, limit)
        return found if len(found) >= limit or len(telling) == len(every) else best(every, limit)

    def _postings(self, statistics: Statistics) -> Postings:
        if statistics.postings is None:
            import numpy as np  # here, as both of these need it, and one search by words alone does not

            from ctxsearch.catalog.bm25 import MOST_IDS, Bm25, WordScores
            from ctxsearch.catalog.postings import Postings

            query = f"SELECT rowid, -bm25(contexts_fts, {COLUMN_WEIGHTS}) FROM contexts_fts WHERE contexts_fts MATCH ?"
            tables = Bm25(self._db, statistics.last, TITLE_WEIGHT) if statistics.last < MOST_IDS else None

            def by_fts5(word: str) -> WordScores:
                rows = self._db.execute(query, [quoted(word)]).fetchall()
                return WordScores(np.array([row[0] for row in rows], np.int64), np.array([row[1] for row in rows]))

            def read(words: Sequence[str]) -> list[WordScores]:
                known = tables.of(words) if tables else [None] * len(words)
                return [by_fts5(word) if one is None else one for word, one in zip(words, known, strict=True)]

            statistics.postings = Postings(read)
        return statistics.postings

    def _condition(self, where: Filter | None, column: str) -> tuple[str, dict[str, Any]]:
        """A condition as SQL over a column of document ids.

        Raises:
            ArgumentError: it asks for what no document has.
        """
        if not where:
            return "1", {}
        self._require_values()
        empty = self._db.execute("SELECT NOT EXISTS (SELECT 1 FROM documents)").fetchone()[0]
        return condition(where, column, None if empty else self)

    def _known_words(self) -> Statistics:
        """Those of the generation that is read, kept until there is another."""
        generation = self.generation()
        known = self._statistics
        if known is None or known.generation != generation or len(known.frequencies) > WORDS_COUNTED:
            last = self._db.execute("SELECT max(id) FROM contexts").fetchone()[0] or 0
            contexts = last if last > SCORED else self._db.execute("SELECT count(*) FROM contexts").fetchone()[0]
            known = self._statistics = Statistics(generation, last, contexts)
        return known

    def _telling(self, words: Sequence[str], limit: int, statistics: Statistics) -> Sequence[str]:
        """The words without those that half of the contexts hold, as far as there are others.

        FTS5 gives such a word an inverse document frequency of 0.000001, so it adds 0.0000022 to a score at the most;
        yet most of the contexts are scored for such words alone. Nothing is left out where few contexts are scored.
        """
        if statistics.contexts > SCORED or statistics.contexts <= SCORED_PER_HIT * limit:
            return words
        return [word for word in words if 2 * self._frequency_of(word, statistics) < statistics.contexts] or words

    def _rare(self, words: Sequence[str], statistics: Statistics) -> Sequence[str]:
        """The words whose contexts are scored: all in a small catalog, otherwise the rarest; none if all are common."""
        if statistics.last <= SCORED:
            return words
        chosen: list[str] = []
        total = 0
        for word in self._by_frequency(words, statistics):
            total += self._frequency_of(word, statistics)
            if total > SCORED:
                break
            chosen.append(word)
        return chosen

    def _together(self, words: Sequence[str], statistics: Statistics) -> tuple[str, bool]:
        """An FTS5 expression for common words, empty if none is held; and whether few enough fit to be scored."""
        rarest = self._by_frequency(words, statistics)
        for count in range(1, len(rarest) + 1):
            match = " AND ".join(map(quoted, rarest[:count]))
            # bm25() begins with a walk through all contexts of each word: a word that nearly all have costs too much.
            if sum(self._frequency_of(word, statistics) for word in rarest[:count]) > WALKED:
                break
            if self._frequency(match, statistics.last) <= SCORED:
                return match, True
        return " AND ".join(map(quoted, rarest)), False

    def _by_frequency(self, words: Sequence[str], statistics: Statistics) -> list[str]:
        """The words that contexts hold, the rarest first."""
        frequencies = {word: self._frequency_of(word, statistics) for word in words}
        return sorted((word for word in words if frequencies[word]), key=lambda word: frequencies[word])

    def _frequency_of(self, word: str, statistics: Statistics) -> int:
        """How many contexts hold a word."""
        if word not in statistics.frequencies:
            statistics.frequencies[word] = self._frequency(quoted(word), statistics.last)
        return statistics.frequencies[word]

    def _frequency(self, match: str, last: int) -> int:
        """How many contexts fit; beyond `SCORED` estimated from how far the walk came, to ``last`` at the end."""
        found, reached = self._db.execute(
            "SELECT count(*), max(rowid) FROM "
            "(SELECT rowid FROM contexts_fts WHERE contexts_fts MATCH :match LIMIT :most)",
            {"match": match, "most": SCORED + 1},
        ).fetchone()
        return int(found) if found <= SCORED else max(SCORED + 1, int(found * last / reached))


def quoted(word: str) -> str:
    """A word, or several one after another, as an expression of FTS5."""
    return f'"{_OPERATORS.sub(" ", word)}"'


__all__ = ["Searching", "Statistics", "words_of"]
