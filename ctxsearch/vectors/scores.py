"""Scores of contexts, from the products of a question with their rows. Pure numpy."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ctxsearch.records import FloatArray, IntArray


class ContextScore(NamedTuple):
    """A context found by its vectors."""

    context_id: int
    score: float
    """Inner products: the best sentence's, blended with the context's own."""
    sentence: int | None
    """Ordinal of the best sentence from 0, or None for a context without sentence rows."""


class Scored(NamedTuple):
    """Contexts and their scores, as columns."""

    context_ids: IntArray
    scores: FloatArray
    sentences: IntArray
    """Ordinals from 0; -1 for none."""

    @classmethod
    def of(cls, context_ids: IntArray, starts: IntArray, products: FloatArray, sentence_weight: float) -> Scored:
        """Score contexts: ``sentence_weight`` of the best sentence and the rest of the context's own row.

        Args:
            context_ids: of the contexts, shape (contexts,).
            starts: the first product of each, and one more for the end, shape (contexts + 1,).
            products: of a question with the rows, those of a context one after another, its own row first.
            sentence_weight: 0 to 1. The score of a context without sentences is its own product.
        """
        firsts, counts = starts[:-1], starts[1:] - starts[:-1]
        if not len(firsts):
            return NOTHING
        own = products[firsts]
        alone = counts == 1
        among = products.copy()
        among[firsts] = np.where(alone, own, -np.inf)
        best = np.maximum.reduceat(among, firsts)
        at = (among == best.repeat(counts)).nonzero()[0]
        first_best = at[at.searchsorted(firsts)]
        scores = np.where(alone, own, np.float32(sentence_weight) * best + np.float32(1.0 - sentence_weight) * own)
        return cls(context_ids, scores, first_best - firsts - 1)  # -1 for one that is alone: its own row comes first

    def at(self, places: IntArray | NDArray[np.bool_]) -> Scored:
        """Some of them, by place or by a mask."""
        return Scored(self.context_ids[places], self.scores[places], self.sentences[places])

    def best(self, k: int) -> Scored:
        """The k best, best first; equal scores in the order of ids."""
        if len(self.scores) > 2 * k:  # sorting all takes ten times as long as finding which are to be sorted
            least = np.partition(self.scores, -k)[-k]
            return self.at(self.scores >= least)._sorted(k)
        return self._sorted(k)

    def _sorted(self, k: int) -> Scored:
        return self.at(np.lexsort((self.context_ids, -self.scores))[:k])

    def joined(self, other: Scored) -> Scored:
        """These and others."""
        if not len(self.scores):
            return other
        return Scored(
            np.concatenate([self.context_ids, other.context_ids]),
            np.concatenate([self.scores, other.scores]),
            np.concatenate([self.sentences, other.sentences]),
        )

    def listed(self) -> list[ContextScore]:
        """Row by row."""
        several = zip(self.context_ids.tolist(), self.scores.tolist(), self.sentences.tolist(), strict=True)
        return [ContextScore(i, score, None if sentence < 0 else sentence) for i, score, sentence in several]


NOTHING = Scored(np.empty(0, np.int64), np.empty(0, np.float32), np.empty(0, np.int64))
