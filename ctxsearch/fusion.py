"""Ranked lists become one list. Pure functions.

Dense and lexical scores live on different scales. `blend` adds them with fixed weights, without normalising them for
each question: a question whose words are rare has a high BM25, and is trusted more for it. `joint` looks closer, at the
one sentence of a context that is best by meaning and words at once. `reciprocal_rank_fusion`
(Cormack, Clarke and Büttcher 2009) is the yardstick. benchmarks/QUALITY.md has what was compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ctxsearch.records import FloatArray, IntArray

LEXICAL_WEIGHT = 0.006
"""How much of a cosine similarity a point of BM25 is worth."""

COVERAGE_WEIGHT = 0.225
"""How much of a cosine similarity it is worth that all of the question's words stand in one sentence."""

PAIR_WEIGHT = 0.01
"""How much of a cosine similarity a point of idf is worth, of neighbours in the question that are near each other in a
sentence. The three weights were chosen on SQuAD train and on Wikipedia summaries."""

RRF_K = 10


def blend(ids: IntArray, dense: FloatArray, lexical: NDArray[np.float64], k: int) -> IntArray:
    """Blend two scorings of candidates: ``dense + LEXICAL_WEIGHT * lexical``.

    Args:
        ids: of the candidates, shape (candidates,).
        dense: cosine similarity of each.
        lexical: BM25 of each, 0 for none.
        k: how many are wanted.

    Returns:
        The places of the k best, best first; equal scores in the order of ids.
    """
    scores = dense + LEXICAL_WEIGHT * lexical
    places = np.arange(len(scores))
    if len(scores) > 2 * k:  # sorting all takes longer than finding which are to be sorted
        places = np.flatnonzero(scores >= np.partition(scores, -k)[-k])
    chosen: IntArray = places[np.lexsort((ids[places], -scores[places]))[:k]]
    return chosen


class Joint(NamedTuple):
    """Contexts scored by meaning and words together."""

    scores: NDArray[np.float64]
    sentences: IntArray
    """Ordinal of the sentence that decided each; -1 for a context without sentences."""


def joint(
    cosines: FloatArray,
    rows: IntArray,
    sentences: IntArray,
    shares: NDArray[np.float64],
    pairs: NDArray[np.float64],
    lexical: NDArray[np.float64],
    sentence_weight: float,
) -> Joint:
    """Score contexts, each by the one sentence that is best by meaning and by words at once.

    Args:
        cosines: for each context its own, then those of its sentences; its own alone where a model has no others.
        rows: how many cosines each context has.
        sentences: how many sentences each context has.
        shares: for each sentence, those of a context one after another, the share of the question in it, 0 to 1.
        pairs: for each sentence the idf of the question's neighbours that are near each other in it.
        lexical: BM25 of each context.
        sentence_weight: share of the sentence's cosine; the rest is the context's own.

    Returns:
        The largest of ``sentence_weight * cosine + COVERAGE_WEIGHT * share + PAIR_WEIGHT * pairs`` over the sentences,
        plus ``(1 - sentence_weight) * own cosine + LEXICAL_WEIGHT * lexical``.

    Raises:
        ValueError: a context has another number of cosines.
    """
    exact = cosines.astype(np.float64)
    firsts = rows.cumsum() - rows
    own = exact[firsts]
    split = rows > 1
    if (rows[split] != sentences[split] + 1).any():
        raise ValueError("cosines are not those of the sentences")
    each = own.repeat(sentences)
    others = np.ones(len(exact), np.bool_)
    others[firsts] = False
    each[split.repeat(sentences)] = exact[others]
    each = sentence_weight * each + COVERAGE_WEIGHT * shares + PAIR_WEIGHT * pairs
    whole = (1.0 - sentence_weight) * own + LEXICAL_WEIGHT * lexical
    scores, chosen = whole + sentence_weight * own, np.full(len(rows), -1)
    some = sentences > 0
    if some.any():
        starts = (sentences.cumsum() - sentences)[some]
        best = np.maximum.reduceat(each, starts)
        at = (each == best.repeat(sentences[some])).nonzero()[0]
        scores[some] = whole[some] + best
        chosen[some] = at[at.searchsorted(starts)] - starts
    return Joint(scores, chosen)


def reciprocal_rank_fusion(rankings: Sequence[Sequence[int]], k: int = RRF_K) -> list[tuple[int, float]]:
    """Sum over rankings of 1 / (k + rank), ranks from 1; best first, equal scores in the order of ids."""
    scores: dict[int, float] = {}
    for ranking in rankings:
        for rank, context in enumerate(ranking, start=1):
            scores[context] = scores.get(context, 0.0) + 1.0 / (k + rank)
    return sorted(scores.items(), key=lambda item: (-item[1], item[0]))
