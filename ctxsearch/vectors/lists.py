"""Lists: approximate search over the rows of a large segment, by FAISS, from a memory-mapped file.

Rows are grouped around centroids; a search looks at the codes (codes.py) in the lists whose centroids are nearest to
the question. What is found is scored from the rows themselves, so codes decide what is looked at and nothing else.

The file has FAISS's own format, some bytes in: header, centroids and sizes of lists, then the lists. FAISS looks at
codes in blocks, and wants them to begin at multiples of 64 bytes, so lists are filled up to whole blocks, and the bytes
before are as many as it takes. It reads no such file by itself: what is in the file is the plain index of the same
quantiser, and the blocks are its codes. FAISS trusts what it reads, so everything before the lists is under a SHA-256,
and the size must fit. Damage in the lists costs recall: places that are out of range are dropped by whoever asked.
`lists_are_whole` reads all of it.
"""

from __future__ import annotations

import functools
import hashlib
import mmap
import os
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ctxsearch.layout import untrusted
from ctxsearch.records import FloatArray, IntArray
from ctxsearch.vectors import codes
from ctxsearch.vectors.centroids import Centroids
from ctxsearch.vectors.codes import Codes, Found
from ctxsearch.vectors.depth import Levels, measure
from ctxsearch.vectors.scanning import Block, Selection, decoded
from ctxsearch.vectors.segments import STORED, Rows, Segment, VectorFileError

VERSION = 4
"""Of how lists are made and measured; those of another are made anew at the next write, and not used before. Up to 1,
recall was measured too high in large segments; up to 2, there were half as many lists; up to 3, codes were RaBitQ's."""

TRAINED_ROWS = 16
"""Rows for each centroid that centroids are found from."""

TRAINED_TOGETHER = 8
"""Of those, rows that stand in succession."""

QUANTISED_ROWS = 4096
"""Rows that the spread of dimensions is taken from."""

BLOCK_ROWS = 4096
"""Rows that are decoded at a time."""

LISTS_OF_ROOT = 4
"""Lists for each of the square root of the rows. With half as many, half again as many codes have to be looked at for
the same recall (benchmarks/SCALE.md)."""

ALIGNED = 64
"""Bytes to a multiple of which FAISS's header ends in the file, so that blocks of codes begin at one."""


class _Mapped(NamedTuple):
    """The lists of a file."""

    codes: Codes
    """Keeps the map of the file alive."""
    quantiser: Any
    """FAISS's index of the centroids."""


class Lists:
    """The lists of one segment."""

    def __init__(self, rows: int, dim: int, count: int, levels: Levels, load: Callable[[], _Mapped]) -> None:
        """Lists that are loaded, and FAISS with them, when they are first searched."""
        self.rows = rows
        self.count = count
        self.levels = levels
        self._dim = dim
        self._load = load

    @functools.cached_property
    def _mapped(self) -> _Mapped:
        return self._load()

    @property
    def kind(self) -> str:
        """What it is, in FAISS's words."""
        return f"IVF{self.count},{codes.kind(self._dim)}"

    @classmethod
    def make(cls, segment: Segment, path: Path) -> dict[str, Any]:
        """Make the lists of a segment, write them to a file and measure them there.

        What is in memory is a sample of the rows, and the codes until they are written.

        Returns:
            What `read` wants to know of it, JSON-ready.

        Raises:
            OSError: it cannot be written.
        """
        index, in_list = _built(segment)
        said = _write(index, path)
        del index
        made = cls.read(path, said, segment)
        return {**said, "levels": measure(segment, made, in_list).to_json()}

    @classmethod
    def read(cls, path: Path, said: dict[str, Any], segment: Segment) -> Lists:
        """Map a file.

        Args:
            path: the file.
            said: what `make` returned.
            segment: whose rows they are.

        Raises:
            VectorFileError: it is missing, not what was written, or of another version.
        """
        if said.get("version") != VERSION:
            raise VectorFileError(f"{path} was made by another version of this program")
        numbers = [said.get(name) for name in ("lists", "bytes", "before", "head")]
        if any(type(number) is not int or not 0 <= number < 2**53 for number in numbers):
            raise VectorFileError(f"{path} is not what the catalog says")
        try:
            size = os.lstat(path).st_size
            if not size == said["bytes"] >= said["head"] or _digest(path, said["head"]) != said["sha256"]:
                raise VectorFileError(f"{path} is damaged")
        except OSError as error:
            raise VectorFileError(f"{path} cannot be read") from error
        rows, dim = segment.row_count, segment.dim

        def load() -> _Mapped:
            return _map(path, said, rows)

        try:
            return cls(rows, dim, said["lists"], Levels.from_json(said["levels"]), load)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise VectorFileError(f"{path} is not what the catalog says") from error

    def search(
        self, vector: FloatArray, rows: int, probes: int, chosen: Selection | None, *, beside: bool = False
    ) -> Found:
        """The rows that are nearest by their codes, the nearest first.

        Args:
            vector: float32 of shape (dim,).
            rows: how many, at the most.
            probes: lists to look at.
            chosen: which rows may be found; None for all.
            beside: whoever asks has other work meanwhile, which needs a core.
        """
        query = np.ascontiguousarray(vector, np.float32)
        near, products = self._nearest(query, min(probes, self.count))
        return self._mapped.codes.search(query, min(rows, self.rows), near, products, chosen, beside=beside)

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
        return Block(self._mapped.quantiser.reconstruct_n(0, self.count).astype(STORED))

    def search_many(self, queries: FloatArray, rows: int, probes: int, chosen: Selection | None) -> IntArray:
        """As `search`, for several vectors; -1 where there are fewer rows."""
        return self._mapped.codes.search_many(queries, min(rows, self.rows), min(probes, self.count), chosen)

    def order(self, queries: FloatArray) -> IntArray:
        """All lists for each query, the nearest first."""
        found: IntArray = self._mapped.quantiser.search(queries, self.count)[1]
        return found


