"""Approximate search: measured recall holds, scores are exact, filters get their k, damage costs no wrong answer."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ctxsearch.records import FloatArray, IntArray
from ctxsearch.vectors import (
    ContextScore,
    Lists,
    Segment,
    VectorFileError,
    VectorIndex,
    lists_are_whole,
    parts,
    write_segment,
)
from ctxsearch.vectors import codes as codes_module
from ctxsearch.vectors import index as index_module
from ctxsearch.vectors.codes import ESTIMATES_OFF, Found
from ctxsearch.vectors.parts import Part
from ctxsearch.vectors.scanning import Selection
from ctxsearch.vectors.scores import Scored

DIM, CONTEXTS, WEIGHT = 64, 6000, 0.85


def unit(rows: FloatArray) -> FloatArray:
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


class Made:
    """A segment of rows around a few centres, with lists, in files."""

    def __init__(self, folder: Path) -> None:
        chance = np.random.default_rng(3)
        self.counts = chance.integers(1, 8, CONTEXTS)
        self.ids = np.cumsum(chance.integers(1, 4, CONTEXTS))
        self.centres = chance.standard_normal((60, DIM)).astype(np.float32)
        owner = np.repeat(chance.integers(0, 60, CONTEXTS), self.counts)
        noise = chance.standard_normal((len(owner), DIM)).astype(np.float32)
        self.rows = unit(self.centres[owner] + 0.8 * noise).astype(np.float16)
        self.folder = folder
        write_segment(folder / "rows", DIM, [(self.ids, self.counts, self.rows)])
        self.segment = Segment.read(folder / "rows", DIM)
        self.said = Lists.make(self.segment, folder / "lists")

    def questions(self, count: int) -> FloatArray:
        chance = np.random.default_rng(4)
        noise = chance.standard_normal((count, DIM)).astype(np.float32)
        return unit(self.centres[chance.integers(0, 60, count)] + noise).astype(np.float32)

    def scores(self, vector: FloatArray) -> dict[int, float]:
        """Every context's score, by NumPy in float64."""
        products = self.rows.astype(np.float64) @ vector.astype(np.float64)
        starts = np.concatenate([[0], np.cumsum(self.counts)])
        found = {}
        for i, context_id in enumerate(self.ids.tolist()):
            own, *sentences = products[starts[i] : starts[i + 1]]
            found[context_id] = WEIGHT * max(sentences) + (1 - WEIGHT) * own if sentences else own
        return found

    def index(self) -> VectorIndex:
        """Both files read anew; the authority has the rows as they were."""
        starts = np.concatenate([[0], np.cumsum(self.counts)])
        places = {context_id: i for i, context_id in enumerate(self.ids.tolist())}
        asked: list[int] = []

        def authority(ids: list[int]) -> dict[int, np.ndarray]:
            asked.extend(ids)
            return {i: self.rows[starts[places[i]] : starts[places[i] + 1]] for i in ids}

        index = VectorIndex(DIM, authority)  # type: ignore[arg-type]
        segment = Segment.read(self.folder / "rows", DIM)
        index.attach(segment, Lists.read(self.folder / "lists", self.said, segment))
        self.asked = asked
        return index


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return Made(tmp_path_factory.mktemp("lists"))


@pytest.fixture(autouse=True)
def small_segments_have_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "SCANNED_BYTES", 1000)
    monkeypatch.setattr(index_module, "CODES_A_ROW", 1000)


@pytest.fixture
def kept(made: Made) -> Iterator[Made]:
    """The files are as they were afterwards."""
    before = {name: (made.folder / name).read_bytes() for name in ("rows", "lists")}
    yield made
    for name, content in before.items():
        (made.folder / name).unlink()  # not written over: others have it mapped
        (made.folder / name).write_bytes(content)


def best(scores: dict[int, float], k: int, allowed: IntArray | None = None) -> list[int]:
    wanted = scores if allowed is None else {int(i): scores[int(i)] for i in allowed}
    return sorted(wanted, key=lambda i: (-wanted[i], i))[:k]


