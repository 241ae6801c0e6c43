"""Segments: the rows of contexts, ids rising, in one file that is never changed.

    page 0        header: what follows, the SHA-256 of the tables, and the CRC-32 of the page
    rows          float16, (rows, dim), those of a context one after another
    tables        ids of the contexts (int64), where each begins (int64, and one more for the end), and the CRC-32 of
                  the rows of each (uint32), which is seeded with its id as in the catalog

Header and tables are checked whenever a file is opened; their size goes with the number of contexts, not of rows (20
bytes a context). The rows are read when they are wanted, and checked then (`Segment.gather`), or as a whole
(`Segment.damaged`). So damage is noticed wherever it is, and a large file opens at once. Nothing is mapped: a map keeps
what was touched and all around it, 64 KB for a row of 1 KB, which is slower too; and a file that another program cuts
short while it is mapped ends the process (SIGBUS).
"""

from __future__ import annotations

import hashlib
import io
import os
import struct
import weakref
import zlib
from collections.abc import Iterable, Sequence
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ctxsearch.layout import untrusted
from ctxsearch.records import IntArray

ROWS_PER_CONTEXT = 512
"""More than a context of 384 tokens can have, at one sentence a token."""

STORED = np.dtype("<f2")
Rows = NDArray[np.float16]

PAGE = 4096
MAGIC = b"CTXSROWS"
_HEADER = struct.Struct("<8sIIQQ32s")
_CHECKSUM = struct.Struct("<I")
_NONE = np.empty(0, np.int64)


class VectorFileError(Exception):
    """A file of vectors cannot be used. Its content can be made again, so no user has to see this."""


class Gathered(NamedTuple):
    """The rows of some contexts."""

    rows: Rows
    starts: IntArray
    """Where each context begins in ``rows``, and one more for the end."""
    damaged: IntArray
    """Places, among those asked for, of the contexts whose rows are not what was written."""


