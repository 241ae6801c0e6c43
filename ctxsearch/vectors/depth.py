"""How deep to search the lists of a segment for a wanted recall: measured once, on the segment itself.

Recall is the share of the ten contexts with the best scores that are found. It is measured with sentences of the
segment, each moved until its cosine with where it stood is `LIKENESS`: what is measured so is close to what real
questions get (benchmarks/SCALE.md compares them).

What a search of lists may miss, it misses for two reasons. The list in which a context's best row stands is not among
those that are probed: so it is counted in which place, by distance of the lists, that list comes. Or so many rows are
better by their codes that this one is not looked at: so the search is run and its answer compared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ctxsearch.records import FloatArray, IntArray
from ctxsearch.vectors.scanning import decoded

if TYPE_CHECKING:
    from ctxsearch.vectors.lists import Lists
    from ctxsearch.vectors.segments import Segment

SAMPLED = 300
"""Questions that recall is measured with: 3,000 contexts to be found."""

LIKENESS = 0.85
"""Cosine of a sample with the sentence that it is made of."""

RECALL_AT = 10

RANKS = (10, 100, 1000)
"""Ranks for which the number of lists is known. With a filter that keeps one in ten, the best ten have ranks to 100."""

LEVELS = (0.9, 0.95, 0.97, 0.98, 0.985, 0.99, 0.995, 0.998)
"""Recalls for which the depth is known."""

ROWS = (100, 200, 400, 800, 1600)
"""Rows by their codes whose contexts are scored, that are tried."""

BLOCK_CONTEXTS = 4096

SENTENCE_WEIGHT = 0.8
"""The blend that recall is measured for; the one that `query` uses."""

_WANTED = np.concatenate([np.arange(10), np.arange(50, 100), np.arange(500, 1000, 10)])
_COLUMNS = (slice(0, 10), slice(10, 60), slice(60, 110))
"""The ranks that are looked at for each of `RANKS`: up to it, and from half of it on."""


class Level(NamedTuple):
    """How deep to search for a recall."""

    recall: float
    """As it was measured, at `RECALL_AT`."""
    probes: tuple[int, ...]
    """Lists to look at, for each of `RANKS`."""
    rows: int
    """Rows to score, for the ten best contexts."""


class Depth:
    """The levels of a segment, rising."""

    def __init__(self, levels: Sequence[Level]) -> None:
        self.levels = sorted(levels)

    @classmethod
    def from_json(cls, said: Sequence[Mapping[str, Any]]) -> Depth:
        return cls([Level(float(v["recall"]), tuple(map(int, v["probes"])), int(v["rows"])) for v in said])

    def to_json(self) -> list[dict[str, Any]]:
        return [{"recall": level.recall, "probes": list(level.probes), "rows": level.rows} for level in self.levels]

    def level(self, recall: float) -> Level | None:
        """The least deep one that reaches a recall; None if none does."""
        return next((level for level in self.levels if level.recall >= recall), None)


def probes_at(level: Level, rank: float) -> int:
    """Lists to look at, so that contexts up to a rank are found; a straight line of logs between and beyond."""
    (one, other), known = np.log(RANKS[-2:]), np.log(level.probes)
    at = np.log(max(rank, RANKS[0]))
    beyond = max(0.0, at - other) * (known[-1] - known[-2]) / (other - one)
    return max(1, round(float(np.exp(np.interp(at, np.log(RANKS), known) + beyond))))


def measure(segment: Segment, lists: Lists, seed: int = 1) -> Depth:
    """Measure the levels of a segment.

    Args:
        segment: of some hundred contexts at the least.
        lists: those of its rows.
        seed: for the sample.
    """
    queries = _samples(segment, np.random.default_rng(seed))
    truth, best_rows = _truth(segment, queries)
    near = lists.order(queries)
    places = np.empty_like(near)
    np.put_along_axis(places, near, np.arange(near.shape[1])[np.newaxis, :], axis=1)
    in_list = lists.lists_of(decoded(segment.rows[best_rows.ravel()])).reshape(best_rows.shape)
    came = np.take_along_axis(places, in_list, axis=1)  # in which place the list comes that has the row
    levels = []
    for wanted in LEVELS:
        share = (1 + wanted) / 2  # half of what may be missed is missed here, the other half by the codes
        needed = [int(np.quantile(came[:, columns], share)) + 1 for columns in _COLUMNS]
        probes = tuple(int(count) for count in np.maximum.accumulate(needed))
        found = lists.search_many(queries, ROWS[-1], probes[0])
        for rows in ROWS:
            recall = _recall(segment, truth, found[:, :rows])
            if recall >= wanted or rows == ROWS[-1]:
                levels.append(Level(round(recall, 4), probes, rows))
                break
    return Depth(levels)


def _recall(segment: Segment, truth: IntArray, found: IntArray) -> float:
    """The share of the best contexts that have a row among those found."""
    shares = [np.isin(best, segment.contexts_of(rows)).mean() for best, rows in zip(truth, found, strict=True)]
    return float(np.mean(shares))


def _samples(segment: Segment, random: np.random.Generator) -> FloatArray:
    """Sentences, each moved in the direction of the difference of two others, float32 of shape (`SAMPLED`, dim)."""
    positions = random.choice(len(segment.rows), (3, SAMPLED))
    rows, one, other = (decoded(segment.rows[several]) for several in positions)
    aside = one - other
    aside -= np.einsum("ij,ij->i", aside, rows)[:, np.newaxis] * rows
    aside /= np.linalg.norm(aside, axis=1, keepdims=True) + 1e-9
    moved: FloatArray = LIKENESS * rows + np.float32(np.sqrt(1 - LIKENESS**2)) * aside
    return moved.astype(np.float32)


def _truth(segment: Segment, queries: FloatArray) -> tuple[IntArray, IntArray]:
    """The `RECALL_AT` best contexts for each query; and of contexts around each of `RANKS`, the rows that are nearest.

    Returns:
        Places of shape (`SAMPLED`, `RECALL_AT`), and positions of rows, in the columns that `_COLUMNS` names.
    """
    keep = min(RANKS[-1], len(segment))
    scores = np.empty((len(queries), 0), np.float32)
    places = np.empty((len(queries), 0), np.int64)
    for first in range(0, len(segment), BLOCK_CONTEXTS):
        last = min(first + BLOCK_CONTEXTS, len(segment))
        starts = segment.starts[first : last + 1]
        products = queries @ decoded(segment.rows[starts[0] : starts[-1]]).T
        scores = np.concatenate([scores, _blends(products, starts - starts[0])], axis=1)
        own = np.broadcast_to(np.arange(first, last), (len(queries), last - first))
        places = np.concatenate([places, own], axis=1)
        if scores.shape[1] > keep:
            chosen = np.argpartition(-scores, keep - 1, axis=1)[:, :keep]
            scores, places = np.take_along_axis(scores, chosen, 1), np.take_along_axis(places, chosen, 1)
    places = np.take_along_axis(places, np.argsort(-scores, axis=1, kind="stable"), 1)
    wanted = np.minimum(_WANTED, keep - 1)
    rows = np.empty((len(queries), len(wanted)), np.int64)
    for i, query in enumerate(queries):
        for j, place in enumerate(places[i, wanted].tolist()):
            a, b = segment.starts[place : place + 2].tolist()
            rows[i, j] = a + int(np.argmax(decoded(segment.rows[a:b]) @ query))
    return places[:, :RECALL_AT], rows


def _blends(products: FloatArray, starts: IntArray) -> FloatArray:
    """Scores of contexts from products with their rows, as a query blends them."""
    firsts, counts = starts[:-1], np.diff(starts)
    own = products[:, firsts].copy()
    products[:, firsts[counts > 1]] = -np.inf
    best = np.maximum.reduceat(products, firsts, axis=1)
    blended: FloatArray = SENTENCE_WEIGHT * best + (1 - SENTENCE_WEIGHT) * own
    return blended
