"""Codes of rows: four bits for two dimensions, which FAISS compares with a question 32 rows at a time.

A product quantiser (Jégou, Douze and Schmid 2011) of 16 values a pair of dimensions, so that a question's products with
all of them fit into registers: that takes a sixth of the time of multiplying the rows (fast scan: André, Kermarrec and
Le Scouarnec 2015, "Cache locality is not enough"). Values are not learnt: they are the levels that lose least of a
normal distribution (Max 1960), scaled to each dimension.

A code tells a row's product with a question within some hundredths. So codes decide which rows are looked at; what is
found is scored from the rows themselves.
"""

from __future__ import annotations

import functools
import os
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ctxsearch import forking
from ctxsearch.records import FloatArray, IntArray
from ctxsearch.vectors.scanning import Selection, threads

BITS = 4
"""Of each part of a code: more do not fit into a register."""

TOGETHER = 32
"""Codes that are looked at at once, and stand together."""

MOST_THREADS = 4
"""That work for whoever waits for an answer."""

CODES_A_THREAD = 100_000
"""Codes that are worth another thread: a core looks through them in some 0.6 ms, and to wake it takes 0.1."""

QUERIES_AT_ONCE = 64
"""Queries that share a walk through the lists: FAISS keeps 50 kB for each and a thread."""

ESTIMATES_OFF = 1.5
"""What codes tell of a product of unit vectors is off by less than this over the square root of their dimensions, but
once in ten thousand times (four standard deviations; one is 0.017 at 512 dimensions, over 1,000 questions of SQuAD)."""

ESTIMATES_SELDOM_OFF = 0.75
"""The same, but for one time in fifty (two standard deviations)."""

_LEVELS = {
    1: (0.1284, 0.3881, 0.6568, 0.9424, 1.2562, 1.6181, 2.0690, 2.7326),
    2: (0.4528, 1.5104),
}
"""Positive levels for a dimension, by how many dimensions share a part (Max 1960, table I: 16 and 4 levels)."""

_LOST = {1: 0.009497, 2: 0.1175}
"""The share of the variance that they lose."""

_ONE_BY_ONE, _ONE_LIST = 11, 13
"""FAISS's numbers for looking through lists in the order given, 2.6 ms where its own choice takes 3.5, and for what is
faster by a sixth in a single list; both keep what they find in no order until the end."""


class Found(NamedTuple):
    """Rows that were found by their codes."""

    positions: IntArray
    """-1 where there are fewer rows; whatever codes that are damaged say."""
    estimates: FloatArray
    """Of their products with the question."""


def kind(dim: int) -> str:
    """What codes of so many dimensions are, in FAISS's words."""
    return f"PQ{_parts(dim)}x{BITS}fs"