def scored(index: VectorIndex, vector: FloatArray, ids: list[int]) -> list[ContextScore]:
    """Contexts as `VectorIndex.scores` has them, the best first; of sentences it says nothing."""
    found, scores = index.scores(vector, 0, ids, WEIGHT)
    by_id = {one.context_id: one.sentence for one in index.search(vector, len(ids), WEIGHT)}
    columns = zip(found.tolist(), scores.tolist(), strict=True)
    return sorted((ContextScore(i, score, by_id[i]) for i, score in columns), key=lambda one: (-one.score, one[0]))


def recall(made: Made, index: VectorIndex, wanted: float, allowed: IntArray | None = None) -> float:
    """Of the ten best, over questions; the scores of what is found are compared with exact ones."""
    shares = []
    for vector in made.questions(60):
        scores = made.scores(vector)
        found = index.search(vector, 10, WEIGHT, allowed, wanted)
        assert len(found) == 10
        np.testing.assert_allclose([f.score for f in found], [scores[f.context_id] for f in found], rtol=0, atol=1e-4)
        assert [f.score for f in found] == sorted((f.score for f in found), reverse=True)
        if allowed is not None:
            assert np.isin([f.context_id for f in found], allowed).all()
        shares.append(len({f.context_id for f in found} & set(best(scores, 10, allowed))) / 10)
    return float(np.mean(shares))


def test_levels_rise_and_hold_for_questions(made: Made) -> None:
    index = made.index()
    levels = index.lists()[0].levels.levels
    assert [level.recall for level in levels] == sorted(level.recall for level in levels)
    assert all(level.depths[0].probes <= level.depths[2].probes for level in levels)
    assert recall(made, index, 0.9) >= 0.9
    assert recall(made, index, 0.98) >= 0.97
    assert index.kind(0.98)[1] >= 0.98
    assert index.kind(0.98)[0] == "IVF512,PQ32x4fs"


def test_a_recall_of_one_is_exact(made: Made) -> None:
    index = made.index()
    assert index.kind(1.0) == ("exact", 1.0)
    assert recall(made, index, 1.0) == 1.0
    assert made.asked == []


@pytest.mark.parametrize("share", [0.01, 0.1, 0.9])
def test_filters_get_ten_with_the_recall(made: Made, share: float) -> None:
    allowed = made.ids[np.random.default_rng(5).random(CONTEXTS) < share]
    assert recall(made, made.index(), 0.98, allowed) >= 0.97


def test_fewer_allowed_than_wanted_are_all_found(made: Made) -> None:
    allowed = made.ids[[5, 4000]]
    for codes in (0, 10**9):
        index_module.CODES_A_ROW = codes  # put back by the fixture
        found = made.index().search(made.questions(1)[0], 10, WEIGHT, allowed, 0.9)
        assert sorted(f.context_id for f in found) == allowed.tolist()


def test_what_is_removed_is_not_found_and_what_is_added_is(made: Made) -> None:
    index = made.index()
    (vector,) = made.questions(1)
    first, *others = best(made.scores(vector), 10)
    index.remove(np.array([first]))
    new = int(made.ids[-1]) + 1
    index.add([new], [vector[np.newaxis, :].astype(np.float16)])
    found = index.search(vector, 10, WEIGHT, recall=0.98)
    assert found[0].context_id == new
    assert first not in {f.context_id for f in found}
    assert set(others) <= {f.context_id for f in found}


