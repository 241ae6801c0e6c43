"""Lists: approximate search over the rows of a large segment, by FAISS, from a memory-mapped file.

Rows are grouped around centroids; a search looks at the lists whose centroids are nearest to the question. Each row has
a code of two bits a dimension and some factors (RaBitQ: Gao and Long 2024, arXiv:2405.12497; of several bits: Gao and
others 2024, arXiv:2409.09913), from which its product with the question is estimated: by the first bits, and by all
where those are promising. What is found is scored from the rows themselves, so codes decide what is looked at and
nothing else.

The file is FAISS's own: header, centroids and sizes of lists, then the lists. FAISS trusts it, so everything before the
lists is under a SHA-256, and the size must fit. Damage in the lists costs recall:
places that are out of range are dropped by whoever asked. `lists_are_whole` reads all of it.
"""

from __future__ import annotations

import functools
import hashlib
import os
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ctxsearch.records import FloatArray, IntArray
from ctxsearch.vectors.centroids import Centroids
from ctxsearch.vectors.depth import Levels, measure
from ctxsearch.vectors.scanning import Block, Selection, decoded, threads
from ctxsearch.vectors.segments import STORED, Rows, Segment, VectorFileError

VERSION = 3
"""Of how lists are made and measured; those of another are made anew at the next write, and not used before. Up to 1,
recall was measured too high in large segments; up to 2, there were half as many lists, and fewer rows were scored."""

CODES = "RaBitQ2"
"""In FAISS's words. With one bit a dimension, a search has to read four times as many rows for the same recall."""

TRAINED_ROWS = 16
"""Rows for each centroid that centroids are found from."""

TRAINED_TOGETHER = 8
"""Of those, rows that stand in succession."""

BLOCK_ROWS = 4096
"""Rows that are decoded at a time."""

LISTS_OF_ROOT = 4
"""Lists for each of the square root of the rows. With half as many, half again as many codes have to be looked at for
the same recall (benchmarks/SCALE.md)."""

SHARED_CODES = 60_000
"""Codes from which on several threads look through the lists of one question."""

MOST_THREADS = 4

QUERY_BITS = 4
"""To which a question's values are rounded when it is compared with codes."""


class Found(NamedTuple):
    """Rows that were found by their codes."""

    positions: IntArray
    """-1 where there are fewer rows; whatever codes that are damaged say."""
    estimates: FloatArray
    """Of their products with the question."""