def _built(segment: Segment) -> tuple[Any, IntArray]:
    """FAISS's index of the lists, as it is written; and the list that each row stands in."""
    from ctxsearch.vectors.library import faiss

    count, dim = segment.row_count, segment.dim
    lists = 1 << round(np.log2(LISTS_OF_ROOT * np.sqrt(count)))
    sample = _sample(segment, TRAINED_ROWS * lists)
    centroids = Centroids.find(sample, lists)
    some = decoded(sample[:QUANTISED_ROWS])
    del sample
    near = centroids.rows[centroids.nearest(some)]
    share = np.float32(np.einsum("ij,ij->i", some, near).mean())
    # Unit rows are nearest to their centroid shortened by the mean product with it: codes are of what is left.
    quantiser = faiss.IndexFlat(dim, faiss.METRIC_INNER_PRODUCT)
    quantiser.add(share * centroids.rows)
    encoder = codes.quantiser(some - share * near)
    index = faiss.IndexIVFPQ(quantiser, dim, lists, encoder.M, codes.BITS, faiss.METRIC_INNER_PRODUCT)
    index.pq, index.is_trained = encoder, True
    in_list = np.concatenate([centroids.nearest(rows) for rows in _blocks(segment)])
    sizes = np.bincount(in_list, minlength=lists).tolist()
    for number, size in enumerate(sizes):
        index.invlists.resize(number, size)  # room for all: lists that grow would take up to twice as much
        index.invlists.resize(number, 0)
    done = 0
    for rows in _blocks(segment):
        own = in_list[done : (done := done + len(rows))]
        index.add_core(len(rows), faiss.swig_ptr(rows), None, faiss.swig_ptr(own))
    for number, size in enumerate(sizes):
        if size:
            _fill_up(index, number, size, encoder)
    index.pq = codes.unbiased(encoder)
    return index, in_list


def _fill_up(index: Any, number: int, size: int, encoder: Any) -> None:
    """Make blocks of the codes of a list; what fills them up has an id of -1."""
    from ctxsearch.vectors.library import faiss

    lists = index.invlists
    packed = codes.blocks(encoder, faiss.rev_swig_ptr(lists.get_codes(number), size * lists.code_size))
    ids = np.full(len(packed) // lists.code_size, -1, np.int64)
    ids[:size] = faiss.rev_swig_ptr(lists.get_ids(number), size)
    lists.resize(number, len(ids))
    lists.update_entries(number, 0, len(ids), faiss.swig_ptr(ids), faiss.swig_ptr(packed))


def _write(index: Any, path: Path) -> dict[str, Any]:
    """Write a file; returns what `Lists.read` wants to know, but for the levels.

    Raises:
        OSError: it cannot be written.
    """
    from ctxsearch.vectors.library import faiss

    lists = index.invlists
    entries = sum(lists.list_size(number) for number in range(index.nlist))
    size = 0

    def count(some: bytes) -> None:
        nonlocal size
        size += len(some)

    faiss.write_index(index, faiss.PyCallbackIOWriter(count))
    head = size - entries * (lists.code_size + 8)
    before = -head % ALIGNED
    with path.open("wb") as file:
        file.write(bytes(before))
        try:
            faiss.write_index(index, faiss.PyCallbackIOWriter(file.write))
        except RuntimeError as error:
            raise OSError(f"cannot write {path}") from error
    return {
        "version": VERSION,
        "lists": index.nlist,
        "bytes": before + size,
        "before": before,
        "head": before + head,
        "sha256": _digest(path, before + head),
        "crc": _checksum(path),
        "levels": [],
    }


def _map(path: Path, said: dict[str, Any], rows: int) -> _Mapped:
    """Lists as they are in a file.

    Raises:
        VectorFileError: FAISS cannot read them.
    """
    from ctxsearch.vectors.library import claims_limited, faiss

    try:
        with untrusted.open_to_read(path) as file:
            content = np.frombuffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), np.uint8)
        behind = content[said["before"] :]
        with claims_limited(len(content)):
            plain = faiss.read_index(faiss.ZeroCopyIOReader(faiss.swig_ptr(behind), len(behind)))
        held = plain.ntotal, plain.nlist
    except (
        OSError,
        ValueError,
        RuntimeError,
        AttributeError,
        MemoryError,
    ) as error:  # AttributeError: another kind of index
        raise VectorFileError(f"{path} cannot be read") from error
    if held != (rows, said["lists"]):
        raise VectorFileError(f"{path} has the lists of other rows")
    return _Mapped(Codes(plain.quantizer, plain.pq, rows, plain.invlists, (plain, content)), plain.quantizer)


def _blocks(segment: Segment) -> Iterator[FloatArray]:
    """All rows in their order."""
    for first in range(0, segment.row_count, BLOCK_ROWS):
        yield decoded(segment.block(first, first + BLOCK_ROWS))


def _sample(segment: Segment, wanted: int) -> Rows:
    """Rows from all over a segment, in an order that tells nothing."""
    random = np.random.default_rng(wanted)
    starts = np.arange(0, segment.row_count, TRAINED_TOGETHER)
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
    with untrusted.open_to_read(path) as file:
        while some := file.read(1 << 20):
            found = zlib.crc32(some, found)
    return found


def _digest(path: Path, head: int) -> str:
    with untrusted.open_to_read(path) as file:
        return hashlib.sha256(file.read(head)).hexdigest()
