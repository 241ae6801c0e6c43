"""Finding contexts by a question's words, and by the identifiers that they hold to the letter."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ctxsearch.catalog.connection import translating
from ctxsearch.catalog.searching import SCORED, WALKED, Searching, Statistics, quoted
from ctxsearch.identifiers import Identifier, held, identifiers, literal, share
from ctxsearch.records import Candidate, Filter
from ctxsearch.terms import asked_terms, words_of

MAX_TERMS = 128
"""Different terms of a question that full-text search looks for. Each costs a walk through its contexts."""

LOOKED_THROUGH = 200
"""Contexts whose text is looked through for identifiers, of those that each way of finding some brings."""

MOST_BY_WORD = 2.2
"""The most that a word adds to a BM25, for a point of its idf: k1 + 1. So much counts each word of an identifier that a
context holds to the letter: no context that has the same words in another order comes before it."""


class ExactSearching(Searching):
    """Questions by words, with the identifiers in them."""

    def terms_of(self, question: str) -> list[str]:
        """What full-text search looks for in this catalog."""
        return asked_terms(question) if self.searches_folded else words_of(question)

    @translating
    def search_question(self, question: str, limit: int, where: Filter | None = None) -> list[Candidate]:
        """The contexts that are best by the words of a question and by the identifiers in it, best first.

        Args:
            question: plain text.
            limit: most contexts to return.
            where: only documents with these metadata.

        Returns:
            Candidates whose ``lexical`` is a BM25, with as much as the question's identifiers add to it.
        """
        terms = self.terms_of(question)[:MAX_TERMS]
        asked = identifiers(question)
        if not asked:
            return [Candidate(found, lexical=score) for found, score in self.search_text(terms, limit, where)]
        points = dict(self.search_text(terms, max(limit, LOOKED_THROUGH), where))
        least = min(points.values(), default=0.0)
        statistics = self._known_words()
        for phrase in dict.fromkeys(phrase for one in asked for phrase in one.phrases):
            for context_id, score in self._search_phrase(phrase, where, statistics):
                points.setdefault(context_id, min(score, least))
        worth = [one.weight * (1.0 + MOST_BY_WORD * self._idf_of(one, statistics)) for one in asked]
        found = []
        for context_id, shares in self._held(asked, list(points)):
            lexical = points[context_id] + sum(a * b for a, b in zip(worth, shares, strict=True))
            found.append(Candidate(context_id, lexical=lexical, exact=share(asked, shares)))
        return sorted(found, key=lambda one: (-(one.lexical or 0.0), one.context_id))[:limit]

    def _held(self, asked: Sequence[Identifier], context_ids: Sequence[int]) -> list[tuple[int, list[float]]]:
        """How well contexts hold each identifier, in title, headings or text."""
        found = []
        for first in range(0, len(context_ids), LOOKED_THROUGH):
            some = context_ids[first : first + LOOKED_THROUGH]
            query = f"SELECT id, title, headings, text FROM contexts WHERE id IN ({','.join('?' * len(some))})"
            for context_id, *texts in self._db.execute(query, some):
                text = literal("\n".join(texts))
                found.append((context_id, [held(one, text) for one in asked]))
        return found

    def _search_phrase(self, phrase: str, where: Filter | None, statistics: Statistics) -> list[tuple[int, float]]:
        """Contexts that hold words one after another, best first; none where that would take long."""
        words = words_of(phrase)
        if not words or min(self._frequency_of(word, statistics) for word in words) > WALKED:
            return []
        if self._frequency(quoted(phrase), statistics.last) > SCORED:
            return []
        return self._search_match(quoted(phrase), LOOKED_THROUGH, where)

    def _idf_of(self, one: Identifier, statistics: Statistics) -> float:
        """The sum of the inverse document frequencies of an identifier's words, as bm25() has them."""
        frequencies = [self._frequency_of(term, statistics) for term in self.terms_of(one.text)]
        contexts = statistics.contexts
        return sum(max(0.0, math.log((max(0, contexts - n) + 0.5) / (n + 0.5))) for n in frequencies)
