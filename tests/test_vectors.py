"""The vector index: the very ids and scores that NumPy gives, and errors for files that are not one."""

from __future__ import annotations

from pathlib import Path

import faiss
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ctxsearch.records import FloatArray
from ctxsearch.vectors import ROWS_PER_CONTEXT, ContextScore, VectorFileError, VectorIndex

DIM = 12
Contents = dict[int, NDArray[np.float16]]


def unit(rows: NDArray[np.floating]) -> NDArray[np.floating]:
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def random_contents(seed: int, contexts: int, most_sentences: int = 6) -> Contents:
    """Contexts with ids that have gaps, some without sentence rows."""
    chance = np.random.default_rng(seed)
    ids = np.cumsum(chance.integers(1, 5, contexts))
    counts = 1 + chance.integers(0, most_sentences + 1, contexts)
    return {int(i): unit(chance.standard_normal((n, DIM))).astype(np.float16) for i, n in zip(ids, counts, strict=True)}


def filled(contents: Contents) -> VectorIndex:
    index = VectorIndex(DIM)
    index.add(list(contents), list(contents.values()))
    return index


def question(seed: int) -> FloatArray:
    return unit(np.random.default_rng(seed + 10_000).standard_normal(DIM)).astype(np.float32)


def brute_force(contents: Contents, vector: FloatArray, k: int, weight: float) -> list[ContextScore]:
    found = []
    for context_id, rows in contents.items():
        products = rows.astype(np.float64) @ vector.astype(np.float64)
        if len(products) == 1:
            found.append(ContextScore(context_id, products[0], None))
        else:
            best = int(np.argmax(products[1:]))
            found.append(ContextScore(context_id, weight * products[1 + best] + (1 - weight) * products[0], best))
    return sorted(found, key=lambda item: (-item.score, item.context_id))[:k]


def assert_same(found: list[ContextScore], expected: list[ContextScore]) -> None:
    assert [item.context_id for item in found] == [item.context_id for item in expected]
    assert [item.sentence for item in found] == [item.sentence for item in expected]
    np.testing.assert_allclose([item.score for item in found], [item.score for item in expected], rtol=0, atol=1e-5)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 150), st.integers(1, 30), st.sampled_from([0.0, 0.3, 0.5, 0.85, 1.0]))
def test_search_is_brute_force(seed: int, contexts: int, k: int, weight: float) -> None:
    contents = random_contents(seed, contexts)
    vector = question(seed)
    assert_same(filled(contents).search(vector, k, weight), brute_force(contents, vector, k, weight))


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 150), st.integers(1, 30), st.floats(0, 1))
def test_search_among_allowed_is_brute_force_over_them(seed: int, contexts: int, k: int, share: float) -> None:
    contents = random_contents(seed, contexts)
    chosen = np.random.default_rng(seed).random(contexts) < share
    allowed = np.array(list(contents), np.int64)[chosen]
    vector = question(seed)
    expected = brute_force({int(i): contents[int(i)] for i in allowed}, vector, k, 0.5)
    assert_same(filled(contents).search(vector, k, 0.5, allowed), expected)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 100), st.floats(0, 1))
def test_search_after_remove_is_brute_force_over_the_rest(seed: int, contexts: int, share: float) -> None:
    contents = random_contents(seed, contexts)
    index = filled(contents)
    gone = np.array(list(contents), np.int64)[np.random.default_rng(seed).random(contexts) < share]
    index.remove(gone)
    kept = {i: rows for i, rows in contents.items() if i not in set(gone.tolist())}
    assert index.context_ids().tolist() == list(kept)
    assert len(index) == sum(len(rows) for rows in kept.values())
    vector = question(seed)
    assert_same(index.search(vector, 10, 0.5), brute_force(kept, vector, 10, 0.5))


