"""Fusion: the formulas by hand, and the order of equal scores."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctxsearch import fusion
from ctxsearch.fusion import (
    COVERAGE_WEIGHT,
    LEXICAL_WEIGHT,
    PAIR_WEIGHT,
    RRF_K,
    blend,
    reciprocal_rank_fusion,
)
from ctxsearch.records import SENTENCE_WEIGHT

scores = st.dictionaries(st.integers(0, 30), st.integers(-64, 64).map(lambda n: n / 64), max_size=12)


def test_weights_are_those_that_were_chosen() -> None:
    assert (LEXICAL_WEIGHT, COVERAGE_WEIGHT, PAIR_WEIGHT, RRF_K) == (0.006, 0.225, 0.01, 10)


def test_blend_adds_weighted_scores() -> None:
    even = (0.5 - 0.4) / LEXICAL_WEIGHT
    assert blended({1: 0.5, 2: 0.4, 3: 0.1}, {2: even + 0.1}) == [2, 1, 3]
    assert blended({1: 0.5, 2: 0.4, 3: 0.1}, {2: even - 0.1}) == [1, 2, 3]


def blended(dense: dict[int, float], lexical: dict[int, float], k: int = 100) -> list[int]:
    """Ids of the best."""
    ids = np.array(list(dense), np.int64)
    points = np.array([lexical.get(i, 0.0) for i in dense])
    return ids[blend(ids, np.array(list(dense.values()), np.float32), points, k)].tolist()


def joint(
    cosines: Sequence[float], shares: Sequence[float], pairs: Sequence[float], lexical: float
) -> tuple[float, int]:
    """One context, scored."""
    one, rows, sentences = np.array(cosines, np.float32), np.array([len(cosines)]), np.array([len(shares)])
    found = fusion.joint(one, rows, sentences, np.array(shares), np.array(pairs), np.array([lexical]), SENTENCE_WEIGHT)
    return float(found.scores[0]), int(found.sentences[0])


def test_joint_takes_the_sentence_that_is_best_in_both() -> None:
    score, sentence = joint([0.5, 0.6, 0.2, 0.5], [0.0, 0.4, 0.5], [4.0, 0.0, 9.0], 2.0)
    assert sentence == 2
    evidence = COVERAGE_WEIGHT * 0.5 + PAIR_WEIGHT * 9
    assert score == pytest.approx(0.2 * 0.5 + 2 * LEXICAL_WEIGHT + 0.8 * 0.5 + evidence)


def test_joint_prefers_a_sentence_in_which_neighbours_are_near() -> None:
    assert joint([0.5, 0.4, 0.4], [0.5, 0.5], [0.0, 1.0], 0.0)[1] == 1


def test_joint_of_a_context_without_rows_for_sentences_uses_its_own() -> None:
    assert joint([0.5], [0.1, 0.3], [0.0, 0.0], 0.0) == (pytest.approx(0.5 + COVERAGE_WEIGHT * 0.3), 1)


def test_joint_of_a_context_without_sentences_is_dense_and_lexical() -> None:
    assert joint([0.5], [], [], 2.0) == (pytest.approx(0.5 + 2 * LEXICAL_WEIGHT), -1)


def test_joint_takes_the_first_of_equal_sentences() -> None:
    assert joint([0.5, 0.4, 0.4], [0.5, 0.5], [1.0, 1.0], 0.0)[1] == 0


def test_joint_refuses_cosines_of_other_sentences() -> None:
    with pytest.raises(ValueError, match="not those of the sentences"):
        joint([0.5, 0.4], [0.1, 0.2], [0.0, 0.0], 0.0)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 6), st.booleans())
def test_joint_of_several_is_that_of_each(seed: int, contexts: int, alone: bool) -> None:
    draw = np.random.default_rng(seed)
    counts = draw.integers(0, 4, contexts)
    cosines = [draw.integers(0, 4, 1 + (0 if alone else n)).astype(np.float32) / 4 for n in counts]
    shares, pairs = draw.integers(0, 3, (2, counts.sum())) / 2
    lexical = draw.random(contexts)
    rows, together = (
        np.array([len(own) for own in cosines], np.int64),
        np.concatenate([np.empty(0, np.float32), *cosines]),
    )
    found = fusion.joint(together, rows, counts, shares, pairs, lexical, SENTENCE_WEIGHT)
    for i, (first, count) in enumerate(zip(np.cumsum(counts) - counts, counts, strict=True)):
        own = slice(first, first + count)
        assert (found.scores[i], found.sentences[i]) == joint(cosines[i], shares[own], pairs[own], lexical[i])


def test_blend_orders_equal_scores_by_id() -> None:
    assert blended({9: 0.5, 2: 0.5, 5: 0.5}, {}) == [2, 5, 9]
    assert blended({9: 0.5, 2: 0.5, 5: 0.5, 7: 0.25, 1: 0.25}, {}, 2) == [2, 5]


def test_blend_of_nothing_is_nothing() -> None:
    assert blended({}, {}) == []


def test_reciprocal_rank_fusion_by_hand() -> None:
    found = reciprocal_rank_fusion([[1, 2, 3], [3, 1]], k=10)
    assert [context for context, _ in found] == [1, 3, 2]
    assert [score for _, score in found] == pytest.approx([1 / 11 + 1 / 12, 1 / 13 + 1 / 11, 1 / 12])


def test_reciprocal_rank_fusion_takes_ten_for_k() -> None:
    assert reciprocal_rank_fusion([[7]]) == [(7, 1 / 11)]


def test_reciprocal_rank_fusion_orders_equal_scores_by_id() -> None:
    assert [context for context, _ in reciprocal_rank_fusion([[9, 2], [2, 9]])] == [2, 9]


def test_reciprocal_rank_fusion_of_nothing_is_nothing() -> None:
    assert reciprocal_rank_fusion([]) == []
    assert reciprocal_rank_fusion([[], []]) == []


@settings(max_examples=100, deadline=None)
@given(scores, scores, st.integers(1, 14))
def test_blend_is_in_order_and_does_not_depend_on_that_of_its_arguments(
    dense: dict[int, float], lexical: dict[int, float], k: int
) -> None:
    def score(context: int) -> float:
        return float(np.float32(dense[context]) + LEXICAL_WEIGHT * lexical.get(context, 0.0))

    found = blended(dense, lexical, k)
    assert found == sorted(dense, key=lambda context: (-score(context), context))[:k]
    assert found == blended(dict(reversed(dense.items())), lexical, k)