def test_damaged_rows_are_taken_from_the_authority(kept: Made) -> None:
    """Wherever the rows are damaged, the answers and their scores are the same."""
    (vector,) = kept.questions(1)
    expected = kept.index().search(vector, 10, WEIGHT, recall=0.98)
    damaged = [expected[0].context_id, expected[4].context_id]
    content = bytearray((kept.folder / "rows").read_bytes())
    starts = np.concatenate([[0], np.cumsum(kept.counts)])
    for context_id in damaged:
        at = 4096 + int(starts[np.searchsorted(kept.ids, context_id)]) * DIM * 2
        content[at : at + 40] = bytes(40)
    (kept.folder / "rows").unlink()
    (kept.folder / "rows").write_bytes(content)
    index = kept.index()
    assert index.search(vector, 10, WEIGHT, recall=0.98) == expected
    assert set(kept.asked) == set(damaged)
    assert index.search(vector, 10, WEIGHT, recall=0.98) == expected
    index = kept.index()
    ids = [f.context_id for f in expected]
    assert scored(index, vector, ids) == expected
    assert index.search(vector, 10, WEIGHT) == expected
    assert len(kept.asked) == 2, "each is asked for once"
    assert (
        Segment.read(kept.folder / "rows", DIM).damaged().tolist()
        == np.searchsorted(kept.ids, sorted(damaged)).tolist()
    )


@pytest.mark.parametrize("seed", range(20))
def test_contexts_that_estimates_rule_out_are_not_among_the_best(made: Made, seed: int) -> None:
    """Whatever the estimates are, as long as they are no further off than they may be."""
    draw = np.random.default_rng(seed)
    index, (vector,) = made.index(), made.questions(1)
    (part,) = index._parts
    whole = draw.permutation(len(part.segment))[:150]
    positions = np.flatnonzero(np.isin(part.segment.contexts_in_order(np.arange(len(part.segment.rows))), whole))
    products = part.segment.rows[positions].astype(np.float32) @ vector
    off = np.where(products > np.quantile(products, 0.98), -0.99, draw.uniform(0.5, 0.99, len(products)))
    estimates = products + off * ESTIMATES_OFF / np.sqrt(DIM)
    order = np.argsort(-estimates)
    found = Found(np.append(positions[order], [-1, 1 << 40]), np.append(estimates[order], [1.0, 1.0]))
    scored: list[int] = []
    score = index._score

    def counted(part: Part, places: IntArray, *others: Any) -> Scored:
        scored.extend(places.tolist())
        return score(part, places, *others)

    index._score = counted  # type: ignore[method-assign]
    asked = index_module._Asked(vector, 3, WEIGHT, None, 0.99)
    best = index._score_best(part, found, asked)
    assert best.listed() == score(part, np.sort(whole), asked).best(3).listed()
    assert len(scored) == len(set(scored)) <= len(whole)
    assert seed or len(scored) < len(whole), "some can be left out"


@pytest.mark.parametrize("cores", [2, 3, 16])
@pytest.mark.parametrize("share", [1.0, 0.3, 0.001])
def test_several_threads_find_what_one_finds(
    made: Made, monkeypatch: pytest.MonkeyPatch, cores: int, share: float
) -> None:
    (part,) = made.index()._parts
    lists = part.lists
    assert lists is not None
    chosen = Selection(np.random.default_rng(cores).random(len(part.segment.rows)) < share)
    searched: list[int] = []
    search = codes_module.Codes._search

    def counted(*given: Any) -> Found:
        searched.append(given[-1])
        return search(*given)

    monkeypatch.setattr(codes_module.Codes, "_search", counted)
    monkeypatch.setattr(codes_module, "CODES_A_THREAD", 100)
    for vector in made.questions(20):
        monkeypatch.setattr("os.cpu_count", lambda: 1)
        one = lists.search(vector, 50, 30, chosen)
        assert searched == [0]
        searched.clear()
        monkeypatch.setattr("os.cpu_count", lambda: cores)
        several = lists.search(vector, 50, 30, chosen)
        assert sorted(searched) == [*range(min(cores, 4))]
        searched.clear()
        lists.search(vector, 50, 30, chosen, beside=True)
        assert sorted(searched) == [*range(min(cores - 1, 4))]
        searched.clear()
        there = one.positions >= 0
        assert (several.positions >= 0).tolist() == there.tolist()
        assert np.all(np.diff(several.estimates) <= 0)
        # FAISS rounds a question's products to what suits the lists that it is given.
        assert several.estimates[there] == pytest.approx(one.estimates[there], abs=0.005)
        assert len(set(several.positions[there]) & set(one.positions[there])) >= 0.9 * there.sum()


