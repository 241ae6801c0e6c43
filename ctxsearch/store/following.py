"""The vector index follows the catalog: from its segments, from what changed since, or from nothing at all.

The catalog says which segments are published, and up to which generation they hold; a segment that does not fit is not
used. It also says from which generation on it has notes of all removed contexts (``floor``): who holds vectors of that
generation or a later one can follow by what changed; who is further behind reads the segments again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ctxsearch import resources
from ctxsearch.catalog import Catalog
from ctxsearch.layout import IndexFolder
from ctxsearch.store.published import Published, open_segment

if TYPE_CHECKING:
    from ctxsearch.vectors import VectorIndex

CONTEXTS_PER_BATCH = 2048
"""Contexts moved at a time from the catalog to the vector index."""

MOST_HELD = 20_000
"""Contexts in memory from which on a reader goes over to newer segments, where there are some."""


class Follower:
    """Vectors that are taken from generation to generation of one catalog."""

    def __init__(self, folder: IndexFolder, number: int, dim: int) -> None:
        """Hold nothing yet.

        Args:
            folder: where the vector files are.
            number: that of the catalog.
            dim: length of a vector.
        """
        self._folder = folder
        self._number = number
        self._dim = dim
        self._vectors: VectorIndex | None = None
        self._generation = 0
        self._read_at = 0
        self._large: set[int] = set()
        self._catalog: Catalog | None = None

    def close(self) -> None:
        """Let go of the files, which may have been removed meanwhile: their space is free only then."""
        self._vectors = self._catalog = None

    def at(self, catalog: Catalog, generation: int) -> VectorIndex:
        """The vectors of the generation that the catalog is read at.

        Raises:
            DamagedIndexError: the catalog's vectors cannot be read, or are not those of its contexts.
        """
        self._catalog = catalog
        if self._vectors is not None and self._generation == generation:
            return self._vectors
        vectors, held = self._vectors, self._generation
        self._vectors = None
        if vectors is None or not self._follows(vectors, catalog, generation):
            vectors, held = self._read(catalog)
        if not _catch_up(vectors, catalog, held):
            vectors = self._empty()
            if not _catch_up(vectors, catalog, 0):
                raise self._folder.damage(f"{catalog.path.name}: contexts have no vectors, or vectors no context")
        self._vectors, self._generation = vectors, generation
        return vectors

    def _follows(self, vectors: VectorIndex, catalog: Catalog, generation: int) -> bool:
        floor = catalog.floor()
        if floor is None or not floor <= self._generation < generation:
            return False
        published = Published.from_fact(catalog.fact("segments"))
        if published is None or published.generation <= self._read_at:
            return True
        merged = self._large - {note.serial for note in published.segments}  # whose space is free when it is let go
        return not merged and vectors.contexts_in_memory() <= MOST_HELD

    def _empty(self) -> VectorIndex:
        from ctxsearch.vectors import VectorIndex

        return VectorIndex(self._dim, self._rows_of)

    def _rows_of(self, context_ids: Sequence[int]) -> dict[int, Any]:
        assert self._catalog is not None
        return {stored.context_id: stored.rows for stored in self._catalog.vectors_of(context_ids, self._dim)}

    def _read(self, catalog: Catalog) -> tuple[VectorIndex, int]:
        """The published segments and their generation; an empty index of generation 0 if they cannot be used."""
        resources.require_for_arrays()
        from ctxsearch.vectors import VectorFileError

        self._read_at, self._large = 0, set()
        vectors = self._empty()
        published = Published.from_fact(catalog.fact("segments"))
        if published is None or published.floor < (catalog.floor() or 0):
            return vectors, 0
        try:
            for note in published.segments:
                vectors.attach(*open_segment(self._folder, self._number, note, self._dim))
        except VectorFileError:
            return self._empty(), 0
        removed = catalog.removed_since(published.floor)
        vectors.remove(removed)
        since = catalog.removed_since(published.generation)
        if vectors.contexts() != published.contexts - int((since <= published.last).sum()):
            return self._empty(), 0
        self._read_at = published.generation
        self._large = {note.serial for note in published.segments if note.lists is not None}
        return vectors, published.generation


def _catch_up(vectors: VectorIndex, catalog: Catalog, held: int) -> bool:
    """Take a vector index from the generation that it holds to the one that the catalog is read at.

    Returns:
        False if that cannot be done: contexts came back with ids of before, or not all have vectors.
    """
    if held and vectors.contexts():
        vectors.remove(catalog.removed_since(held))
    first, contexts = catalog.contexts_since(held)
    if not contexts:
        return True
    if first <= vectors.last:
        return False
    ids: list[int] = []
    rows: list[Any] = []
    for stored in catalog.vectors_from(first, vectors.dim):
        contexts -= 1
        ids.append(stored.context_id)
        rows.append(stored.rows)
        if len(ids) == CONTEXTS_PER_BATCH:
            vectors.add(ids, rows)
            ids, rows = [], []
    vectors.add(ids, rows)
    return contexts == 0
