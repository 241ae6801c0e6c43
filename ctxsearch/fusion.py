"""Ranked lists become one list. Pure functions.

Dense and lexical scores live on different scales. `blend` adds them with fixed weights, without normalising them for
each question: a question whose words are rare has a high BM25, and is trusted more for it. `joint` looks closer, at the
one sentence of a context that is best by meaning and words at once. `reciprocal_rank_fusion`
(Cormack, Clarke and Büttcher 2009) is the yardstick. benchmarks/QUALITY.md has what was compared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

LEXICAL_WEIGHT = 0.006
"""How much of a cosine similarity a point of BM25 is worth."""

COVERAGE_WEIGHT = 0.225
"""How much of a cosine similarity it is worth that all of the question's words stand in one sentence."""

PAIR_WEIGHT = 0.01
"""How much of a cosine similarity a point of idf is worth, of neighbours in the question that are near each other in a
sentence. The three weights were chosen on SQuAD train and on Wikipedia summaries."""

RRF_K = 10


def blend(dense: Mapping[int, float], lexical: Mapping[int, float]) -> list[tuple[int, float]]:
    """Blend two scorings of candidates, best first; equal scores in the order of ids.

    Args:
        dense: cosine similarity by context; every candidate has one.
        lexical: BM25 by context; a context without one counts as 0.

    Returns:
        (context, ``dense + LEXICAL_WEIGHT * lexical``).
    """
    scored = [(context, cosine + LEXICAL_WEIGHT * lexical.get(context, 0.0)) for context, cosine in dense.items()]
    return sorted(scored, key=lambda item: (-item[1], item[0]))


class Joint(NamedTuple):
    """A context scored by meaning and words together."""

    score: float
    sentence: int | None
    """Ordinal of the sentence that decided it; None for a context without sentences."""


def joint(
    cosines: Sequence[float], shares: Sequence[float], pairs: Sequence[float], lexical: float, sentence_weight: float
) -> Joint:
    """Score a context by the one sentence that is best by meaning and by words at once.

    Args:
        cosines: of the context, then of each of its sentences; of the context alone where a model has no others.
        shares: for each sentence the share of the question that stands in it, 0 to 1.
        pairs: for each sentence the idf of the question's neighbours that are near each other in it.
        lexical: BM25 of the context.
        sentence_weight: share of the sentence's cosine; the rest is the context's own.

    Returns:
        The largest of ``sentence_weight * cosine + COVERAGE_WEIGHT * share + PAIR_WEIGHT * pairs`` over the sentences,
        plus ``(1 - sentence_weight) * own cosine + LEXICAL_WEIGHT * lexical``.
    """
    own, *sentences = cosines
    whole = (1.0 - sentence_weight) * own + LEXICAL_WEIGHT * lexical
    if not shares:
        return Joint(whole + sentence_weight * own, None)
    if not sentences:
        sentences = [own] * len(shares)
    scored = [
        sentence_weight * cosine + COVERAGE_WEIGHT * share + PAIR_WEIGHT * near
        for cosine, share, near in zip(sentences, shares, pairs, strict=True)
    ]
    best = scored.index(max(scored))
    return Joint(whole + scored[best], best)


def reciprocal_rank_fusion(rankings: Sequence[Sequence[int]], k: int = RRF_K) -> list[tuple[int, float]]:
    """Sum over rankings of 1 / (k + rank), ranks from 1; best first, equal scores in the order of ids."""
    scores: dict[int, float] = {}
    for ranking in rankings:
        for rank, context in enumerate(ranking, start=1):
            scores[context] = scores.get(context, 0.0) + 1.0 / (k + rank)
    return sorted(scores.items(), key=lambda item: (-item[1], item[0]))
