"""Exact search over rows, and the products of a question with rows: float16 as it is stored, by FAISS.

FAISS takes 0.1 s to import, so that is done where it is used: an index can be opened and counted without it.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ctxsearch.records import FloatArray, IntArray
from ctxsearch.vectors.segments import STORED, Rows, Segment

BLOCK_ROWS = 1 << 14
"""Rows of a file that are scanned at a time; a multiple of 8."""


class Selection:
    """The rows of chosen contexts, a bit each. FAISS only points to the bits: this has to live as long as a search."""

    def __init__(self, bits: NDArray[np.uint8], rows: int) -> None:
        self._bits = bits
        self.rows = rows
        """How many are chosen."""

    @classmethod
    def of(cls, chosen: NDArray[np.bool_], counts: IntArray) -> Selection:
        """The rows of contexts, by whether they are chosen and how many rows they have."""
        return cls(np.packbits(np.repeat(chosen, counts), bitorder="little"), int(counts[chosen].sum()))

    def block(self, first: int) -> Selection:
        """Of a block of `BLOCK_ROWS` rows."""
        return Selection(self._bits[first // 8 : (first + BLOCK_ROWS) // 8], self.rows)

    def selector(self) -> Any:
        """As FAISS takes it."""
        from ctxsearch.vectors.library import faiss

        return faiss.IDSelectorBitmap(len(self._bits), faiss.swig_ptr(self._bits))


class Scan:
    """Rows in memory, as FAISS scans them."""

    def __init__(self, rows: Rows) -> None:
        """Copy the rows."""
        from ctxsearch.vectors.library import faiss

        count, dim = rows.shape
        self._index = faiss.IndexScalarQuantizer(dim, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT)
        self._index.codes.resize(rows.nbytes)
        if count:
            faiss.rev_swig_ptr(self._index.codes.data(), rows.nbytes)[:] = _bytes(rows).ravel()
        self._index.ntotal = count
        self._shape = count, dim

    @property
    def rows(self) -> Rows:
        """The copy; it is there for as long as this is."""
        from ctxsearch.vectors.library import faiss

        count, dim = self._shape
        codes: NDArray[np.uint8] = faiss.rev_swig_ptr(self._index.codes.data(), count * dim * 2)
        return codes.view(STORED).reshape(count, dim)

    def search(self, vector: FloatArray, depth: int, chosen: Selection | None) -> tuple[IntArray, FloatArray]:
        """Positions and products of the nearest rows, best first.

        Args:
            vector: float32 of shape (dim,).
            depth: how many, at the most.
            chosen: which rows may be found; None for all.
        """
        from ctxsearch.vectors.library import faiss

        query = np.ascontiguousarray(vector[np.newaxis, :], np.float32)
        parameters = faiss.SearchParameters(sel=chosen.selector()) if chosen else None  # type: ignore[call-arg]
        with threads():
            products, positions = self._index.search(query, depth, params=parameters)
        found = positions[0] >= 0
        return positions[0][found], products[0][found]


def scan_blocks(
    segment: Segment, vector: FloatArray, depth: int, chosen: Selection | None
) -> tuple[IntArray, FloatArray]:
    """As `Scan.search`, over rows that are too many to be copied at once."""
    positions, products = np.empty(0, np.int64), np.empty(0, np.float32)
    for first in range(0, len(segment.rows), BLOCK_ROWS):
        block = Scan(segment.block(first, first + BLOCK_ROWS))
        found, scores = block.search(vector, depth, chosen.block(first) if chosen else None)
        positions, products = np.concatenate([positions, found + first]), np.concatenate([products, scores])
        best = np.argsort(-products, kind="stable")[:depth]
        positions, products = positions[best], products[best]
    return positions, products


@contextmanager
def threads(count: int = 1) -> Iterator[None]:
    """FAISS works in so many threads, the calling one counted.

    For what takes a millisecond, waking others costs more than it gives; and on a machine with other work threads wait
    for one another for hundreds of them.
    """
    from ctxsearch.vectors.library import faiss

    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(count)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)


def products_of(rows: Rows, vector: FloatArray) -> FloatArray:
    """Inner products of rows with a vector, float32 of shape (rows,).

    Each is the same whatever rows are beside it, and the one that a scan gives, so equal rows have equal scores. FAISS
    multiplies float16 as it is, which takes a quarter of the time of decoding it first.
    """
    found = np.zeros(len(rows), np.float32)
    if len(rows):
        positions, products = Scan(rows).search(vector, len(rows), None)
        found[positions] = products
    return found


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
