"""The vector index follows the catalog: from a file, from what changed since, or from nothing at all.

The catalog says which vector file was published last, with its generation and checksum; a file that does not fit is not
even opened by FAISS. It also says from which generation on it has notes of all removed contexts (``floor``): who holds
vectors of that generation or a later one can follow by what changed; who is further behind reads the file.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ctxsearch.catalog import Catalog
from ctxsearch.errors import StoreError
from ctxsearch.layout import IndexFolder, replace_atomically, sha256_of, step

if TYPE_CHECKING:
    from ctxsearch.vectors import VectorIndex

CONTEXTS_PER_BATCH = 2048
"""Contexts moved at a time from the catalog to the vector index."""


class Follower:
    """Vectors in memory that are taken from generation to generation of one catalog."""

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

    def at(self, catalog: Catalog, generation: int) -> VectorIndex:
        """The vectors of the generation that the catalog is read at.

        Raises:
            DamagedIndexError: the catalog's vectors cannot be read, or are not those of its contexts.
        """
        if self._vectors is not None and self._generation == generation:
            return self._vectors
        floor = catalog.fact("floor")
        follows = self._vectors is not None and floor is not None and floor <= self._generation < generation
        if not follows:
            self._vectors, self._generation = self._read(catalog)
        assert self._vectors is not None
        try:
            _catch_up(self._vectors, catalog, self._generation)
            if not self._fits(catalog):
                from ctxsearch.vectors import VectorIndex

                self._vectors = VectorIndex(self._dim)
                _catch_up(self._vectors, catalog, 0)
            if not self._fits(catalog):
                raise self._folder.damage(f"{catalog.path.name}: contexts have no vectors, or vectors no context")
        except BaseException:
            self._vectors = None
            raise
        self._generation = generation
        return self._vectors

    def file_fits(self, catalog: Catalog) -> bool:
        """Whether the vector file that the catalog names is there, byte for byte."""
        said = catalog.fact("vectors")
        if not said:
            return False
        try:
            return bool(sha256_of(self._folder.vectors(self._number, said["generation"])) == said["sha256"])
        except OSError:
            return False

    def publish(self, catalog: Catalog) -> None:
        """Bring the vector file up to the catalog's generation. Only for the one who holds the lock.

        Raises:
            StoreError: it cannot be written; nothing is lost by that.
        """
        said = catalog.fact("vectors")
        generation = catalog.generation()
        if said and said["generation"] == generation and self.file_fits(catalog):
            return
        with catalog.snapshot():
            vectors = self.at(catalog, generation)
        path = self._folder.vectors(self._number, generation)

        def write(partial: Path) -> None:
            vectors.write(partial)
            step("vectors: written")

        try:
            replace_atomically(path, write)
            step("vectors: renamed")
            said_now = {"generation": generation, "sha256": sha256_of(path), "bytes": path.stat().st_size}
        except OSError as error:
            raise StoreError(
                f"everything is in the catalog, but the vector file {path} cannot be written "
                f"({error.strerror or error}); it is made at the next ingest, queries work without it"
            ) from error
        floor = said["generation"] if said else generation
        catalog.begin(advance=False)
        try:
            catalog.set_fact("vectors", said_now)
            catalog.set_fact("floor", floor)
            catalog.forget_removed(floor)
            catalog.commit()
        finally:
            catalog.roll_back()
        step("vectors: recorded")
        for other in self._folder.vector_files(self._number):
            if other != path:
                try:
                    other.unlink(missing_ok=True)
                except OSError:  # the next to publish tries again
                    continue
        step("vectors: former removed")

    def _fits(self, catalog: Catalog) -> bool:
        assert self._vectors is not None
        return len(self._vectors.context_ids()) == catalog.counts()[1]

    def _read(self, catalog: Catalog) -> tuple[VectorIndex, int]:
        """The vector file and its generation; an empty index of generation 0 if there is no usable file."""
        from ctxsearch.vectors import VectorFileError, VectorIndex  # here, since FAISS takes 0.1 s to import

        said = catalog.fact("vectors")
        if said and self.file_fits(catalog) and said["generation"] >= (catalog.fact("floor") or 0):
            try:
                path = self._folder.vectors(self._number, said["generation"])
                return VectorIndex.read(path, self._dim), int(said["generation"])
            except VectorFileError:
                pass
        return VectorIndex(self._dim), 0


def _catch_up(vectors: VectorIndex, catalog: Catalog, held: int) -> None:
    """Take a vector index from the generation that it holds to the one that the catalog is read at."""
    removed = catalog.removed_since(held)
    if len(removed) and len(vectors):
        vectors.remove(removed)
    ids: list[int] = []
    rows: list[Any] = []
    for stored in catalog.vectors_since(held, vectors.dim):
        ids.append(stored.context_id)
        rows.append(stored.rows)
        if len(ids) == CONTEXTS_PER_BATCH:
            vectors.add(ids, rows)
            ids, rows = [], []
    vectors.add(ids, rows)
