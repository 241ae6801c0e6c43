"""Ranked lists become one list. Pure functions.

Dense and lexical scores live on different scales. `blend` adds them with fixed weights, without normalising them for
each question: a question whose words are rare has a high BM25, and is trusted more for it. `reciprocal_rank_fusion`
(Cormack, Clarke and Büttcher 2009) is the yardstick. benchmarks/QUALITY.md has what was compared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

LEXICAL_WEIGHT = 0.015
"""How much of a cosine similarity a point of BM25 is worth."""

COVERAGE_WEIGHT = 0.6
"""How much of a cosine similarity it is worth that all of the question's words stand in one sentence. Both weights were
chosen on SQuAD train and on Wikipedia summaries."""

RRF_K = 10


def blend(
    dense: Mapping[int, float], lexical: Mapping[int, float], coverage: Mapping[int, float] | None = None
) -> list[tuple[int, float]]:
    """Blend scorings of candidates, best first; equal scores in the order of ids.

    Args:
        dense: cosine similarity by context; every candidate has one.
        lexical: BM25 by context; a context without one counts as 0.
        coverage: share of the question that stands in one sentence, 0 to 1, as `evidence.sentence_coverage` has it.

    Returns:
        (context, ``dense + LEXICAL_WEIGHT * lexical + COVERAGE_WEIGHT * coverage``).
    """
    covered = coverage or {}
    scored = [
        (context, cosine + LEXICAL_WEIGHT * lexical.get(context, 0.0) + COVERAGE_WEIGHT * covered.get(context, 0.0))
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
