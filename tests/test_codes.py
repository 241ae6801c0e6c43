"""Codes: what they tell of products, and that what they rule out is not among the best."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ctxsearch.records import FloatArray
from ctxsearch.vectors import Segment, VectorIndex, codes, parts, write_segment
from ctxsearch.vectors.codes import Codes
from ctxsearch.vectors.scanning import Groups, Selection

WEIGHT = 0.8


def unit(rows: FloatArray) -> FloatArray:
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)


def embedded(seed: int, rows: int, dim: int) -> FloatArray:
    """Rows around a few centres, whose dimensions are not equally wide, as embeddings have it."""
    chance = np.random.default_rng(seed)
    spread = chance.uniform(0.5, 1.5, dim)
    centres = chance.standard_normal((8, dim))
    return unit((centres[chance.integers(0, 8, rows)] + 1.2 * chance.standard_normal((rows, dim))) * spread)


@pytest.mark.parametrize("dim", [12, 63, 64, 384, 512])
def test_estimates_are_unbiased_and_seldom_further_off_than_said(dim: int) -> None:
    rows, questions = embedded(1, 4000, dim), embedded(2, 50, dim)
    coded = Codes.flat(rows)
    off = []
    for question in questions:
        found = coded.search(question, len(rows))
        assert sorted(found.positions.tolist()) == list(range(len(rows)))
        assert np.all(np.diff(found.estimates) <= 0)
        off.append(found.estimates - rows[found.positions] @ question)
    errors = np.concatenate(off) * np.sqrt(dim)
    assert abs(float(errors.mean())) < 0.05
    assert float((np.abs(errors) > codes.ESTIMATES_OFF).mean()) < 0.002


def test_only_chosen_rows_are_found() -> None:
    rows = embedded(3, 1000, 64)
    chosen = np.random.default_rng(4).random(1000) < 0.02
    selection = Selection(chosen)
    found = Codes.flat(rows).search(rows[0], 100, chosen=selection)
    there = found.positions[found.positions >= 0]
    assert sorted(there.tolist()) == np.flatnonzero(chosen).tolist()


def filled(seed: int, contexts: int, dim: int) -> VectorIndex:
    counts = np.random.default_rng(seed).integers(1, 9, contexts)
    rows = np.split(embedded(seed, int(counts.sum()), dim).astype(np.float16), np.cumsum(counts)[:-1])
    index = VectorIndex(dim)
    index.add(list(range(1, contexts + 1)), rows)
    return index


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("k", [1, 10, 50])
def test_searching_by_codes_finds_what_scoring_all_finds(seed: int, k: int) -> None:
    index = filled(seed, 1500, 128)
    index.remove(np.arange(1, 1500, 7))
    allowed = np.flatnonzero(np.random.default_rng(seed).random(1500) < 0.4)
    for question in embedded(seed + 100, 10, 128):
        for among in (None, allowed):
            found = index.search(question, k, WEIGHT, among, recall=0.99)
            exact = index.search(question, k, WEIGHT, among)
            assert [one.context_id for one in found] == [one.context_id for one in exact]
            assert [one.sentence for one in found] == [one.sentence for one in exact]
            assert [one.score for one in found] == [one.score for one in exact]
    assert index._parts[0]._codes is not None


def test_the_first_question_makes_no_codes_and_a_small_segment_never(monkeypatch: pytest.MonkeyPatch) -> None:
    index, question = filled(1, 1000, 64), embedded(2, 1, 64)[0]
    index.search(question, 5, WEIGHT, recall=0.99)
    assert index._parts[0]._codes is None
    index.search(question, 5, WEIGHT, recall=1.0)
    index.search(question, 5, WEIGHT, recall=0.99)
    assert index._parts[0]._codes is not None
    monkeypatch.setattr(parts, "CODED_ROWS", 10_000)
    index = filled(1, 1000, 64)
    for _ in range(3):
        index.search(question, 5, WEIGHT, recall=0.99)
    assert index._parts[0]._codes is None


def test_more_are_looked_at_where_the_first_do_not_settle_it() -> None:
    """One context whose rows crowd out all others by their codes, and whose blend is below theirs."""
    dim, question = 64, np.eye(1, 64, dtype=np.float32)[0]
    chance = np.random.default_rng(5)
    crowd = unit(question + 0.1 * chance.standard_normal((500, dim)))
    crowd[0] = unit(-question + 0.1 * chance.standard_normal(dim))
    others = [unit(0.7 * question + 0.1 * chance.standard_normal((4, dim))) for _ in range(600)]
    index = VectorIndex(dim)
    index.add(list(range(601)), [crowd.astype(np.float16), *[rows.astype(np.float16) for rows in others]])
    for _ in range(3):
        found = index.search(question, 20, WEIGHT, recall=0.99)
        assert found == index.search(question, 20, WEIGHT)
    assert index._parts[0]._codes is not None


def test_rows_are_multiplied_in_groups() -> None:
    counts = np.random.default_rng(6).integers(1, 9, 100)
    starts = np.concatenate([[0], np.cumsum(counts)])
    rows, question = embedded(6, int(starts[-1]), 32).astype(np.float16), embedded(7, 1, 32)[0]
    groups = Groups(rows, starts)
    for places in ([], [5], [7, 0, 99, 50], list(range(100))):
        wanted = np.concatenate([np.empty((0, 32)), *(rows[starts[i] : starts[i + 1]] for i in places)]) @ question
        np.testing.assert_allclose(groups.products(question, np.array(places, np.int64)), wanted, atol=1e-3)
    rows[starts[7]] = np.nan
    found = Groups(rows, starts).products(question, np.array([50, 7]))
    assert np.flatnonzero(np.isneginf(found)).tolist() == [counts[50]]


def test_rows_in_a_file_are_in_memory_once(tmp_path: Path) -> None:
    rows, question = embedded(8, 3000, 64).astype(np.float16), embedded(9, 1, 64)[0]
    write_segment(tmp_path / "rows", 64, [(np.arange(1, 1001), np.full(1000, 3), rows)])
    index = VectorIndex(64)
    index.attach(Segment.read(tmp_path / "rows", 64))
    (part,) = index._parts
    first = index.search(question, 10, WEIGHT, recall=0.99)
    assert part.segment._in_memory is not None
    assert index.search(question, 10, WEIGHT, recall=0.99) == first == index.search(question, 10, WEIGHT)
    assert part.segment._in_memory is None
    assert part._block is None
    assert index.rows(7).tolist() == rows[18:21].astype(np.float32).tolist()
