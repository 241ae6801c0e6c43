"""How deep to search the lists of a segment for a wanted recall: measured once, on the segment itself.

Recall is the share of the ten contexts with the best scores that are found. It is measured with sentences of the
segment, each moved until its cosine with where it stood is `LIKENESS`: what is measured so is close to what real
questions get (benchmarks/SCALE.md compares them).

What a search of lists may miss, it misses for two reasons: the lists that a context's rows stand in are not among those
that are probed, or so many rows are better by their codes that these are not looked at. All lists are searched once for
each sample; from the lists of what is found, it is known what any number of probes and rows would find. Of those that
reach a recall the cheapest is kept. The same is done among random shares of the contexts, as filters leave them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ctxsearch.records import SENTENCE_WEIGHT, FloatArray, IntArray
from ctxsearch.vectors.scanning import Selection, decoded

if TYPE_CHECKING:
    from ctxsearch.vectors.lists import Lists
    from ctxsearch.vectors.segments import Segment

SAMPLED = 300
"""Questions that recall is measured with: 3,000 contexts to be found."""

LIKENESS = 0.85
"""Cosine of a sample with the sentence that it is made of."""

RECALL_AT = 10

SHARES = (1.0, 0.1, 0.01)
"""Of the contexts, among which depths are measured, falling."""

LEVELS = (0.9, 0.95, 0.97, 0.98, 0.985, 0.99, 0.995, 0.998)
"""Recalls for which the depth is known."""

ROWS = (20, 30, 50, 70, 100, 140, 200, 300, 400, 600, 800, 1200, 1600, 2400, 3200)
"""Rows by their codes whose contexts are scored, that are tried."""

MISSED = (0.6, 0.5, 0.5)
"""Of what a recall lets be missed, the part that samples may miss, for each of `SHARES`: questions are not samples."""

PROBES_STEP = 2**0.25
"""Numbers of lists that are tried grow by this factor."""

CODES_A_FOUND_ROW = 400
"""Codes that are looked at in the time that one row more takes, whose context is scored."""

RANKED = 2000
"""Contexts that are ranked exactly for a sample: nearly always, ten of them are in each share."""

BLOCK_ROWS = 2048
"""Rows that are decoded at a time, about."""


class Depth(NamedTuple):
    """How deep to search."""

    probes: int
    """Lists to look at."""
    rows: int
    """Rows to score, for the ten best contexts."""


class Level(NamedTuple):
    """How deep to search for a recall."""

    wanted: float
    """That recall."""
    recall: float
    """As it was measured, at `RECALL_AT`, among all contexts."""
    depths: tuple[Depth, ...]
    """For each of `SHARES`."""

    def among(self, share: float) -> Depth:
        """How deep, where a filter leaves a share of the contexts; between those measured a straight line of logs."""
        known = np.log(self.depths)
        at = np.log(SHARES)
        probes, rows = (np.exp(np.interp(np.log(share), at[::-1], known[::-1, i])) for i in range(2))
        if share < SHARES[-1]:
            probes *= (share / SHARES[-1]) ** min(0.0, (known[-1, 0] - known[-2, 0]) / (at[-1] - at[-2]))
        return Depth(round(float(probes)), round(float(rows)))


class Levels:
    """The levels of a segment, rising."""

    def __init__(self, levels: Sequence[Level]) -> None:
        self.levels = sorted(levels)

    @classmethod
    def from_json(cls, said: Sequence[Mapping[str, Any]]) -> Levels:
        return cls([Level(v["wanted"], v["recall"], tuple(Depth(*map(int, one)) for one in v["depths"])) for v in said])

    def to_json(self) -> list[dict[str, Any]]:
        return [{**level._asdict(), "depths": [list(depth) for depth in level.depths]} for level in self.levels]

    def level(self, recall: float) -> Level | None:
        """The least deep one that is for a recall; None if there is none."""
        return next((level for level in self.levels if min(level.wanted, level.recall) >= recall), None)


def measure(segment: Segment, lists: Lists, in_list: IntArray, seed: int = 1) -> Levels:
    """Measure the levels of a segment.

    Args:
        segment: of some hundred contexts at the least.
        lists: those of its rows.
        in_list: the list that each row stands in.
        seed: for the sample.
    """
    random = np.random.default_rng(seed)
    queries = _samples(segment, random)
    ranked = _ranked(segment, queries)
    near = lists.order(queries)
    places = np.empty(near.shape, np.int32)
    np.put_along_axis(places, near, np.arange(near.shape[1], dtype=np.int32)[np.newaxis, :], axis=1)
    del near
    tables = []
    for share in SHARES:
        kept = random.random(len(segment)) < share
        found = lists.search_many(queries, ROWS[-1], lists.count, Selection(np.repeat(kept, segment.counts)))
        came = np.take_along_axis(places, np.where(found < 0, 0, in_list[found]), axis=1)
        came[found < 0] = lists.count
        tables.append(_recalls(segment, kept, ranked, found, came, _tried(lists.count)))
    levels = []
    for wanted in LEVELS:
        depths = [
            _cheapest(table, 1 - missed * (1 - wanted), lists.count, segment.row_count / lists.count)
            for table, missed in zip(tables, MISSED, strict=True)
        ]
        levels.append(Level(wanted, round(depths[0][0], 4), tuple(depth for _, depth in depths)))
    return Levels(levels)


def _tried(count: int) -> IntArray:
    """Numbers of lists that are tried."""
    powers = np.arange(1 + int(np.log(count) / np.log(PROBES_STEP)))
    return np.unique([*np.round(PROBES_STEP**powers).astype(np.int64), count])


def _recalls(
    segment: Segment,
    kept: NDArray[np.bool_],
    ranked: IntArray,
    found: IntArray,
    came: NDArray[np.int32],
    tried: IntArray,
) -> FloatArray:
    """The share of the ten best of the contexts kept that has a row among those found.

    Args:
        segment: whose rows they are.
        kept: which contexts may be found.
        ranked: the best contexts for each sample, best first.
        found: rows for each sample, the best by their codes first.
        came: in which place, by distance from the sample, the list comes that has the row.
        tried: numbers of lists.

    Returns:
        Mean recall for each number of lists and each of `ROWS`.
    """
    hits = np.zeros((len(tried), len(ROWS)), np.float32)
    wanted = 0
    contexts = segment.contexts_in_order(found)
    for best, rows, where in zip(ranked, contexts, came, strict=True):
        right = best[kept[best]][:RECALL_AT]
        wanted += len(right)
        matches = np.flatnonzero(np.isin(rows, right) & (where < tried[-1]))
        order = np.argsort(right)
        which = order[np.searchsorted(right[order], rows[matches])]  # of the best, the one that a row is of
        for i, probes in enumerate(tried.tolist()):
            looked_at = np.cumsum(where < probes)  # in which place a row comes when so many lists are probed
            own = where[matches] < probes
            first = np.full(len(right), len(rows) + 1)
            np.minimum.at(first, which[own], looked_at[matches[own]])
            hits[i] += (first[:, np.newaxis] <= np.array(ROWS)[np.newaxis, :]).sum(axis=0)
    shares: FloatArray = hits / np.float32(max(1, wanted))
    return shares


def _cheapest(recalls: FloatArray, wanted: float, count: int, codes: float) -> tuple[float, Depth]:
    """The depth that reaches a recall for the least time, and its recall; the deepest where none does.

    Args:
        recalls: for each number of lists tried and each of `ROWS`.
        wanted: the recall.
        count: how many lists there are.
        codes: looked at in a list, whether they may be found or not.
    """
    tried = _tried(count)
    cost = tried[:, np.newaxis] * codes + np.array(ROWS)[np.newaxis, :] * CODES_A_FOUND_ROW
    cost = np.where(recalls >= min(wanted, recalls.max()), cost, np.inf)
    i, j = np.unravel_index(int(np.argmin(cost)), cost.shape)
    return float(recalls[i, j]), Depth(int(tried[i]), ROWS[int(j)])


def _samples(segment: Segment, random: np.random.Generator) -> FloatArray:
    """Sentences, each moved in the direction of the difference of two others, float32 of shape (`SAMPLED`, dim)."""
    positions = random.choice(segment.row_count, (3, SAMPLED))
    rows, one, other = (
        decoded(np.concatenate([segment.block(at, at + 1) for at in several])) for several in positions.tolist()
    )
    aside = one - other
    aside -= np.einsum("ij,ij->i", aside, rows)[:, np.newaxis] * rows
    aside /= np.linalg.norm(aside, axis=1, keepdims=True) + 1e-9
    moved: FloatArray = LIKENESS * rows + np.float32(np.sqrt(1 - LIKENESS**2)) * aside
    return moved.astype(np.float32)


def _ranked(segment: Segment, queries: FloatArray) -> IntArray:
    """The places of the `RANKED` best contexts for each query, best first; all, if there are fewer."""
    keep = min(RANKED, len(segment))
    scores = np.empty((len(queries), 0), np.float32)
    best = np.empty((len(queries), 0), np.int32)
    first = 0
    while first < len(segment):
        last = int(np.searchsorted(segment.starts, segment.starts[first] + BLOCK_ROWS, side="right")) - 1
        last = min(max(last, first + 1), len(segment))
        starts = segment.starts[first : last + 1]
        products = queries @ decoded(segment.block(int(starts[0]), int(starts[-1]))).T
        scores = np.concatenate([scores, _blends(products, starts - starts[0])], axis=1)
        new = np.broadcast_to(np.arange(first, last, dtype=np.int32), (len(queries), last - first))
        best = np.concatenate([best, new], axis=1)
        first = last
        if scores.shape[1] > keep:
            chosen = np.argpartition(-scores, keep - 1, axis=1)[:, :keep]
            scores, best = np.take_along_axis(scores, chosen, 1), np.take_along_axis(best, chosen, 1)
    ordered: IntArray = np.take_along_axis(best, np.argsort(-scores, axis=1, kind="stable"), 1).astype(np.int64)
    return ordered


def _blends(products: FloatArray, starts: IntArray) -> FloatArray:
    """Scores of contexts from products with their rows, as a query blends them: recall is measured for that blend."""
    firsts, counts = starts[:-1], np.diff(starts)
    own = products[:, firsts].copy()
    products[:, firsts[counts > 1]] = -np.inf
    best = np.maximum.reduceat(products, firsts, axis=1)
    blended: FloatArray = SENTENCE_WEIGHT * best + (1 - SENTENCE_WEIGHT) * own
    return blended
