"""The vector index: the very ids and scores that NumPy gives, and errors for files that are not one."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ctxsearch.records import FloatArray
from ctxsearch.vectors import ROWS_PER_CONTEXT, ContextScore, Segment, VectorFileError, VectorIndex, write_segment

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


def written(contents: Contents, path: Path) -> int:
    """Write a segment; returns the checksum of its header."""
    ids, counts = np.array(list(contents), np.int64), np.array([len(rows) for rows in contents.values()], np.int64)
    return write_segment(path, DIM, [(ids, counts, np.concatenate(list(contents.values())))]).header


def read(path: Path, authority: Contents | None = None) -> VectorIndex:
    index = VectorIndex(DIM, lambda ids: {i: authority[i] for i in ids} if authority else {})
    index.attach(Segment.read(path, DIM))
    return index


def test_contents_come_back_from_a_file(tmp_path: Path) -> None:
    contents = random_contents(1, 60)
    written(contents, tmp_path / "vectors")
    index = read(tmp_path / "vectors")
    assert index.context_ids().tolist() == list(contents)
    for i, rows in contents.items():
        np.testing.assert_array_equal(index.rows(i), rows.astype(np.float32))
    assert_same(index.search(question(1), 10, 0.5), brute_force(contents, question(1), 10, 0.5))


def test_index_from_a_file_can_be_changed(tmp_path: Path) -> None:
    contents = random_contents(2, 30)
    written(contents, tmp_path / "vectors")
    before = (tmp_path / "vectors").read_bytes()
    index = read(tmp_path / "vectors")
    first, more = next(iter(contents)), unit(np.ones((2, DIM))).astype(np.float16)
    index.remove(np.array([first]))
    index.add([10_000], [more])
    expected = {i: rows for i, rows in contents.items() if i != first} | {10_000: more}
    assert_same(index.search(question(2), 40, 0.5), brute_force(expected, question(2), 40, 0.5))
    assert index.contexts() == 30
    assert (tmp_path / "vectors").read_bytes() == before


def test_empty_segment_holds_nothing(tmp_path: Path) -> None:
    assert write_segment(tmp_path / "vectors", DIM, []).contexts == 0
    index = read(tmp_path / "vectors")
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
    assert [found.tolist() for found in index.scores(vector, 0, [4, 3, 5], 0.75)] == [[3, 4], [0.875, 0.5]]
    assert [found.tolist() for found in index.scores(vector, 0, [], 0.75)] == [[], []]
    assert [found.tolist() for found in index.scores(vector, 1, [4], 0.75)] == [[3, 4], [0.875, 0.5]]
    assert [found.tolist() for found in index.products(vector, [4, 3])] == [[0.5, 0.5, 0.25, 1.0], [1, 3]]
    assert [found.tolist() for found in index.products(vector, [])] == [[], []]
    for missing in ([5], [3, 2], [3, 5]):
        with pytest.raises(KeyError):
            index.products(vector, missing)


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


@pytest.mark.parametrize("content", [b"", b"not a vector file", b"\0" * 10_000, b"CTXSROWS" + b"\xff" * 10_000])
def test_file_that_is_none_raises(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "vectors"
    path.write_bytes(content)
    with pytest.raises(VectorFileError):
        read(path)


def test_missing_file_and_folder_raise(tmp_path: Path) -> None:
    with pytest.raises(VectorFileError):
        read(tmp_path / "missing")
    with pytest.raises(VectorFileError):
        read(tmp_path)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_file_cut_short_raises(tmp_path: Path, share: float) -> None:
    path = tmp_path / "vectors"
    written(random_contents(7, 200), path)
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    with pytest.raises(VectorFileError):
        read(path)


def test_every_byte_of_a_scanned_segment_is_under_a_checksum(tmp_path: Path) -> None:
    path = tmp_path / "vectors"
    written(random_contents(7, 30), path)
    data = bytearray(path.read_bytes())
    for at in [*range(80), *range(80, 4096, 97), *range(4096, len(data), 7), len(data) - 1]:
        data[at] ^= 4
        path.write_bytes(data)
        with pytest.raises(VectorFileError):
            read(path)
        data[at] ^= 4
    path.write_bytes(data)
    assert read(path).contexts() == 30


def test_segment_of_another_index_raises(tmp_path: Path) -> None:
    header = written(random_contents(8, 20), tmp_path / "one")
    written(random_contents(9, 20), tmp_path / "other")
    assert len(Segment.read(tmp_path / "one", DIM, header)) == 20
    with pytest.raises(VectorFileError, match="another file"):
        Segment.read(tmp_path / "other", DIM, header)


def test_blocks_are_the_rows_of_the_file(tmp_path: Path) -> None:
    contents = random_contents(9, 3_000)
    written(contents, tmp_path / "vectors")
    segment, rows = Segment.read(tmp_path / "vectors", DIM), np.concatenate(list(contents.values())).astype(np.float16)
    steps = [0, 1, 700, 701, 5_000, len(rows)]
    for first, last in pairwise(steps):
        np.testing.assert_array_equal(segment.block(first, last), rows[first:last])
    np.testing.assert_array_equal(segment.block(len(rows) - 1, len(rows) + 99), rows[-1:])
    np.testing.assert_array_equal(segment.rows, rows)


def test_file_of_another_length_raises(tmp_path: Path) -> None:
    written(random_contents(8, 20), tmp_path / "vectors")
    with pytest.raises(VectorFileError, match="vectors of length 13"):
        Segment.read(tmp_path / "vectors", DIM + 1)


def test_segments_whose_ids_overlap_raise(tmp_path: Path) -> None:
    written(random_contents(8, 20), tmp_path / "vectors")
    index = read(tmp_path / "vectors")
    with pytest.raises(VectorFileError, match="overlap"):
        index.attach(Segment.read(tmp_path / "vectors", DIM))


@pytest.mark.parametrize("ids", [[2, 1], [1, 1]])
def test_segment_with_ids_out_of_order_is_not_written(tmp_path: Path, ids: list[int]) -> None:
    rows = np.eye(2, DIM, dtype=np.float16)
    with pytest.raises(ValueError, match="must rise"):
        write_segment(tmp_path / "vectors", DIM, [(np.array(ids), np.array([1, 1]), rows)])
    several = [(np.array([i]), np.array([1]), rows[:1]) for i in ids]
    with pytest.raises(ValueError, match="must rise"):
        write_segment(tmp_path / "vectors", DIM, several)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_sequence_of_changes_is_brute_force(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """Segments in files and in memory, with contexts removed from any of them."""
    folder = tmp_path_factory.mktemp("segments")
    contents: Contents = {}
    index = VectorIndex(DIM)
    for n in range(data.draw(st.integers(1, 6))):
        more = {i + 1000 * n: rows for i, rows in random_contents(n, data.draw(st.integers(1, 40))).items()}
        if data.draw(st.booleans()):
            written(more, folder / str(n))
            index.attach(Segment.read(folder / str(n), DIM))
        else:
            index.add(list(more), list(more.values()))
        contents |= more
        gone = data.draw(st.sets(st.sampled_from(sorted(contents)), max_size=20))
        index.remove(np.array(sorted(gone), np.int64))
        contents = {i: rows for i, rows in contents.items() if i not in gone}
    assert index.context_ids().tolist() == sorted(contents)
    assert (index.contexts(), len(index)) == (len(contents), sum(map(len, contents.values())))
    for seed in range(2):
        k, weight = data.draw(st.integers(1, 20)), data.draw(st.sampled_from([0.0, 0.85, 1.0]))
        assert_same(index.search(question(seed), k, weight), brute_force(contents, question(seed), k, weight))
        allowed = sorted(data.draw(st.sets(st.sampled_from([*contents, 999_999]))))
        expected = brute_force({i: contents[i] for i in allowed if i in contents}, question(seed), k, weight)
        assert_same(index.search(question(seed), k, weight, np.array(allowed, np.int64)), expected)