@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_search_goes_deeper_where_first_rows_do_not_settle_it(weight: float) -> None:
    """Contexts whose sentences crowd the first rows, and whose blend is below that of others."""
    contents = {}
    for i in range(100):
        rows = np.zeros((40, DIM), np.float16)
        rows[:, 0], rows[0, 0] = (0.9, 0.1) if i < 50 else (0.2, 0.5)
        rows[:, 1] = i / 1000
        contents[i] = rows
    vector = np.eye(1, DIM, dtype=np.float32)[0]
    vector[1] = 0.5
    assert_same(filled(contents).search(vector, 5, weight), brute_force(contents, vector, 5, weight))


def test_contents_come_back_from_a_file(tmp_path: Path) -> None:
    contents = random_contents(1, 60)
    filled(contents).write(tmp_path / "vectors")
    index = VectorIndex.read(tmp_path / "vectors", DIM)
    assert index.context_ids().tolist() == list(contents)
    for i, rows in contents.items():
        np.testing.assert_array_equal(index.rows(i), rows.astype(np.float32))
    assert_same(index.search(question(1), 10, 0.5), brute_force(contents, question(1), 10, 0.5))


def test_index_from_a_file_can_be_changed(tmp_path: Path) -> None:
    contents = random_contents(2, 30)
    filled(contents).write(tmp_path / "vectors")
    index = VectorIndex.read(tmp_path / "vectors", DIM)
    first, more = next(iter(contents)), unit(np.ones((2, DIM))).astype(np.float16)
    index.remove(np.array([first]))
    index.add([10_000], [more])
    index.write(tmp_path / "vectors")
    expected = {i: rows for i, rows in contents.items() if i != first} | {10_000: more}
    again = VectorIndex.read(tmp_path / "vectors", DIM)
    assert_same(again.search(question(2), 40, 0.5), brute_force(expected, question(2), 40, 0.5))


def test_empty_index_finds_nothing_and_comes_back(tmp_path: Path) -> None:
    VectorIndex(DIM).write(tmp_path / "vectors")
    index = VectorIndex.read(tmp_path / "vectors", DIM)
    assert len(index) == 0
    assert index.search(question(0), 5, 0.5) == []
    assert index.context_ids().tolist() == []


def test_k_larger_than_the_index_gives_all() -> None:
    contents = random_contents(3, 7)
    assert_same(filled(contents).search(question(3), 1000, 0.5), brute_force(contents, question(3), 7, 0.5))


def test_nothing_allowed_finds_nothing() -> None:
    index = filled(random_contents(4, 7))
    assert index.search(question(4), 5, 0.5, np.empty(0, np.int64)) == []
    assert index.search(question(4), 5, 0.5, np.array([999_999])) == []


@pytest.mark.parametrize("contexts", [5, 500])
def test_equal_scores_are_in_order_of_ids(contexts: int) -> None:
    row = np.eye(3, DIM, dtype=np.float16)
    index = filled(dict.fromkeys(range(contexts), row))
    assert index.search(row[1].astype(np.float32), 4, 0.5) == [ContextScore(i, 0.5, 0) for i in range(4)]


def test_score_of_one_context() -> None:
    rows = np.zeros((3, DIM), np.float16)
    rows[0, 0], rows[1, 0], rows[2, 0] = 0.5, 0.25, 1.0
    index = filled({3: rows, 4: rows[:1]})
    vector = np.eye(1, DIM, dtype=np.float32)[0]
    assert index.score(vector, 3, 0.75) == ContextScore(3, 0.875, 1)
    assert index.score(vector, 4, 0.75) == ContextScore(4, 0.5, None)
    with pytest.raises(KeyError):
        index.score(vector, 5, 0.75)


def test_rows_of_a_context() -> None:
    contents = random_contents(5, 3)
    index = filled(contents)
    for i, rows in contents.items():
        np.testing.assert_array_equal(index.rows(i), rows.astype(np.float32))
    assert index.rows(999).shape == (0, DIM)


