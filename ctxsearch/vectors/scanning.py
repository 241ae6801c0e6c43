"""Products of a question with rows, float16 as they are stored, by FAISS; and which rows may be found.

FAISS takes 0.1 s to import, so that is done where it is used: an index can be opened and counted without it.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ctxsearch import forking
from ctxsearch.records import FloatArray, IntArray
from ctxsearch.vectors.segments import STORED, Rows


class _View:
    """An array over another object's memory. What NumPy makes of it has this as its base, and so keeps the owner."""

    def __init__(self, array: NDArray[Any], owner: object) -> None:
        self.__array_interface__ = array.__array_interface__
        self._owner = owner


def view(array: NDArray[Any], owner: object) -> NDArray[Any]:
    """An array over the memory of FAISS that keeps its owner alive, which FAISS's own arrays do not."""
    return np.asarray(_View(array, owner))


class Selection:
    """The rows of chosen contexts, a bit each."""

    def __init__(self, mask: NDArray[np.bool_]) -> None:
        """
        Args:
            mask: whether each row is chosen.
        """
        self._bits = np.packbits(mask, bitorder="little")
        self.rows = int(np.count_nonzero(mask))
        """How many are chosen."""

    def selector(self) -> Any:
        """As FAISS takes it."""
        from ctxsearch.vectors.library import faiss

        selector = faiss.IDSelectorBitmap(len(self._bits), faiss.swig_ptr(self._bits))
        selector.bits = self._bits  # FAISS only points to them
        return selector


class Block:
    """Rows in memory, as FAISS multiplies them.

    They are a single list of an index of lists: that is the one whose search for all products below a radius gives them
    as they come. Other indexes sort them, which takes four times as long as multiplying.
    """

    def __init__(self, rows: Rows) -> None:
        """Copy the rows."""
        from ctxsearch.vectors.library import faiss

        count, dim = rows.shape
        self._centroid = faiss.IndexFlat(dim, faiss.METRIC_INNER_PRODUCT)  # FAISS only points to it
        self._centroid.add(np.zeros((1, dim), np.float32))
        self._index = faiss.IndexIVFScalarQuantizer(
            self._centroid, dim, 1, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT, False
        )
        self._index.is_trained = True
        self._list = faiss.ArrayInvertedLists(1, dim * STORED.itemsize)
        self._index.replace_invlists(self._list)
        positions, codes = np.arange(count, dtype=np.int64), _bytes(rows)
        self._list.add_entries(0, count, faiss.swig_ptr(positions), faiss.swig_ptr(codes))
        self._index.ntotal = count
        self._shape = count, dim

    @property
    def rows(self) -> Rows:
        """The copy, without copying it again."""
        from ctxsearch.vectors.library import faiss

        count, dim = self._shape
        codes = view(faiss.rev_swig_ptr(self._list.get_codes(0), count * dim * STORED.itemsize), self._list)
        return codes.view(STORED).reshape(count, dim)

    def products(self, vector: FloatArray) -> FloatArray:
        """Inner products of all rows with a vector.

        Each is the same whatever rows are beside it, so equal rows have equal products.

        Args:
            vector: float32 of shape (dim,).

        Returns:
            float32 of shape (rows,); -inf where a product is no number.
        """
        query = np.ascontiguousarray(vector[np.newaxis, :], np.float32)
        with threads():
            _, products, positions = self._index.range_search(query, -np.inf)
        return _in_order(products, positions, self._shape[0])


class Groups:
    """Rows in memory in groups, as FAISS multiplies some of them: a list of an index of lists for each group.

    To make it takes 5 microseconds a group; to multiply some groups takes nothing for the others.
    """

    def __init__(self, rows: Rows, starts: IntArray) -> None:
        """Copy the rows.

        Args:
            rows: shape (rows, dim).
            starts: the first row of each group, and one more for the end.
        """
        from ctxsearch.vectors.library import faiss

        (count, dim), groups = rows.shape, len(starts) - 1
        metric = faiss.METRIC_INNER_PRODUCT
        self._centroids = faiss.IndexFlat(dim, metric)  # FAISS only points to it; no list is looked for by it
        self._index = faiss.IndexIVFScalarQuantizer(
            self._centroids, dim, groups, faiss.ScalarQuantizer.QT_fp16, metric, False
        )
        self._index.is_trained = True
        self._lists = faiss.ArrayInvertedLists(groups, dim * STORED.itemsize)
        self._index.replace_invlists(self._lists)
        codes, positions = _bytes(rows), np.arange(count, dtype=np.int64)
        for group, (first, last) in enumerate(pairwise(starts.tolist())):
            given = (faiss.swig_ptr(array[first:last]) for array in (positions, codes))
            self._lists.add_entries(group, last - first, *given)
        self._index.ntotal = count
        self._starts = starts

    def products(self, vector: FloatArray, groups: IntArray) -> FloatArray:
        """As `Block.products`, of the rows of some groups, one group after another in the order given."""
        if not len(groups):
            return np.empty(0, np.float32)
        query = np.ascontiguousarray(vector[np.newaxis, :], np.float32)
        nothing = np.zeros((1, len(groups)), np.float32)
        self._index.nprobe = len(groups)
        with threads():
            _, products, positions = self._index.range_search_preassigned(
                query, -np.inf, groups[np.newaxis, :], nothing
            )
        counts = self._starts[groups + 1] - self._starts[groups]
        rows = int(counts.sum())
        if len(products) == rows:
            return products  # type: ignore[no-any-return]
        among = self._starts[groups] - np.cumsum(counts) + counts
        wanted = np.repeat(among, counts) + np.arange(rows)
        return _in_order(products, positions, int(self._starts[-1]))[wanted]


def _in_order(products: FloatArray, positions: IntArray, rows: int) -> FloatArray:
    """The products of all rows, as FAISS found them: in their order, without those that are no number."""
    if len(products) == rows:
        return products
    found = np.full(rows, -np.inf, np.float32)
    found[positions] = products
    return found


@contextmanager
def threads(count: int = 1) -> Iterator[None]:
    """FAISS works in so many threads, the calling one counted.

    For what takes a millisecond, waking others costs more than it gives; and on a machine with other work threads wait
    for one another for hundreds of them.
    """
    from ctxsearch.vectors.library import faiss

    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1 if forking.in_child else count)  # OpenMP's threads are those of the parent
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)


def products_of(rows: Rows, vector: FloatArray) -> FloatArray:
    """As `Block.products`, of rows that are multiplied once."""
    return Block(rows).products(vector) if len(rows) else np.empty(0, np.float32)


def decoded(rows: Rows) -> FloatArray:
    """Rows as float32; NumPy takes 50 times as long."""
    if not len(rows):
        return np.empty(rows.shape, np.float32)
    found: FloatArray = _codec(rows.shape[1]).sa_decode(_bytes(rows))
    return found


def _bytes(rows: Rows) -> NDArray[np.uint8]:
    return np.ascontiguousarray(rows).view(np.uint8)


@functools.lru_cache(maxsize=8)
def _codec(dim: int) -> Any:
    from ctxsearch.vectors.library import faiss

    return faiss.IndexScalarQuantizer(dim, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT)
