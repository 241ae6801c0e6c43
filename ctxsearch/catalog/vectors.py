"""Vectors as the catalog has them, and what changed since a generation: what a vector index follows."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from ctxsearch.catalog.connection import translating
from ctxsearch.catalog.metadata import Metadata
from ctxsearch.catalog.schema import STORED
from ctxsearch.records import IntArray

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MAX_VARIABLES = 900
"""Below SQLite's lowest limit of parameters in a statement."""

MAX_ID = (1 << 63) - 1
"""The highest id that SQLite knows."""


class StoredVectors(NamedTuple):
    """The rows of one context, float16 of shape (1 + sentences, dim)."""

    context_id: int
    rows: NDArray[np.float16]


class Vectors(Metadata):
    """Rows of vectors, and of what was removed."""

    @translating
    def contexts_since(self, generation: int) -> tuple[int, int]:
        """The lowest id of the contexts added after a generation, and how many they are; 0 and 0 for none."""
        query = "SELECT min(id), count(*) FROM contexts WHERE generation > ?"
        first, contexts = self._db.execute(query, [generation]).fetchone()
        return int(first or 0), int(contexts)

    @translating
    def extent(self, first: int, last: int | None, dim: int) -> tuple[int, int, int, int]:
        """Of the contexts with vectors in a range of ids: the lowest and the highest, how many, and their rows."""
        import numpy as np

        lowest, highest, contexts, size = self._db.execute(
            "SELECT min(context_id), max(context_id), count(*), sum(length(data)) FROM vectors "
            "WHERE context_id >= ? AND context_id <= ?",
            [first, last if last is not None else MAX_ID],
        ).fetchone()
        return int(lowest or 0), int(highest or 0), int(contexts), int(size or 0) // (dim * np.dtype(STORED).itemsize)

    def vectors_from(self, first: int, dim: int, last: int | None = None) -> Iterator[StoredVectors]:
        """Vectors of the contexts in a range of ids, rising.

        Raises:
            DamagedIndexError: a row is not what was written.
        """
        column = "checksum" if self.format > 1 else "NULL"
        with self.translated():
            for context_id, data, expected in self._db.execute(
                f"SELECT context_id, data, {column} FROM vectors WHERE context_id >= ? AND context_id <= ? "
                "ORDER BY context_id",
                [first, last if last is not None else MAX_ID],
            ):
                yield StoredVectors(context_id, self._vectors(context_id, data, expected, dim))

    def vectors_of(self, ids: Sequence[int], dim: int) -> Iterator[StoredVectors]:
        """Vectors of contexts by id; those that are not there are left out.

        Raises:
            DamagedIndexError: a row is not what was written.
        """
        column = "checksum" if self.format > 1 else "NULL"
        for some in chunks(ids):
            with self.translated():
                rows = self._db.execute(
                    f"SELECT context_id, data, {column} FROM vectors WHERE context_id IN ({','.join('?' * len(some))})",
                    some,
                ).fetchall()
            for context_id, data, expected in rows:
                yield StoredVectors(context_id, self._vectors(context_id, data, expected, dim))

    @translating
    def removed_since(self, generation: int) -> IntArray:
        """Ids, rising, of the contexts removed after a generation."""
        import numpy as np

        rows = self._db.execute("SELECT context_id FROM removed WHERE generation > ? ORDER BY context_id", [generation])
        return np.fromiter((row[0] for row in rows), np.int64)

    def _vectors(self, context_id: int, data: bytes | None, expected: int | None, dim: int) -> NDArray[np.float16]:
        import numpy as np

        if not data or len(data) % (dim * np.dtype(STORED).itemsize):
            raise self._damaged("vectors of context", context_id)
        if self.format > 1 and expected != data_checksum(context_id, data):
            raise self._damaged("vectors of context", context_id)
        return np.frombuffer(data, STORED).reshape(-1, dim)


def data_checksum(context_id: int, data: bytes) -> int:
    """CRC-32 of what is stored for a context, so that it fits no other one."""
    return zlib.crc32(data, context_id & 0xFFFFFFFF)


def chunks(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    for first in range(0, len(ids), MAX_VARIABLES):
        yield ids[first : first + MAX_VARIABLES]
