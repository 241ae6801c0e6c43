"""What single words add to the BM25 scores of contexts, kept from question to question.

BM25 is a sum over words, so a question's scores are those that FTS5 gives for each of its words alone, added up. FTS5
takes a microsecond for a context and a word; adding takes a hundredth of that, and questions share their words.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from ctxsearch.catalog.bm25 import WordScores
from ctxsearch.records import IntArray

SCORES_KEPT = 2_000_000
"""Scores of contexts for words that are kept, 16 bytes each; those of the word that was asked for last stay longest."""

SUMS_A_SCORE = 8
"""Ids for each score, up to which sums are kept by id: that takes less than to put the scores in the order of ids."""


class Postings:
    """The words of one generation. Not to be shared between threads that do not take turns."""

    def __init__(self, read: Callable[[Sequence[str]], Sequence[WordScores]]) -> None:
        """
        Args:
            read: gives, for each of several words, the contexts that hold it, with what it adds to the score of each.
        """
        self._read = read
        self._words: dict[str, WordScores] = {}
        self._kept = 0

    def of(self, words: Sequence[str]) -> list[WordScores]:
        """The contexts that hold each word."""
        missing = [word for word in dict.fromkeys(words) if word not in self._words]
        if missing:
            for word, scores in zip(missing, self._read(missing), strict=True):
                self._words[word] = scores
                self._kept += len(scores.context_ids)
        found = []
        for word in words:
            found.append(self._words.pop(word))
            self._words[word] = found[-1]  # the one asked for last stands last
        while self._kept > SCORES_KEPT and len(self._words) > 1:
            self._kept -= len(self._words.pop(next(iter(self._words))).context_ids)
        return found


def best(postings: Sequence[WordScores], limit: int) -> list[tuple[int, float]]:
    """Contexts that hold any of some words, best first; equal scores in the order of ids.

    Args:
        postings: of different words, at least one.
        limit: most contexts to return.
    """
    ids, scores = _added_up(postings)
    if len(ids) > 2 * limit:
        above = np.flatnonzero(scores >= np.partition(scores, -limit)[-limit])
        ids, scores = ids[above], scores[above]
    chosen = np.lexsort((ids, -scores))[:limit]
    return list(zip(ids[chosen].tolist(), scores[chosen].tolist(), strict=True))


def _added_up(postings: Sequence[WordScores]) -> tuple[IntArray, NDArray[np.float64]]:
    """The contexts that hold any of the words, ids rising, and the sums of their scores."""
    last = max((int(one.context_ids[-1]) for one in postings if len(one.context_ids)), default=-1)
    if last <= SUMS_A_SCORE * sum(len(one.context_ids) for one in postings):
        sums = np.zeros(last + 1)
        for one in postings:
            sums[one.context_ids] += one.scores
        ids = np.flatnonzero(sums)  # a word adds something to each context that holds it
        return ids, sums[ids]
    ids = np.concatenate([one.context_ids for one in postings])
    order = np.argsort(ids, kind="stable")  # merges what is in order already
    ids = ids[order]
    firsts = np.flatnonzero(np.concatenate([[True], ids[1:] != ids[:-1]]))
    return ids[firsts], np.add.reduceat(np.concatenate([one.scores for one in postings])[order], firsts)