def test_context_may_have_all_the_rows_there_are_ids_for() -> None:
    rows = unit(np.random.default_rng(0).standard_normal((ROWS_PER_CONTEXT, DIM))).astype(np.float16)
    index = filled({1: rows, 2: rows[:2]})
    np.testing.assert_array_equal(index.rows(1), rows.astype(np.float32))
    np.testing.assert_array_equal(index.rows(2), rows[:2].astype(np.float32))
    with pytest.raises(ValueError, match="more than 512 rows"):
        index.add([3], [np.concatenate([rows, rows[:1]])])


@pytest.mark.parametrize("ids", [[5], [4], [6, 6], [7, 6]])
def test_ids_that_do_not_rise_are_refused(ids: list[int]) -> None:
    rows = np.eye(2, DIM, dtype=np.float16)
    index = filled({5: rows})
    with pytest.raises(ValueError, match="must rise"):
        index.add(ids, [rows] * len(ids))
    assert index.context_ids().tolist() == [5]
    assert len(index) == 2


def test_rows_of_another_length_are_refused() -> None:
    with pytest.raises(ValueError, match="shape"):
        filled({1: np.ones((2, DIM + 1), np.float16)})


def test_adding_nothing_and_removing_what_is_not_there_change_nothing() -> None:
    contents = random_contents(6, 5)
    index = filled(contents)
    index.add([], [])
    index.remove(np.array([999]))
    index.remove(np.empty(0, np.int64))
    assert index.context_ids().tolist() == list(contents)


@pytest.mark.parametrize("content", [b"", b"not a vector file", b"\0" * 1000, b"IxMp" + b"\xff" * 100])
def test_file_that_is_none_raises(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "vectors"
    path.write_bytes(content)
    with pytest.raises(VectorFileError):
        VectorIndex.read(path, DIM)


def test_missing_file_and_folder_raise(tmp_path: Path) -> None:
    with pytest.raises(VectorFileError):
        VectorIndex.read(tmp_path / "missing", DIM)
    with pytest.raises(VectorFileError):
        VectorIndex.read(tmp_path, DIM)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_file_cut_short_raises(tmp_path: Path, share: float) -> None:
    path = tmp_path / "vectors"
    filled(random_contents(7, 20)).write(path)
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    with pytest.raises(VectorFileError):
        VectorIndex.read(path, DIM)


def test_file_of_another_length_raises(tmp_path: Path) -> None:
    filled(random_contents(8, 20)).write(tmp_path / "vectors")
    with pytest.raises(VectorFileError, match="vectors of length 13"):
        VectorIndex.read(tmp_path / "vectors", DIM + 1)


def test_other_kinds_of_faiss_index_raise(tmp_path: Path) -> None:
    path = tmp_path / "vectors"
    faiss.write_index(faiss.IndexFlatIP(DIM), str(path))
    with pytest.raises(VectorFileError, match="another kind"):
        VectorIndex.read(path, DIM)
    faiss.write_index(faiss.IndexIDMap(faiss.IndexFlatIP(DIM)), str(path))
    with pytest.raises(VectorFileError, match="does not hold"):
        VectorIndex.read(path, DIM)


def test_file_with_ids_out_of_order_raises(tmp_path: Path) -> None:
    path = tmp_path / "vectors"
    rows = faiss.IndexScalarQuantizer(DIM, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT)
    container = faiss.IndexIDMap(rows)
    container.add_with_ids(np.eye(2, DIM, dtype=np.float32), np.array([1024, 512]))
    faiss.write_index(container, str(path))
    with pytest.raises(VectorFileError, match="out of order"):
        VectorIndex.read(path, DIM)


def test_file_of_another_metric_raises(tmp_path: Path) -> None:
    path = tmp_path / "vectors"
    container = faiss.IndexIDMap(faiss.IndexScalarQuantizer(DIM, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_L2))
    container.add_with_ids(np.eye(2, DIM, dtype=np.float32), np.array([512, 1024]))
    faiss.write_index(container, str(path))
    with pytest.raises(VectorFileError):
        VectorIndex.read(path, DIM)


def test_file_that_cannot_be_written_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="cannot write"):
        VectorIndex(DIM).write(tmp_path / "missing" / "vectors")
