"""The vector index: int64 id <-> vector, and exact search. The only importer of faiss.

A context has a row for itself and one for each of its sentences. Row ``ordinal`` of context ``c`` has the id
``c * ROWS_PER_CONTEXT + ordinal``; ordinal 0 is the context. Ids rise from row to row, since those of contexts do, so a
context's rows stand together and are found by bisection.

Rows are kept as float16, the very values the catalog has; scores are inner products in float32. What FAISS does oddly
(ids of -1 for missing results, empty messages, C++ text, silent duplicates) stays in here. The file is derived: this
room reads and writes it and knows nothing of where its content comes from.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import faiss
import numpy as np
from numpy.typing import NDArray

from ctxsearch.records import FloatArray, IntArray

ROWS_PER_CONTEXT = 512
"""More than a context of 384 tokens can have, at one sentence a token."""


class VectorFileError(Exception):
    """A vector file cannot be used. Its content can be made again, so no user has to see this."""


class ContextScore(NamedTuple):
    """A context found by its vectors."""

    context_id: int
    score: float
    """Inner products: the best sentence's, blended with the context's own."""
    sentence: int | None
    """Ordinal of the best sentence from 0, or None for a context without sentence rows."""


class VectorIndex:
    """Rows of contexts in memory, searched exactly. Not to be changed by one thread while another searches."""

    def __init__(self, dim: int) -> None:
        """An empty index for vectors of that length."""
        self.dim = dim
        self._rows = faiss.IndexScalarQuantizer(dim, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT)
        self._ids: IntArray = np.empty(0, np.int64)
        self._owner: object = None  # what was read from a file owns the rows and has to live as long

    def __len__(self) -> int:
        """Rows."""
        return len(self._ids)

    @classmethod
    def read(cls, path: Path, dim: int) -> VectorIndex:
        """Read a file.

        Raises:
            VectorFileError: it is missing, damaged, or of another kind.
        """
        try:
            stored = faiss.read_index(str(path))
            if not isinstance(stored, faiss.IndexIDMap):
                raise VectorFileError(f"{path} is another kind of FAISS index")
            rows = faiss.downcast_index(stored.index)
            ids = faiss.vector_to_array(stored.id_map).astype(np.int64, copy=False)
        except RuntimeError as error:
            raise VectorFileError(f"{path} cannot be read") from error
        if not isinstance(rows, faiss.IndexScalarQuantizer) or rows.metric_type != faiss.METRIC_INNER_PRODUCT:
            raise VectorFileError(f"{path} does not hold rows compared by inner product")
        if rows.d != dim or rows.ntotal != len(ids):
            raise VectorFileError(f"{path} does not hold vectors of length {dim}")
        if np.any(ids[1:] <= ids[:-1]):
            raise VectorFileError(f"{path} has its rows out of order")
        index = cls(dim)
        index._rows, index._ids, index._owner = rows, ids, stored
        return index

    def write(self, path: Path) -> None:
        """Write a file.

        Raises:
            OSError: it cannot be written.
        """
        container = faiss.IndexIDMap(faiss.IndexScalarQuantizer(self.dim, faiss.ScalarQuantizer.QT_fp16))
        container.index = self._rows
        container.ntotal = self._rows.ntotal
        faiss.copy_array_to_vector(self._ids, container.id_map)
        try:
            faiss.write_index(container, str(path))
        except RuntimeError as error:
            raise OSError(f"cannot write {path}") from error

    def add(self, context_ids: Sequence[int], rows: Sequence[NDArray[np.floating]]) -> None:
        """Add contexts, ids rising and above those that are there.

        Args:
            context_ids: ids of the contexts.
            rows: for each, its rows, shape (1 + sentences, dim).

        Raises:
            ValueError: an id is not above those before it, or rows are of another shape.
        """
        if not context_ids:
            return
        ids = np.concatenate(
            [
                context_id * ROWS_PER_CONTEXT + np.arange(len(own))
                for context_id, own in zip(context_ids, rows, strict=True)
            ]
        )
        vectors = np.concatenate(rows).astype(np.float32)
        if vectors.shape != (len(ids), self.dim):
            raise ValueError(f"rows of shape {vectors.shape}, expected ({len(ids)}, {self.dim})")
        if max(len(own) for own in rows) > ROWS_PER_CONTEXT:
            raise ValueError(f"a context has more than {ROWS_PER_CONTEXT} rows")
        last = self._ids[-1] if len(self._ids) else -1
        if ids[0] <= last or np.any(ids[1:] <= ids[:-1]):
            raise ValueError("ids of contexts must rise")
        self._rows.add(vectors)
        self._ids = np.concatenate([self._ids, ids])

    def remove(self, context_ids: IntArray) -> None:
        """Remove contexts; those that are not there are passed over."""
        gone = np.isin(self._ids // ROWS_PER_CONTEXT, context_ids)
        if gone.any():
            bits = np.packbits(gone, bitorder="little")
            self._rows.remove_ids(_selector(bits, len(gone)))
            self._ids = self._ids[~gone]

    def rows(self, context_id: int) -> FloatArray:
        """The rows of a context, float32 of shape (1 + sentences, dim); (0, dim) for one that is not there."""
        first, last = np.searchsorted(self._ids, [context_id * ROWS_PER_CONTEXT, (context_id + 1) * ROWS_PER_CONTEXT])
        if first == last:
            return np.empty((0, self.dim), np.float32)
        found: FloatArray = self._rows.reconstruct_n(int(first), int(last - first))
        return found

    def context_ids(self) -> IntArray:
        """Ids of the contexts, rising."""
        return np.unique(self._ids // ROWS_PER_CONTEXT)

    def products(self, vector: FloatArray, context_id: int) -> FloatArray:
        """Inner products with the rows of a context, float32 of shape (1 + sentences,); (0,) for one not there."""
        found: FloatArray = self.rows(context_id) @ vector
        return found

    def score(self, vector: FloatArray, context_id: int, sentence_weight: float) -> ContextScore:
        """Score one context: ``sentence_weight`` of its best sentence and the rest of its own row.

        Raises:
            KeyError: the context is not there.
        """
        rows = self.rows(context_id)
        if not len(rows):
            raise KeyError(context_id)
        products = rows @ vector
        if len(rows) == 1:
            return ContextScore(context_id, float(products[0]), None)
        best = int(np.argmax(products[1:]))
        blend = sentence_weight * products[1 + best] + (1.0 - sentence_weight) * products[0]
        return ContextScore(context_id, float(blend), best)

    def search(
        self, vector: FloatArray, k: int, sentence_weight: float, allowed: IntArray | None = None
    ) -> list[ContextScore]:
        """The k best contexts, best first, by exact search; equal scores in the order of ids.

        Args:
            vector: float32 of shape (dim,).
            k: most contexts to return; fewer come back when fewer are there.
            sentence_weight: 0 to 1, as in `score`.
            allowed: ids, rising, of the contexts that may be returned; None for all.

        Returns:
            Exactly what scoring every context would give: a blend is at most the larger of its two parts, so once the
            k-th best score is no less than the last row's product, no context without a row in the list can be better.
        """
        chosen = None
        available = len(self._ids)
        if allowed is not None:
            mask = np.isin(self._ids // ROWS_PER_CONTEXT, allowed)
            available = int(mask.sum())
            bits = np.packbits(mask, bitorder="little")  # the selector only points to them
            chosen = faiss.SearchParameters(sel=_selector(bits, len(mask)))  # type: ignore[call-arg]
        query = np.ascontiguousarray(vector[np.newaxis, :], np.float32)
        depth = min(available, 4 * k + 32)
        scored: dict[int, ContextScore] = {}
        while depth:
            products, positions = self._rows.search(query, depth, params=chosen)
            found = positions[0][positions[0] >= 0]
            for context_id in dict.fromkeys((self._ids[found] // ROWS_PER_CONTEXT).tolist()):
                if context_id not in scored:
                    scored[context_id] = self.score(vector, context_id, sentence_weight)
            best = sorted(scored.values(), key=lambda item: (-item.score, item.context_id))[:k]
            if depth >= available or (len(best) == k and best[-1].score >= float(products[0, -1])):
                return best
            depth = min(available, 4 * depth)
        return []


def _selector(bits: NDArray[np.uint8], length: int) -> faiss.IDSelector:
    """Selects the positions whose bit is set, among ``length``; valid as long as the caller keeps ``bits``."""
    return faiss.IDSelectorBitmap(length, faiss.swig_ptr(bits))
