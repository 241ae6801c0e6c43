"""Care of an index folder as the Index offers it, and taking an index over to another model."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from ctxsearch.catalog import Catalog
from ctxsearch.errors import ArgumentError, IndexNotFoundError, StoreError
from ctxsearch.layout import LOCK_TIMEOUT_SECONDS, IndexFolder, Pointer, step
from ctxsearch.passport import Passport
from ctxsearch.records import RepairReport, WholeDocument
from ctxsearch.store import beside
from ctxsearch.store.following import CONTEXTS_PER_BATCH
from ctxsearch.store.local import LocalStore
from ctxsearch.store.publishing import Publisher

VERIFY_ATTEMPTS = 5
"""Times that vector files are read again because a writer has replaced them meanwhile."""


@contextmanager
def opened_or_made(folder: IndexFolder, passport: Passport, model_path: str, timeout: float) -> Iterator[LocalStore]:
    """The store in a folder, made if there is none; a new one is removed again when the block raises.

    Args:
        folder: where it is.
        passport, model_path: of the store that is made.
        timeout: seconds that a writer waits for another.
    """
    if folder.exists():
        store = LocalStore(folder, timeout)
        try:
            yield store
        finally:
            store.close()
        return
    above = [place for place in (folder.root, *folder.root.absolute().parents) if not place.exists()]
    store = LocalStore.create(folder, passport, model_path, timeout)
    try:
        yield store
    except BaseException:
        store.close()
        _remove_empty(folder, above, timeout)
        raise
    store.close()


def _remove_empty(folder: IndexFolder, above: Iterable[Path], timeout: float) -> None:
    """Remove an index in which nothing was committed, and the folders that were made for it, from the inside."""
    with suppress(OSError, StoreError):
        with folder.writer_lock(timeout):
            catalog = beside.open_catalog(folder, folder.read_pointer(), folder.read_pointer().catalog, read_only=True)
            generation = catalog.generation()
            catalog.close()
            if generation:
                return  # another process has filled it meanwhile
            folder.remove_index()
        (folder.root / "writer.lock").unlink(missing_ok=True)
        for place in above:
            place.rmdir()


def verify(store: LocalStore) -> list[str]:
    """What is wrong: the catalog, its rows and full text, the vector files, each vector against the catalog.

    Reads one generation, whatever writers do meanwhile, and writes nothing.
    """
    with separate(store) as own:
        with own.snapshot() as snapshot:
            catalog, dim = snapshot._catalog, snapshot.passport.dim
            found = [f"the catalog: {problem}" for problem in catalog.check(dim)]
            try:
                found += _compare_vectors(snapshot.vectors(), catalog, dim)
            except StoreError as error:
                found.append(str(error))
        if not _vector_files_are_whole(own):
            found.append("a vector file is missing or damaged; repair makes it anew, and no answer is lost by it")
    return found


@contextmanager
def separate(store: LocalStore) -> Iterator[LocalStore]:
    """The same store with a connection of its own, for what takes long: other threads go on with the shared one."""
    own = LocalStore(store.folder, store.lock_timeout)
    try:
        yield own
    finally:
        own.close()


def _vector_files_are_whole(store: LocalStore) -> bool:
    """Whether the published vector files are what was written. Writers may replace them while they are read."""
    for _ in range(VERIFY_ATTEMPTS):
        published, whole = _read_vector_files(store)
        if whole:
            return True
        if published == _published(store):
            return False
    return True  # replaced each time, so nothing was seen of the files that are there now


def _read_vector_files(store: LocalStore) -> tuple[Any, bool]:
    with store.snapshot() as snapshot:
        catalog, published = snapshot._catalog, _published(store)
        whole = not published[1] or Publisher(store.folder, published[0], snapshot.passport.dim).is_whole(catalog)
    return published, whole


def _published(store: LocalStore) -> tuple[int, Any]:
    """The number of the catalog, and its list of segments."""
    with store.snapshot() as snapshot:
        return store.number, snapshot._catalog.fact("segments")


def _compare_vectors(vectors: Any, catalog: Catalog, dim: int) -> Iterator[str]:
    import numpy as np

    held = vectors.context_ids()
    there: list[int] = []
    stored = catalog.vectors_from(0, dim)
    while several := list(itertools.islice(stored, CONTEXTS_PER_BATCH)):
        kept = vectors.stored([one.context_id for one in several])
        for one in several:
            there.append(one.context_id)
            if one.context_id not in kept or not np.array_equal(kept[one.context_id], one.rows):
                yield f"the vector index has other vectors for context {one.context_id}"
    for context_id in np.setdiff1d(held, np.array(there, np.int64)).tolist():
        yield f"the vector index has context {context_id}, the catalog has not"


def compact(store: LocalStore) -> None:
    """Give back the space of what was deleted, and leave nothing of it in any file."""
    with store.locked() as pointer:
        beside.compact(store.folder, pointer)


def reindex(store: LocalStore) -> None:
    """Make full-text search anew, with the words of this version. Nothing is embedded again."""
    with store.locked() as pointer:
        beside.reindex(store.folder, pointer)


def back_up(store: LocalStore, destination: Path) -> None:
    """Copy one generation to a new folder, while others may write."""
    with separate(store) as own:
        beside.back_up(store.folder, own.catalog, destination.absolute())


def repair(folder: IndexFolder, lock_timeout: float = LOCK_TIMEOUT_SECONDS) -> RepairReport:
    """Make anew what can be made anew; save what can be read of a damaged catalog.

    Raises:
        StoreError: there is nothing to repair, or nothing can be saved.
    """
    folder.require()
    with folder.writer_lock(lock_timeout):
        return beside.repair(folder)


# Another model


class Successor:
    """A catalog beside the current one, with the embeddings of another model, brought up to date and flipped to.

    What is committed in it stays when the process is killed, and is not embedded again.
    """

    def __init__(self, folder: IndexFolder, pointer: Pointer, number: int, current: Catalog, catalog: Catalog) -> None:
        self.passport = Passport.from_dict(catalog.passport())
        self.model_path = catalog.model_path()
        self._folder = folder
        self._pointer = pointer
        self._number = number
        self._current = current
        self._current_dim = Passport.from_dict(current.passport()).dim
        self._catalog = catalog
        self._generation: int | None = None
        self.counts = catalog.counts

    def pending(self) -> list[int]:
        """Ids of the documents that are to be embedded, rising; what is gone from the index is dropped here first."""
        wanted = {document_id: rest for document_id, *rest in self._current.identities()}
        for document_id, key, content_hash in self._catalog.identities():
            if wanted.get(document_id) == [key, content_hash]:
                del wanted[document_id]
            elif wanted.get(document_id, [None])[0] != key:
                self._catalog.delete_document(document_id, self._begin())
        return sorted(wanted)

    def document(self, document_id: int) -> WholeDocument:
        """A document of the index, with the contexts of the model that is in use."""
        return self._current.whole_document(document_id, self._current_dim)

    def put(self, document: WholeDocument) -> None:
        """Add a document with the contexts of the new model; it keeps its id, its contexts get new ones."""
        self._catalog.put_whole(document, self._begin(), keep_context_ids=False)

    def canaries(self) -> Mapping[str, Any] | None:
        """As `Writer.canaries`."""
        return self._catalog.canaries()

    def put_canaries(self, canaries: Mapping[str, Any]) -> None:
        """As `Writer.put_canaries`."""
        self._begin()
        self._catalog.set_fact("canaries", dict(canaries))

    def commit(self) -> None:
        """Keep what was put, for this run or one after it."""
        if self._generation is not None:
            self._catalog.commit()
            self._generation = None
            step("reembed: window committed")

    def flip(self) -> int:
        """Make this the index, and the index of now the one to go back to; returns the generation.

        Raises:
            StoreError: documents are pending.
        """
        if self.pending():
            raise StoreError(f"{self._folder.root}: documents are not yet embedded with {self.passport.label}")
        generation = max(self._begin(), self._current.generation() + 1)
        self._catalog.set_fact("generation", generation)
        self._catalog.set_fact("unfinished", None)
        self._catalog.put_failures([failure.origin for failure in self._catalog.failures()], self._current.failures())
        self._catalog.raise_sequences({"documents": self._current.sequences().get("documents", 0)})
        self.commit()
        Publisher(self._folder, self._number, self.passport.dim).publish(self._catalog)
        self._catalog.settle()
        beside.flip(self._folder, Pointer(self._pointer.index, self._number, former=self._pointer.catalog))
        return generation

    def _begin(self) -> int:
        if self._generation is None:
            self._generation = self._catalog.begin()
        return self._generation


@contextmanager
def successor(store: LocalStore, passport: Passport, model_path: str) -> Iterator[Successor]:
    """A catalog for another model: the one that a run before has begun, the one of before, or an empty one.

    Raises:
        ArgumentError: the index is of that model already.
    """
    with store.locked() as pointer:
        if _fingerprint(store.folder, pointer, pointer.catalog) == passport.fingerprint:
            raise ArgumentError(f"{store.folder.root} is of the model {passport.label} already")
        for number in (pointer.former, pointer.next):
            if number is not None and _fingerprint(store.folder, pointer, number) == passport.fingerprint:
                break
        else:
            number = store.folder.new_number()
            facts = {**beside.facts_of(pointer.index, passport, model_path), "unfinished": True}
            pointer = replace(pointer, next=number)
            beside.make_empty(store.folder, number, facts)
            store.folder.write_pointer(pointer)
            step("pointer: next named")
            store.folder.remove_leftovers(pointer)
        with _beside(store.folder, pointer, number) as found:
            yield found


@contextmanager
def former(store: LocalStore) -> Iterator[Successor]:
    """The catalog of the model before.

    Raises:
        IndexNotFoundError: there is none.
    """
    with store.locked() as pointer:
        if pointer.former is None:
            raise IndexNotFoundError(
                f"{store.folder.root} has no former model to go back to: "
                "it was never taken over to another, or compacted since"
            )
        with _beside(store.folder, pointer, pointer.former) as found:
            yield found


@contextmanager
def _beside(folder: IndexFolder, pointer: Pointer, number: int) -> Iterator[Successor]:
    current = beside.open_catalog(folder, pointer, pointer.catalog, read_only=True)
    try:
        catalog = beside.open_catalog(folder, pointer, number, read_only=False)
        try:
            with current.snapshot():
                yield Successor(folder, pointer, number, current, catalog)
        finally:
            catalog.roll_back()
            catalog.close()
    finally:
        current.close()


def _fingerprint(folder: IndexFolder, pointer: Pointer, number: int) -> str | None:
    """The embedding space of a catalog; None for one that cannot be opened."""
    try:
        catalog = beside.open_catalog(folder, pointer, number, read_only=True)
    except StoreError:
        return None
    try:
        return Passport.from_dict(catalog.passport()).fingerprint
    finally:
        catalog.close()