class Segment:
    """Rows of contexts, in a file or in memory. Never changed."""

    def __init__(
        self,
        dim: int,
        context_ids: IntArray,
        starts: IntArray,
        rows: Rows | io.FileIO,
        checksums: NDArray[np.uint32],
    ) -> None:
        """A segment of what is given, which nobody may change afterwards.

        Args:
            dim: length of a row.
            context_ids: rising, shape (contexts,).
            starts: the first row of each context, and one more for the end, shape (contexts + 1,).
            rows: shape (rows, dim), or the file that holds them behind its header.
            checksums: of the rows of each context, as `checksum` gives them; empty for rows that need no check.
        """
        self.dim = dim
        self.context_ids = context_ids
        self.starts = starts
        self.row_count = int(starts[-1])
        self._file = rows if isinstance(rows, io.FileIO) else None
        self._in_memory = None if isinstance(rows, io.FileIO) else rows
        self._checksums = checksums
        self._trusted = not len(checksums)
        if self._file is not None:
            weakref.finalize(self, self._file.close)

    @classmethod
    def of(cls, dim: int, context_ids: IntArray, counts: IntArray, rows: Sequence[Rows]) -> Segment:
        """A segment in memory, of blocks of rows that stand one after another; ``counts`` says how many a context has.

        Raises:
            ValueError: ids do not rise, or rows are of another shape.
        """
        together = np.concatenate([np.empty((0, dim), STORED), *rows]).astype(STORED, copy=False)
        if len(context_ids):
            check_shape(context_ids, counts, together, dim, -1)
        starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        return cls(dim, context_ids, starts, together, np.empty(0, np.uint32))

    @classmethod
    def read(cls, path: Path, dim: int, header: int | None = None) -> Segment:
        """Open a file. Its rows are read when they are wanted.

        Args:
            path: the file.
            dim: length of a row.
            header: the checksum that `write_segment` returned, to tell it from the file of another index.

        Raises:
            VectorFileError: it is missing, not such a file, or its header or tables are damaged.
        """
        try:
            file = io.FileIO(untrusted.open_file(path))
        except OSError as error:
            raise VectorFileError(f"{path} cannot be read") from error
        try:
            return cls._checked(path, file, dim, header)
        except OSError as error:
            file.close()
            raise VectorFileError(f"{path} cannot be read") from error
        except BaseException:
            file.close()
            raise

    @classmethod
    def _checked(cls, path: Path, file: io.FileIO, dim: int, header: int | None) -> Segment:
        """A segment of what a file holds, its header and tables checked."""
        page = file.read(PAGE) or b""
        (said,) = _CHECKSUM.unpack_from(page, PAGE - 4) if len(page) == PAGE else (None,)
        if said != zlib.crc32(page[:-4]) or header not in (None, said):
            raise VectorFileError(f"{path} is damaged, or another file")
        magic, version, found, contexts, rows, digest = _HEADER.unpack_from(page)
        if (magic, version, found) != (MAGIC, 1, dim):
            raise VectorFileError(f"{path} does not hold vectors of length {dim}")
        size = os.fstat(file.fileno()).st_size
        tables_at = PAGE + rows * dim * STORED.itemsize
        if size != tables_at + 20 * contexts + 8:
            raise VectorFileError(f"{path} is cut short")
        file.seek(tables_at)
        tables = file.readall() or b""
        if len(tables) != 20 * contexts + 8 or hashlib.sha256(tables).digest() != digest:
            raise VectorFileError(f"{path} is damaged")
        ids = np.frombuffer(tables, "<i8", contexts)
        starts = np.frombuffer(tables, "<i8", contexts + 1, 8 * contexts)
        checksums = np.frombuffer(tables, "<u4", contexts, 16 * contexts + 8)
        if (
            np.any(ids[1:] <= ids[:-1])
            or np.any(starts[1:] <= starts[:-1])
            or (starts[0], starts[-1]) != (0, rows)
            or (contexts and int((starts[1:] - starts[:-1]).max()) > ROWS_PER_CONTEXT)
        ):
            raise VectorFileError(f"{path} has its rows out of order")
        return cls(dim, ids, starts, file, checksums)

    def __len__(self) -> int:
        """Contexts."""
        return len(self.context_ids)

    @property
    def in_memory(self) -> bool:
        """Whether it is in no file."""
        return self._file is None

    @property
    def counts(self) -> IntArray:
        """Rows of each context."""
        return np.diff(self.starts)

    def counts_of(self, places: IntArray) -> IntArray:
        """Rows of some contexts."""
        return self.starts[places + 1] - self.starts[places]

    def starts_among(self, places: IntArray) -> IntArray:
        """Where each of some contexts begins among their rows, and one more for the end."""
        return np.concatenate([[0], np.cumsum(self.counts_of(places))])

    @property
    def bytes(self) -> int:
        """Bytes of the rows."""
        return self.row_count * self.dim * STORED.itemsize

    @property
    def rows(self) -> Rows:
        """All rows, shape (rows, dim). Of a segment in a file they are read, unless they are kept."""
        return self.block(0, self.row_count) if self._in_memory is None else self._in_memory

    def contexts_in_order(self, positions: IntArray) -> IntArray:
        """The place of the context that each row belongs to; of positions that are no rows, -1."""
        contexts = np.searchsorted(self.starts, positions, side="right") - 1
        return np.where((positions >= 0) & (positions < self.row_count), contexts, -1)

    def places_of(self, context_ids: IntArray) -> IntArray:
        """The places of contexts by id, those that are not here left out; rising if the ids are."""
        places = np.searchsorted(self.context_ids, context_ids)
        inside = places < len(self.context_ids)
        places, context_ids = places[inside], context_ids[inside]
        found: IntArray = places[self.context_ids[places] == context_ids]
        return found

    def block(self, first: int, last: int) -> Rows:
        """The rows from ``first`` to before ``last``, as far as there are some, copied."""
        last = max(first, min(last, self.row_count))
        return self._copied(np.array([first]), np.array([last]))

    def keep(self, rows: Rows | None) -> None:
        """Use these rows from now on, all of them, as they are in the file; for None, those of before.

        The array has to own its memory, or keep its owner alive.
        """
        if rows is not None:
            self._in_memory = rows
        elif self._file is not None:
            self._in_memory = None
        elif self._in_memory is not None:
            self._in_memory = self._in_memory.copy()

    def gather(self, places: IntArray) -> Gathered:
        """The rows of some contexts, checked."""
        first, last = self.starts[places], self.starts[places + 1]
        starts = np.concatenate([[0], np.cumsum(last - first)])
        rows = self._copied(first, last)
        damaged = np.empty(0, np.int64)
        if not self._trusted and len(places):
            content = rows.data.cast("B")
            width = rows.itemsize * self.dim
            bounds = (starts * width).tolist()
            found = [
                zlib.crc32(content[bounds[i] : bounds[i + 1]], context_id & 0xFFFFFFFF)
                for i, context_id in enumerate(self.context_ids[places].tolist())
            ]
            damaged = np.flatnonzero(np.array(found, np.uint32) != self._checksums[places])
        return Gathered(rows, starts, damaged)

    def _copied(self, first: IntArray, last: IntArray) -> Rows:
        """The rows of several ranges, one range after another; zeros, which no checksum fits, where they are gone."""
        lengths = last - first
        ends = np.cumsum(lengths)
        if self._in_memory is not None:
            return self._in_memory[np.repeat(first - ends + lengths, lengths) + np.arange(int(lengths.sum()))]
        assert self._file is not None
        rows = np.empty((int(lengths.sum()), self.dim), STORED)
        if not rows.size:
            return rows
        width = rows.itemsize * self.dim
        content = rows.data.cast("B")
        begins = np.flatnonzero(np.concatenate([[True], first[1:] != last[:-1]]))  # ranges that touch are read at once
        targets = [*((ends - lengths)[begins] * width).tolist(), len(content)]
        offsets = (PAGE + first[begins] * width).tolist()
        _announce(self._file, offsets, [end - start for start, end in pairwise(targets)])
        for i, offset in enumerate(offsets):
            _read_into(self._file, content[targets[i] : targets[i + 1]], offset)
        return rows

    def damaged(self) -> IntArray:
        """Places of all contexts whose rows are not what was written. Reads everything, once."""
        if self._trusted:
            return np.empty(0, np.int64)
        found: list[IntArray] = []
        for first in range(0, len(self), 1024):
            places = np.arange(first, min(first + 1024, len(self)))
            found.append(places[self.gather(places).damaged])
        damaged = np.concatenate(found) if found else np.empty(0, np.int64)
        self._trusted = not len(damaged)
        return damaged