class Lists:
    """The lists of one segment."""

    def __init__(self, rows: int, count: int, levels: Levels, load: Callable[[], Any]) -> None:
        """Lists that are made or loaded; FAISS is imported when they are first searched."""
        self.rows = rows
        self.count = count
        self.levels = levels
        self._load = load

    @functools.cached_property
    def _index(self) -> Any:
        index = self._load()
        index.parallel_mode = 1  # threads share the lists of a question
        if (index.ntotal, index.nlist) != (self.rows, self.count):
            raise VectorFileError("the lists are those of other rows")
        return index

    @property
    def kind(self) -> str:
        """What it is, in FAISS's words."""
        return f"IVF{self.count},{CODES}"

    @classmethod
    def build(cls, segment: Segment) -> Lists:
        """Make the lists of a segment and measure them; what is in memory is a sample of the rows, and the codes."""
        from ctxsearch.vectors.library import faiss

        count, dim = segment.rows.shape
        lists = 1 << round(np.log2(LISTS_OF_ROOT * np.sqrt(count)))
        index: Any = faiss.index_factory(dim, f"IVF{lists},{CODES}", faiss.METRIC_INNER_PRODUCT)
        centroids = Centroids.find(_sample(segment, TRAINED_ROWS * lists), lists)
        index.quantizer.add(centroids.rows)
        index.is_trained = True
        in_list = np.concatenate([centroids.nearest(rows) for rows in _blocks(segment)])
        for number, size in enumerate(np.bincount(in_list, minlength=lists).tolist()):
            index.invlists.resize(number, size)  # room for all: lists that grow would take up to twice as much
            index.invlists.resize(number, 0)
        done = 0
        for rows in _blocks(segment):
            nearest = in_list[done : (done := done + len(rows))]
            index.add_core(len(rows), faiss.swig_ptr(rows), None, faiss.swig_ptr(nearest))
        made = cls(count, lists, Levels([]), lambda: index)
        made.levels = measure(segment, made, in_list)
        return made

    def write(self, path: Path) -> dict[str, Any]:
        """Write a file; returns what `read` wants to know of it, JSON-ready.

        Raises:
            OSError: it cannot be written.
        """
        from ctxsearch.vectors.library import faiss

        try:
            faiss.write_index(self._index, str(path))
        except RuntimeError as error:
            raise OSError(f"cannot write {path}") from error
        size = path.stat().st_size
        head = size - self.rows * (self._index.code_size + 8)
        return {
            "version": VERSION,
            "lists": self.count,
            "bytes": size,
            "head": head,
            "sha256": _digest(path, head),
            "crc": _checksum(path),
            "levels": self.levels.to_json(),
        }

    @classmethod
    def read(cls, path: Path, said: dict[str, Any], segment: Segment) -> Lists:
        """Map a file.

        Args:
            path: the file.
            said: what `write` returned.
            segment: whose rows they are.

        Raises:
            VectorFileError: it is missing, not what was written, or of another version.
        """
        if said.get("version") != VERSION:
            raise VectorFileError(f"{path} was made by another version of this program")
        try:
            if path.stat().st_size != said["bytes"] or _digest(path, said["head"]) != said["sha256"]:
                raise VectorFileError(f"{path} is damaged")
        except OSError as error:
            raise VectorFileError(f"{path} cannot be read") from error

        def load() -> Any:
            from ctxsearch.vectors.library import faiss

            try:
                return faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)
            except RuntimeError as error:
                raise VectorFileError(f"{path} cannot be read") from error

        return cls(len(segment.rows), said["lists"], Levels.from_json(said["levels"]), load)

    def search(self, vector: FloatArray, rows: int, probes: int, chosen: Selection | None) -> Found:
        """The rows that are nearest by their codes, the nearest first.

        Args:
            vector: float32 of shape (dim,).
            rows: how many, at the most.
            probes: lists to look at.
            chosen: which rows may be found; None for all.
        """
        from ctxsearch.vectors.library import faiss

        query = np.ascontiguousarray(vector, np.float32)
        near, products = self._nearest(query, min(probes, self.count))
        rows = min(rows, self.rows)
        estimates, positions = np.empty(rows, np.float32), np.empty(rows, np.int64)
        given = [faiss.swig_ptr(array) for array in (near, products, estimates, positions)]
        parameters = _parameters(len(near), chosen)
        codes = len(near) * self.rows / self.count
        with threads(min(MOST_THREADS, os.cpu_count() or 1) if codes > SHARED_CODES else 1):
            self._index.search_preassigned_c(1, faiss.swig_ptr(query), rows, *given, False, parameters.faiss)
        return Found(positions, estimates)

    def _nearest(self, query: FloatArray, probes: int) -> tuple[IntArray, FloatArray]:
        """The nearest lists, the nearest first, and the products with their centroids.

        FAISS multiplies float32, and puts all centroids through a heap: that takes twice as long.
        """
        products = self._centroids.products(query)
        near = np.argpartition(products, -probes)[-probes:] if probes < self.count else np.arange(self.count)
        near = near[np.argsort(-products[near], kind="stable")]
        return near, products[near]

    @functools.cached_property
    def _centroids(self) -> Block:
        return Block(self._index.quantizer.reconstruct_n(0, self.count).astype(STORED))

    def search_many(self, queries: FloatArray, rows: int, probes: int, chosen: Selection | None) -> IntArray:
        """As `search`, for several vectors; -1 where there are fewer rows."""
        parameters = _parameters(min(probes, self.count), chosen)
        positions: IntArray = self._index.search(queries, min(rows, self.rows), params=parameters.faiss)[1]
        return positions

    def order(self, queries: FloatArray) -> IntArray:
        """All lists for each query, the nearest first."""
        found: IntArray = self._index.quantizer.search(queries, self.count)[1]
        return found


class _Parameters(NamedTuple):
    """How FAISS searches, and what it only points to meanwhile."""

    faiss: Any
    selector: Any
    chosen: Selection | None


def _parameters(probes: int, chosen: Selection | None) -> _Parameters:
    from ctxsearch.vectors.library import faiss

    parameters = faiss.IVFRaBitQSearchParameters()
    parameters.nprobe, parameters.qb = probes, QUERY_BITS
    selector = chosen.selector() if chosen else None
    parameters.sel = selector
    return _Parameters(parameters, selector, chosen)


def _blocks(segment: Segment) -> Iterator[FloatArray]:
    """All rows in their order."""
    for first in range(0, len(segment.rows), BLOCK_ROWS):
        yield decoded(segment.block(first, first + BLOCK_ROWS))


def _sample(segment: Segment, wanted: int) -> Rows:
    """Rows from all over a segment, in an order that tells nothing."""
    random = np.random.default_rng(wanted)
    starts = np.arange(0, len(segment.rows), TRAINED_TOGETHER)
    some = np.sort(random.choice(starts, min(len(starts), wanted // TRAINED_TOGETHER), replace=False))
    order = random.permutation(len(some) * TRAINED_TOGETHER)
    rows = np.zeros((len(order), segment.dim), np.float16)
    for i, first in enumerate(some.tolist()):
        block = segment.block(first, first + TRAINED_TOGETHER)
        rows[order[i * TRAINED_TOGETHER :][: len(block)]] = block
    return rows


def lists_are_whole(path: Path, said: dict[str, Any]) -> bool:
    """Whether every byte of a file is what `Lists.write` wrote."""
    try:
        return bool(_checksum(path) == said["crc"])
    except OSError:
        return False


def _checksum(path: Path) -> int:
    found = 0
    with path.open("rb") as file:
        while some := file.read(1 << 20):
            found = zlib.crc32(some, found)
    return found


def _digest(path: Path, head: int) -> str:
    with path.open("rb") as file:
        return hashlib.sha256(file.read(head)).hexdigest()