def quantiser(sample: FloatArray) -> Any:
    """FAISS's product quantiser for rows like these, float32 of shape (rows, dim)."""
    from ctxsearch.vectors.library import faiss

    dim = sample.shape[1]
    parts = _parts(dim)
    positive = np.array(_LEVELS[dim // parts], np.float32)
    levels = np.concatenate([-positive[::-1], positive])
    grid = np.stack(np.meshgrid(*[levels] * (dim // parts), indexing="ij"), axis=-1).reshape(1, 1 << BITS, dim // parts)
    spread, middle = (values.reshape(parts, 1, dim // parts) for values in (sample.std(axis=0), sample.mean(axis=0)))
    found = faiss.ProductQuantizer(dim, parts, BITS)
    faiss.copy_array_to_vector(np.ascontiguousarray(grid * spread + middle, np.float32).ravel(), found.centroids)
    return found


def unbiased(encoder: Any) -> Any:
    """The quantiser to search with, for codes that another has made.

    The levels that lose least stand nearer together than the values they are for, so products would come out too small
    by the share that is lost.
    """
    from ctxsearch.vectors.library import faiss

    found = faiss.ProductQuantizer(encoder.d, encoder.M, BITS)
    values = faiss.vector_to_array(encoder.centroids).reshape(encoder.M, 1 << BITS, -1)
    middle = values.mean(axis=1, keepdims=True)
    scaled = middle + (values - middle) / np.float32(1.0 - _LOST[encoder.dsub])
    faiss.copy_array_to_vector(scaled.ravel(), found.centroids)
    return found


def blocks(encoder: Any, codes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Codes one after another, as bytes, in the order in which they are looked at together; filled up with zeros."""
    from ctxsearch.vectors.library import faiss

    plain = faiss.IndexPQ(encoder.d, encoder.M, BITS, faiss.METRIC_INNER_PRODUCT)
    plain.pq, plain.is_trained = encoder, True
    plain.add_sa_codes(codes.reshape(-1, encoder.code_size))
    packed = faiss.IndexPQFastScan(plain, TOGETHER)
    size = -(-plain.ntotal // TOGETHER) * TOGETHER * encoder.code_size
    found: NDArray[np.uint8] = faiss.rev_swig_ptr(packed.codes.get(), size).copy()
    return found


class Codes:
    """Codes in lists, as FAISS searches them. Not to be searched by two threads at once."""

    def __init__(self, centroids: Any, quantiser: Any, rows: int = 0, lists: Any = None, owner: object = None) -> None:
        """
        Args:
            centroids: FAISS's index of what the codes of each list are relative to.
            quantiser: the product quantiser.
            rows: how many codes there are.
            lists: FAISS's inverted lists of them, in blocks of `TOGETHER`; None to begin with empty ones.
            owner: of the memory of the centroids and the lists, kept alive.
        """
        from ctxsearch.vectors.library import faiss

        metric = faiss.METRIC_INNER_PRODUCT
        self._index = faiss.IndexIVFPQFastScan(
            centroids, centroids.d, centroids.ntotal, quantiser.M, BITS, metric, TOGETHER, lists is None
        )
        self._index.by_residual, self._index.is_trained = True, True
        self._index.pq = quantiser
        if lists is not None:
            self._index.replace_invlists(lists)
        self._index.ntotal = rows
        # Of blocks that were filled up, some codes are no row's.
        self._every = faiss.IDSelectorRange(0, 1 << 62)
        self._parameters = [faiss.IVFSearchParameters() for _ in range(MOST_THREADS)]
        self._selectors = [self._every] * MOST_THREADS
        self._held = centroids, lists, owner  # FAISS only points to these, and to the selectors

    @classmethod
    def flat(cls, rows: FloatArray) -> Codes:
        """Codes of rows in one list, in memory."""
        from ctxsearch.vectors.library import faiss

        count, dim = rows.shape
        nothing = faiss.IndexFlat(dim, faiss.METRIC_INNER_PRODUCT)
        nothing.add(np.zeros((1, dim), np.float32))
        encoder = quantiser(rows)
        made = cls(nothing, encoder)
        with threads(min(MOST_THREADS, os.cpu_count() or 1)):
            made._index.add_with_ids(rows, np.arange(count, dtype=np.int64))
        made._index.pq = unbiased(encoder)
        return made

    def search(
        self,
        query: FloatArray,
        rows: int,
        near: IntArray | None = None,
        products: FloatArray | None = None,
        chosen: Selection | None = None,
        *,
        beside: bool = False,
    ) -> Found:
        """The rows whose codes promise the largest products, the most promising first.

        Args:
            query: contiguous float32 of shape (dim,).
            rows: how many, at the most.
            near: the lists to look at; None for the only one.
            products: of the query with the centroids of these lists.
            chosen: which rows may be found; None for all.
            beside: whoever asks has other work meanwhile, which needs a core.
        """
        if near is None or products is None:
            near, products = np.zeros(1, np.int64), np.zeros(1, np.float32)
        codes = self._index.ntotal * len(near) // self._index.nlist
        count = max(1, min(MOST_THREADS, (os.cpu_count() or 1) - beside, len(near), codes // CODES_A_THREAD))
        self._index.implem = _ONE_BY_ONE if len(near) > 1 else _ONE_LIST  # threads share it
        # Each thread has some of the nearest lists, and some of the others.
        some = [(np.ascontiguousarray(near[i::count]), np.ascontiguousarray(products[i::count])) for i in range(count)]
        others = [_beside().submit(self._search, query, rows, *some[i], chosen, i) for i in range(1, count)]
        try:
            own = self._search(query, rows, *some[0], chosen, 0)
        finally:
            wait(others)  # FAISS only points to what it is given
        if not others:
            return own
        positions, estimates = (np.concatenate(parts) for parts in zip(own, *(o.result() for o in others), strict=True))
        best = np.argsort(-estimates, kind="stable")[:rows]
        return Found(positions[best], estimates[best])

    def _search(
        self, query: FloatArray, rows: int, near: IntArray, products: FloatArray, chosen: Selection | None, thread: int
    ) -> Found:
        """What `search` returns, of some lists."""
        from ctxsearch.vectors.library import faiss

        estimates, positions = np.empty(rows, np.float32), np.empty(rows, np.int64)
        given = [faiss.swig_ptr(array) for array in (near, products, estimates, positions)]
        parameters = self._search_parameters(len(near), chosen, thread)
        with threads():
            self._index.search_preassigned_c(1, faiss.swig_ptr(query), rows, *given, False, parameters)
        return Found(positions, estimates)

    def search_many(self, queries: FloatArray, rows: int, probes: int, chosen: Selection | None) -> IntArray:
        """As `search`, for several vectors; -1 where there are fewer rows."""
        self._index.implem = 0
        found = np.empty((len(queries), rows), np.int64)
        for first in range(0, len(queries), QUERIES_AT_ONCE):
            some = slice(first, first + QUERIES_AT_ONCE)
            parameters = self._search_parameters(probes, chosen)
            found[some] = self._index.search(queries[some], rows, params=parameters)[1]
        return found

    def _search_parameters(self, probes: int, chosen: Selection | None, thread: int = 0) -> Any:
        """How FAISS searches."""
        parameters = self._parameters[thread]
        selector = self._selectors[thread] = chosen.selector() if chosen else self._every
        parameters.nprobe, parameters.sel = probes, selector
        return parameters


def _parts(dim: int) -> int:
    return dim // 2 if dim % 2 == 0 else dim


@functools.cache
def _beside() -> ThreadPoolExecutor:
    """Threads that look through some of the lists while whoever asks looks through others."""
    return ThreadPoolExecutor(MOST_THREADS - 1, thread_name_prefix="lists")


forking.reset_in_child(_beside.cache_clear)