def _announce(file: io.FileIO, offsets: Sequence[int], lengths: Sequence[int]) -> None:
    """Tell the system what is going to be read, so that the disk is asked for all of it at once.

    132 contexts that are not in the file cache are there after 2.6 ms instead of 9; where they are it takes 0.07.
    """
    if len(offsets) > 1 and hasattr(os, "posix_fadvise"):
        for offset, length in zip(offsets, lengths, strict=True):
            os.posix_fadvise(file.fileno(), offset, length, os.POSIX_FADV_WILLNEED)


def _read_into(file: io.FileIO, target: memoryview, offset: int) -> None:
    """Fill a buffer from a file; with zeros, where the file is cut short or cannot be read.

    A forked process shares the position in a file with its parent, so the read says where it begins.
    """
    with suppress(OSError):
        while target:
            if hasattr(os, "preadv"):
                read = os.preadv(file.fileno(), [target], offset)
            else:
                file.seek(offset)
                read = file.readinto(target) or 0
            if not read:
                break
            target, offset = target[read:], offset + read
    target[:] = bytes(len(target))


def checksum(context_id: int, rows: Rows) -> int:
    """CRC-32 of the rows of a context, seeded with its id: the one that the catalog has."""
    return zlib.crc32(np.ascontiguousarray(rows, STORED).tobytes(), context_id & 0xFFFFFFFF)


class Written(NamedTuple):
    """What was written to a file."""

    contexts: int
    rows: int
    header: int
    """Checksum of the header, and by it of everything."""


def write_segment(path: Path, dim: int, contents: Iterable[tuple[IntArray, IntArray, Rows]]) -> Written:
    """Write a file, in one pass; what is in memory of it is 20 bytes a context.

    Args:
        path: the file to make.
        dim: length of a row.
        contents: ids of contexts, rising; how many rows each has; their rows, one after another.

    Raises:
        ValueError: ids do not rise, or rows are of another shape.
        OSError: it cannot be written.
    """
    ids: list[IntArray] = []
    counts: list[IntArray] = []
    checksums: list[IntArray] = []
    last = -1
    with path.open("wb") as file:
        file.write(bytes(PAGE))
        for some, count, rows in contents:
            if not len(some):
                continue
            check_shape(some, count, rows, dim, last)
            last = int(some[-1])
            content = np.ascontiguousarray(rows, STORED)
            file.write(content.tobytes())
            ends = np.cumsum(count)
            split = zip(some.tolist(), (ends - count).tolist(), ends.tolist(), strict=True)
            checksums.append(np.array([checksum(i, content[a:b]) for i, a, b in split], np.int64))
            ids.append(some)
            counts.append(count)
        return _finish(file, dim, *(np.concatenate([_NONE, *several]) for several in (ids, counts, checksums)))


def _finish(file: BinaryIO, dim: int, ids: IntArray, counts: IntArray, checksums: IntArray) -> Written:
    starts = np.concatenate([[0], np.cumsum(counts)])
    tables = ids.astype("<i8").tobytes() + starts.astype("<i8").tobytes() + checksums.astype("<u4").tobytes()
    file.write(tables)
    rows = int(starts[-1])
    page = _HEADER.pack(MAGIC, 1, dim, len(ids), rows, hashlib.sha256(tables).digest()).ljust(PAGE - 4, b"\0")
    file.seek(0)
    file.write(page + _CHECKSUM.pack(zlib.crc32(page)))
    return Written(len(ids), rows, zlib.crc32(page))


def check_shape(ids: IntArray, counts: IntArray, rows: NDArray[np.floating], dim: int, last: int) -> None:
    """Raise ValueError unless ids rise above ``last`` and the rows are as many as they should be."""
    if rows.shape != (int(counts.sum()), dim):
        raise ValueError(f"rows of shape {rows.shape}, expected ({int(counts.sum())}, {dim})")
    if counts.max() > ROWS_PER_CONTEXT or counts.min() < 1:
        raise ValueError(f"a context has more than {ROWS_PER_CONTEXT} rows, or none")
    if ids[0] <= last or np.any(ids[1:] <= ids[:-1]):
        raise ValueError("ids of contexts must rise")