def test_what_one_thread_cannot_do_is_said_when_the_others_are_done(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    (part,), (vector,) = made.index()._parts, made.questions(1)
    search, done = codes_module.Codes._search, []

    def broken(*given: Any) -> Found:
        if given[-1] == 0:
            raise MemoryError
        found = search(*given)
        done.append(given[-1])
        return found

    monkeypatch.setattr(codes_module.Codes, "_search", broken)
    monkeypatch.setattr(codes_module, "CODES_A_THREAD", 100)
    monkeypatch.setattr("os.cpu_count", lambda: 4)
    assert part.lists is not None
    with pytest.raises(MemoryError):
        part.lists.search(vector, 50, 30, None)
    assert sorted(done) == [1, 2, 3]


def test_rows_that_cannot_be_read_are_taken_from_the_authority(made: Made, tmp_path: Path) -> None:
    (vector,) = made.questions(1)
    expected = made.index().search(vector, 10, WEIGHT, recall=0.98)
    ids = [found.context_id for found in expected]
    (tmp_path / "gone").touch()
    index = made.index()
    segment = index._parts[0].segment
    with io.FileIO(tmp_path / "gone") as gone:
        segment._file = gone
        assert not segment.block(3, 5).any()
        assert len(segment.gather(segment.places_of(np.sort(ids))).damaged) == len(ids)
        assert scored(index, vector, ids) == expected
    assert scored(index, vector, ids) == expected


def test_damaged_lists_give_no_wrong_answer(kept: Made) -> None:
    """Before the lists every byte is under a checksum; within them, damage may cost recall and nothing else."""
    content = (kept.folder / "lists").read_bytes()
    head = kept.said["head"]
    chance = np.random.default_rng(6)

    def change(at: int, length: int) -> None:
        changed = bytearray(content)
        changed[at : at + length] = chance.bytes(length)
        (kept.folder / "lists").unlink()
        (kept.folder / "lists").write_bytes(changed)

    for at in (0, 8, 100, head // 2, head - 8):
        change(at, 8)
        with pytest.raises(VectorFileError):
            kept.index()
    scores = [kept.scores(vector) for vector in kept.questions(20)]
    for _ in range(10):
        change(int(chance.integers(head, len(content) - 5000)), 5000)
        assert not lists_are_whole(kept.folder / "lists", kept.said)
        index = kept.index()
        for vector, right in zip(kept.questions(20), scores, strict=True):
            found = index.search(vector, 10, WEIGHT, recall=0.9)
            assert len({f.context_id for f in found}) == len(found) == 10
            expected = [right[f.context_id] for f in found]
            np.testing.assert_allclose([f.score for f in found], expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize("size", [0, 100, 10_000])
def test_lists_cut_short_are_refused(kept: Made, size: int) -> None:
    content = (kept.folder / "lists").read_bytes()
    (kept.folder / "lists").unlink()
    (kept.folder / "lists").write_bytes(content[:size])
    with pytest.raises(VectorFileError):
        kept.index()
    assert not lists_are_whole(kept.folder / "lists", kept.said)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_disk_is_an_error_of_the_system(made: Made) -> None:
    with pytest.raises(OSError, match="No space left"):
        Lists.make(made.segment, Path("/dev/full"))


def test_without_lists_a_large_segment_is_scanned(made: Made) -> None:
    index = VectorIndex(DIM)
    index.attach(Segment.read(made.folder / "rows", DIM))
    (vector,) = made.questions(1)
    assert [f.context_id for f in index.search(vector, 10, WEIGHT, recall=0.9)] == best(made.scores(vector), 10)


def test_found_are_context_scores(made: Made) -> None:
    (vector,) = made.questions(1)
    (found,) = made.index().search(vector, 1, WEIGHT, recall=0.9)
    assert isinstance(found, ContextScore)
    products = made.rows.astype(np.float32) @ vector
    place = int(np.searchsorted(made.ids, found.context_id))
    start = int(made.counts[:place].sum())
    assert found.sentence == int(np.argmax(products[start + 1 : start + made.counts[place]]))
