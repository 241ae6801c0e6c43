"""Publishing vectors: what was added becomes a segment; segments are merged as they grow in number.

A segment is never changed. A publication writes the segments that are new beside those that are there, and notes the
list of them in the catalog: that is when it takes place. Files that are in no list are removed afterwards; readers go
on with those they have open.

Neighbours are merged when the later one has grown to a part of the earlier one, so sizes fall by `LESS` at least from
one segment to the next: there are few of them, and a context is written anew a few times while an index grows a
thousandfold. A segment of which much was removed is written anew without it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ctxsearch.catalog import Catalog
from ctxsearch.errors import StoreError
from ctxsearch.layout import IndexFolder, replace_atomically, step
from ctxsearch.records import IntArray
from ctxsearch.store.published import Note, Published, is_whole, open_segment

if TYPE_CHECKING:
    from ctxsearch.vectors import Segment

CONTEXTS_PER_BATCH = 1024
"""Contexts that are read and written at a time."""

LESS = 2
"""A segment has more than this many times the rows of the next."""

SMALL_ROWS = 4096
"""Segments that have no more rows together are one."""

MOST_REMOVED = 0.25
"""Share of a segment that may be removed before it is written anew."""

Contents = Iterator[tuple[IntArray, IntArray, Any]]
"""Ids of contexts, how many rows each has, their rows."""


@dataclass
class _Piece:
    """Contexts of a range of ids, in a segment or in the catalog alone."""

    first: int
    last: int
    contexts: int
    rows: int
    note: Note | None = None
    segment: Segment | None = None
    gone: IntArray | None = None
    """Ids that are removed from the segment."""

    @property
    def kept(self) -> bool:
        """Whether it may stay as it is."""
        removed = 0 if self.gone is None else len(self.gone)
        return self.note is not None and removed <= MOST_REMOVED * self.note.contexts


class Publisher:
    """Publishes the vectors of one catalog. Only for the one who holds the lock."""

    def __init__(self, folder: IndexFolder, number: int, dim: int) -> None:
        self._folder = folder
        self._number = number
        self._dim = dim
        self._highest = 0  # serial that was given

    def is_whole(self, catalog: Catalog) -> bool:
        """Whether all files that the catalog names are there, byte for byte, and there are some. Reads all of them."""
        published = Published.from_fact(catalog.fact("segments"))
        if published is None:
            return False
        return all(is_whole(self._folder, self._number, note, self._dim) for note in published.segments)

    def publish(self, catalog: Catalog, *, check: bool = False) -> None:
        """Bring the segments up to the catalog's generation.

        Args:
            catalog: open for writing, nothing begun.
            check: read all that is published, and write anew what is damaged.

        Raises:
            StoreError: it cannot be written; nothing is lost by that.
        """
        before = Published.from_fact(catalog.fact("segments"))
        self._highest = max((note.serial for note in before.segments), default=0) if before else 0
        with catalog.snapshot() as generation:
            pieces = self._pieces(catalog, before, check)
            unchanged = before is not None and [piece.note for piece in pieces] == list(before.segments)
            if unchanged and before is not None and before.generation == generation:
                return
            groups = _grouped(pieces)
            try:
                notes = [self._keep_or_write(catalog, group, generation) for group in groups]
            except OSError as error:
                raise StoreError(
                    f"everything is in the catalog, but the vector files in {self._folder.root} cannot be written "
                    f"({error.strerror or error}); they are made at the next ingest, queries work without them"
                ) from error
            now = Published(generation, catalog.contexts_since(0)[1], tuple(note for note in notes if note))
        if sum(piece.contexts for piece in pieces) != now.contexts:
            raise self._folder.damage(f"{catalog.path.name}: contexts have no vectors, or vectors no context")
        floor = min(now.floor, before.generation if before else generation)
        catalog.begin(advance=False)
        try:
            catalog.set_fact("segments", now.to_fact())
            catalog.set_fact("floor", floor)
            catalog.forget_removed(floor)
            catalog.commit()
        finally:
            catalog.roll_back()
        step("segments: listed")
        self._remove_others({note.serial for note in now.segments})
        step("segments: others removed")

    def _pieces(self, catalog: Catalog, before: Published | None, check: bool) -> list[_Piece]:
        """What there is, in the order of ids: segments that can be used, and what the catalog alone has."""
        if before is None or before.floor < (catalog.floor() or 0):
            return self._from_catalog(catalog, 0, None)
        first, added = catalog.contexts_since(before.generation)
        if added and first <= before.last:
            return self._from_catalog(catalog, 0, None)
        removed = catalog.removed_since(before.floor)
        pieces = [piece for note in before.segments for piece in self._piece(catalog, note, removed, check)]
        return pieces + (self._from_catalog(catalog, first, None) if added else [])

    def _piece(self, catalog: Catalog, note: Note, removed: IntArray, check: bool) -> list[_Piece]:
        from ctxsearch.vectors import VectorFileError

        try:
            if check and not is_whole(self._folder, self._number, note, self._dim):
                raise VectorFileError
            segment, lists = open_segment(self._folder, self._number, note, self._dim)
            if (note.lists is not None) != (lists is not None) or (not note.lists and len(segment.damaged())):
                raise VectorFileError
        except VectorFileError:
            return self._from_catalog(catalog, note.first, note.last)
        gone = removed[(removed >= note.first) & (removed <= note.last)]
        places = segment.places_of(gone)
        rows = note.rows - int(segment.counts[places].sum())
        return [
            _Piece(note.first, note.last, note.contexts - len(places), rows, note, segment, segment.context_ids[places])
        ]

    def _from_catalog(self, catalog: Catalog, first: int, last: int | None) -> list[_Piece]:
        """What the catalog has in a range of ids; nothing if that is nothing."""
        lowest, highest, contexts, rows = catalog.extent(first, last, self._dim)
        return [_Piece(lowest, highest, contexts, rows)] if contexts else []

    def _keep_or_write(self, catalog: Catalog, group: list[_Piece], generation: int) -> Note | None:
        if len(group) == 1 and group[0].kept:
            return group[0].note
        return self._write(self._contents(catalog, group), generation)

    def _contents(self, catalog: Catalog, group: list[_Piece]) -> Contents:
        for piece in group:
            if piece.segment is None:
                yield from _of_catalog(catalog, piece.first, piece.last, self._dim)
            else:
                yield from self._of_segment(catalog, piece)

    def _of_segment(self, catalog: Catalog, piece: _Piece) -> Contents:
        """The contexts of a segment that are still there; where rows are damaged, those of the catalog."""
        import numpy as np

        segment = piece.segment
        assert segment is not None
        live = np.ones(len(segment), np.bool_)
        if piece.gone is not None:
            live[segment.places_of(piece.gone)] = False
        for first in range(0, len(segment), CONTEXTS_PER_BATCH):
            places = first + np.flatnonzero(live[first : first + CONTEXTS_PER_BATCH])
            ids = segment.context_ids[places]
            gathered = segment.gather(places)
            if len(gathered.damaged):
                yield from _of_catalog(catalog, int(ids[0]), int(ids[-1]), self._dim)
            elif len(places):
                yield ids, np.diff(gathered.starts), gathered.rows

    def _write(self, contents: Contents, generation: int) -> Note | None:
        """Write a segment, and lists beside it if it is large; None if nothing is in it."""
        from ctxsearch.vectors import Lists, Segment, is_scanned, write_segment

        left = map(self._folder.serial_of, self._folder.vector_files(self._number))  # by a writer that was killed
        serial = self._highest = 1 + max(self._highest, *left, 0)
        path = self._folder.rows(self._number, serial)
        written: Any = None

        def write(partial: Path) -> None:
            nonlocal written
            written = write_segment(partial, self._dim, contents)
            step("segment: written")

        replace_atomically(path, write)
        step("segment: renamed")
        if not written.contexts:
            path.unlink()
            return None
        segment = Segment.read(path, self._dim, written.header)
        said: dict[str, Any] | None = None
        if not is_scanned(segment):

            def write_lists(partial: Path) -> None:
                nonlocal said
                said = Lists.make(segment, partial)

            replace_atomically(self._folder.lists(self._number, serial), write_lists)
            step("lists: renamed")
        ids = segment.context_ids
        first, last = int(ids[0]), int(ids[-1])
        return Note(serial, generation, written.contexts, written.rows, first, last, written.header, said)

    def _remove_others(self, serials: set[int]) -> None:
        for path in self._folder.vector_files(self._number):
            if self._folder.serial_of(path) not in serials:
                try:
                    path.unlink(missing_ok=True)
                except OSError:  # a reader has it open, on Windows; the next to publish tries again
                    continue


def _of_catalog(catalog: Catalog, first: int, last: int, dim: int) -> Contents:
    import numpy as np

    stored = catalog.vectors_from(first, dim, last)
    while several := list(islice(stored, CONTEXTS_PER_BATCH)):
        ids = np.array([one.context_id for one in several], np.int64)
        counts = np.array([len(one.rows) for one in several], np.int64)
        yield ids, counts, np.concatenate([one.rows for one in several])


def _grouped(pieces: list[_Piece]) -> list[list[_Piece]]:
    """Which pieces become one segment; one that stands alone and may stay is not written."""
    groups: list[list[_Piece]] = []
    for piece in pieces:
        groups.append([piece])
        while len(groups) > 1:
            earlier, later = (sum(one.rows for one in group) for group in groups[-2:])
            if earlier > LESS * later and earlier + later > SMALL_ROWS:
                break
            groups[-2:] = [groups[-2] + groups[-1]]
    return groups
