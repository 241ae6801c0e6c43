"""Ranked lists become one list. Pure functions.

Dense and lexical scores live on different scales; `blend` brings both to 0..1 and adds them with a weight (a convex
combination; Bruch, Gai and Ingber 2023, arXiv:2210.11934, find it better than ranks alone and less sensitive to
choices). `reciprocal_rank_fusion` (Cormack, Clarke and Büttcher 2009) is kept as the yardstick.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

DENSE_WEIGHT = 0.5
"""Share of the dense score in a hybrid score."""

RRF_K = 10


def blend(
    dense: Mapping[int, float], lexical: Mapping[int, float], dense_weight: float = DENSE_WEIGHT
) -> list[tuple[int, float]]:
    """Blend two scorings of candidates, best first; equal scores in the order of ids.

    Args:
        dense: cosine similarity by context; every candidate has one.
        lexical: BM25 by context; a context without one holds none of the words, or too few to count.
        dense_weight: 0 to 1.

    Returns:
        (context, score), each score from 0 to 1: ``dense_weight`` of the cosine, those below 0 counted as 0, and the
        rest of BM25 divided by the best BM25 of the question.
    """
    best = max(lexical.values(), default=0.0)
    scored = [
        (
            context,
            dense_weight * min(1.0, max(0.0, cosine))
            + (1.0 - dense_weight) * (lexical.get(context, 0.0) / best if best > 0 else 0.0),
        )
        for context, cosine in dense.items()
    ]
    return sorted(scored, key=lambda item: (-item[1], item[0]))


def reciprocal_rank_fusion(rankings: Sequence[Sequence[int]], k: int = RRF_K) -> list[tuple[int, float]]:
    """Sum over rankings of 1 / (k + rank), ranks from 1; best first, equal scores in the order of ids."""
    scores: dict[int, float] = {}
    for ranking in rankings:
        for rank, context in enumerate(ranking, start=1):
            scores[context] = scores.get(context, 0.0) + 1.0 / (k + rank)
    return sorted(scores.items(), key=lambda item: (-item[1], item[0]))
