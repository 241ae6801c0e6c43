"""Centroids of lists, and which is the nearest to each row: k-means of unit rows, on two levels.

To compare each row with some thousands of centroids would be most of what making lists takes. So centroids stand in
groups, each around a centroid of its own, and a row is compared with those of the `GROUPS_TRIED` groups nearest to it.
A few rows come into a list that is not quite the nearest; what that costs is in the recall that is measured.
"""

from __future__ import annotations

import numpy as np

from ctxsearch.records import FloatArray, IntArray
from ctxsearch.vectors.scanning import decoded
from ctxsearch.vectors.segments import Rows

ROUNDS = 6
"""Of k-means."""

GROUPS_TRIED = 8
"""With 4 of them, a fourth more codes have to be looked at for the same recall."""

COARSE_ROWS = 256
"""Rows for each group that the groups are found from."""

BLOCK_ROWS = 4096
"""Rows that are decoded at a time."""


class Centroids:
    """Unit rows, in groups."""

    def __init__(self, groups: FloatArray, bounds: IntArray, rows: FloatArray) -> None:
        """Centroids that are known.

        Args:
            groups: the centroid of each group, shape (groups, dim).
            bounds: the first centroid of each group, and one more for the end.
            rows: the centroids, group after group, shape (centroids, dim).
        """
        self.rows = rows
        self._groups = groups
        self._bounds = bounds

    @classmethod
    def find(cls, sample: Rows, count: int) -> Centroids:
        """Find centroids.

        Args:
            sample: rows in an order that tells nothing, more than there are to be centroids.
            count: how many.
        """
        random = np.random.default_rng(count)
        groups = max(1, round(np.sqrt(count)))
        coarse = _k_means(decoded(sample[: COARSE_ROWS * groups]), groups, random)
        blocks = (decoded(sample[first : first + BLOCK_ROWS]) for first in range(0, len(sample), BLOCK_ROWS))
        group = np.concatenate([_nearest(block, coarse) for block in blocks])
        counts = _shares(np.bincount(group, minlength=groups), count)
        found = [_k_means(decoded(sample[group == i]), int(own), random) for i, own in enumerate(counts)]
        return cls(coarse, np.concatenate([[0], np.cumsum(counts)]), np.concatenate(found))

    def nearest(self, rows: FloatArray) -> IntArray:
        """The centroid for each row, int64 of shape (rows,)."""
        tried = min(GROUPS_TRIED, len(self._groups))
        near = np.argpartition(rows @ -self._groups.T, tried - 1, axis=1)[:, :tried].ravel()
        order = np.argsort(near, kind="stable")
        ends = np.cumsum(np.bincount(near, minlength=len(self._groups)))
        best = np.full(len(rows), -np.inf, np.float32)
        found = np.zeros(len(rows), np.int64)
        for group, (first, last) in enumerate(zip([0, *ends[:-1].tolist()], ends.tolist(), strict=True)):
            own = order[first:last] // tried
            begin, end = self._bounds[group : group + 2].tolist()
            if not len(own) or begin == end:
                continue
            products = rows[own] @ self.rows[begin:end].T
            at = np.argmax(products, axis=1)
            product = products[np.arange(len(own)), at]
            better = product > best[own]
            best[own[better]] = product[better]
            found[own[better]] = begin + at[better]
        return found


def _k_means(rows: FloatArray, count: int, random: np.random.Generator) -> FloatArray:
    """Spherical k-means; a centroid that no row is nearest to begins anew at a row."""
    if not count:
        return rows[:0]
    centroids = rows[_some(len(rows), count, random)]
    for _ in range(ROUNDS):
        own = _nearest(rows, centroids)
        order = np.argsort(own, kind="stable")
        there, firsts = np.unique(own[order], return_index=True)
        sums = rows[_some(len(rows), count, random)]
        if len(there):
            sums[there] = np.add.reduceat(rows[order], firsts, axis=0)
        centroids = sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), np.finfo(np.float32).tiny)
    return centroids


def _some(rows: int, count: int, random: np.random.Generator) -> IntArray:
    """Positions of rows, different ones if there are enough."""
    chosen: IntArray = random.permutation(np.resize(np.arange(rows), max(rows, count)))[:count]
    return chosen


def _nearest(rows: FloatArray, centroids: FloatArray) -> IntArray:
    found: IntArray = np.argmax(rows @ centroids.T, axis=1)
    return found


def _shares(sizes: IntArray, count: int) -> IntArray:
    """How many centroids each group gets: by its size, none if it is empty, ``count`` together."""
    exact = sizes * (count / sizes.sum())
    shares = np.floor(exact).astype(np.int64)
    shares[np.argsort(shares - exact, kind="stable")[: count - int(shares.sum())]] += 1
    found: IntArray = shares
    return found
